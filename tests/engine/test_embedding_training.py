"""The image network from simulated sessions to weights, and the reference catalogue they are of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.engine.network_training.network_targets import QUANTITIES, questions, targets_of
from cryoverdict.engine.simulation.reference import (
    ORDINARY_EVERY,
    UNSEEN_IN_PICTURES,
    lesson_session,
    presented,
    reference_session,
)
from cryoverdict.engine.training.labelled_set import read_labelled_sets
from cryoverdict.engine.training.reference_sessions import (
    LESSON,
    make_reference_sessions,
    pack_reference,
    read_reference_sets,
    teaches_embedding,
)
from cryoverdict.engine.training.visible_truth import visible_label
from cryoverdict.features.embedding import CARD, WEIGHTS
from cryoverdict.features.embedding_network import (
    ANSWERS,
    EmbeddingNetwork,
    field_input,
    spectrum_input,
)
from cryoverdict.features.weights_file import read_weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of pictures and two lessons, by the command that makes the catalogue."""
    folder = tmp_path_factory.mktemp("reference")
    arguments = ["catalogue", "simulate", "--sessions", "2", "--micrographs", "4", "--lessons", "2"]
    arguments += ["--seed", "4", "--threads", "1", "--quiet", "--output", str(folder)]
    assert run(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def sessions(made: Path) -> Path:
    return made / "sessions"


def test_sessions_are_drawn_from_their_seed_alone() -> None:
    assert reference_session(7, 12) == reference_session(7, 12)
    drawn = [reference_session(seed, 12) for seed in range(60)]
    assert len({(s.spec.base.particle.name, s.spec.base.detector) for s in drawn}) > 25
    pictures = [s for s in drawn if s.presentation.picture]
    assert 0.2 < len(pictures) / len(drawn) < 0.6
    for session in pictures:
        assert not UNSEEN_IN_PICTURES & {name for name, _ in session.spec.mix}
    ordinary = [seed for seed, s in enumerate(drawn) if s.spec.bad_fraction <= 0.5]
    assert ordinary == list(range(ORDINARY_EVERY - 1, 60, ORDINARY_EVERY))
    lesson = lesson_session(3, 12).spec.base
    assert lesson.pixel_size_a >= 4.0
    assert max(lesson.shape) < 1000


def test_pictures_are_stretched_binned_and_the_same_for_a_seed() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(100.0, 3.0, (900, 800)).astype(np.float32)
    seen = set()
    for seed in range(40):
        how = reference_session(seed, 4).presentation
        shown, width = presented(pixels, how, seed)
        assert (shown == presented(pixels, how, seed)[0]).all()
        if not how.picture:
            assert width == 1.0
            continue
        seen.add(how.stretch)
        assert width == pytest.approx(max(1.0, 900 / how.side_px))
        assert max(shown.shape) == pytest.approx(min(900.0, how.side_px), abs=2)
        assert shown.min() >= 0.0
        assert shown.max() <= 255.0
    assert "equalised" in seen


def test_a_session_keeps_measurements_labels_truths_and_pictures(sessions: Path) -> None:
    found = {s.name: s for s in read_reference_sets(sessions)}
    lessons = [f"{LESSON}0004", f"{LESSON}0005"]
    assert sorted(found) == ["simulated_0004", "simulated_0005", *lessons]
    measured = found["simulated_0004"]
    labelled = measured.labelled()
    assert labelled.table.subjects == tuple(t["subject"] for t in measured.truth)
    for truth in measured.truth:
        label = labelled.labels[truth["subject"]]
        assert label.favourable == (truth["verdict"] == "good")
        assert label == visible_label(truth)
    assert len(measured.pictures()) == len(measured.truth)
    assert not (found[f"{LESSON}0004"].folder / "features.parquet").exists()


def test_a_finished_session_is_not_made_again(sessions: Path) -> None:
    before = (sessions / "simulated_0004" / "features.parquet").stat().st_mtime_ns
    make_reference_sessions(sessions, seeds=range(4, 6), micrographs=4, threads=1)
    assert (sessions / "simulated_0004" / "features.parquet").stat().st_mtime_ns == before


def test_packed_reference_has_the_sessions_without_lessons(made: Path, tmp_path: Path) -> None:
    sets = read_labelled_sets(made / "reference")
    assert [s.name for s in sets] == ["simulated_0004", "simulated_0005"]
    counts = pack_reference(made / "sessions", tmp_path)
    assert counts["data_sets"] == 2
    assert counts["good"] + counts["bad"] == sum(len(s.labels) for s in sets)
    for name in ("features.parquet", "labels.csv", "truth.jsonl"):
        assert (tmp_path / name).read_bytes() == (made / "reference" / name).read_bytes()


def test_lessons_and_three_in_ten_sessions_teach_the_network() -> None:
    assert teaches_embedding(f"{LESSON}0007")
    names = [f"simulated_{seed:04d}" for seed in range(30)]
    assert sum(map(teaches_embedding, names)) == 9


def record(**changed: object) -> dict[str, object]:
    """Return a truth of an unsharp micrograph in which little else is wrong."""
    truth: dict[str, object] = {
        "picture": False,
        "verdict": "bad",
        "severities": {"drift": 0.7, "film": 0.2},
        "drift_a": 18.0,
        "pixel_size_a": 2.0,
    }
    return truth | changed


def test_labels_say_what_can_be_seen() -> None:
    label = visible_label(record())
    assert label is not None
    assert (label.favourable, label.weight) == (False, 1.0)
    assert label.defects == {"drift"}
    assert label.doubtful == {"film"}
    # Nine pixels of blur show, less than three do not; a picture never shows any.
    assert visible_label(record(pixel_size_a=6.1)) is None
    assert visible_label(record(picture=True)) is None
    spoilt = visible_label(record(pixel_size_a=6.1, severities={"drift": 0.7, "film": 0.6}))
    assert spoilt is not None
    assert spoilt.defects == {"film"}
    assert spoilt.doubtful == {"drift"}
    grey = visible_label(record(verdict="good", severities={"film": 0.4}))
    assert grey is not None
    assert (grey.favourable, grey.grade, grey.weight) == (True, "decent", 0.3)
    # What cannot be seen spoils no grade.
    fine = visible_label(record(verdict="good", severities={"drift": 0.4}, pixel_size_a=6.1))
    assert fine is not None
    assert (fine.favourable, fine.grade, fine.weight) == (True, "great", 1.0)


def test_the_network_keeps_the_answers_that_were_asked_first() -> None:
    assert questions()[: len(ANSWERS)] == ANSWERS


def test_targets_say_what_is_seen_and_known() -> None:
    truth = {
        "picture": False,
        "severities": {"film": 0.9, "drift": 0.3},
        "mechanisms": {"carbon": 0.9},
        "total_severity": 0.93,
        "defocus_a": 18000.0,
        "ice_thickness_a": 400.0,
        "dose_e_per_a2": 40.0,
        "particles_per_um2": 290.0,
        "usable": 0.8,
        "pixel_size_a": 2.0,
        "drift_a": 7.0,
    }
    told = targets_of([truth, truth | {"picture": True, "total_severity": 0.93}])
    at = {name: i for i, name in enumerate(questions())}
    assert told.yes[0, at["bad"]] > 0.98
    assert told.yes[0, at["film"]] == 1.0
    assert told.yes[0, at["by carbon"]] == 1.0
    assert 0.0 < told.yes[0, at["drift"]] < 0.3
    assert told.yes_known[0, at["drift"]]
    assert not told.yes_known[1, at["drift"]]
    np.testing.assert_allclose(told.numbers[0], 0.0, atol=1e-6)
    assert told.numbers_known[0].all()
    assert told.numbers_known[1].sum() == len(QUANTITIES) - 4


def test_training_is_reproducible_and_runs_without_torch_afterwards(
    sessions: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from cryoverdict.engine.network_training.trainable_network import TrainableNetwork

    for name in ("a", "b"):
        arguments = ["train", "--embedding", str(sessions), "--epochs", "1", "--quiet"]
        assert run([*arguments, "--output", str(tmp_path / name)]) == 0
    content = (tmp_path / "a" / WEIGHTS).read_bytes()
    assert content == (tmp_path / "b" / WEIGHTS).read_bytes()
    assert len(content) < 10_000_000
    card = json.loads((tmp_path / "a" / CARD).read_text())
    assert card["sessions"] == [f"{LESSON}0004", f"{LESSON}0005"]
    assert card["held_out"]["sessions"] == 2
    network = EmbeddingNetwork.of(read_weights(content, "a"), "a")
    assert card["name"] == network.name

    torch.manual_seed(3)
    trainable = TrainableNetwork(len(questions()), len(QUANTITIES))
    for layer in trainable.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    trainable.eval()
    folded = EmbeddingNetwork.of(trainable.folded(), "here")
    for seen in next(read_reference_sets(sessions)).pictures()[:2]:
        field = torch.from_numpy(field_input(seen.field))[None]
        spectrum = torch.from_numpy(spectrum_input(seen.spectrum, seen.nyquist_per_a))[None]
        with torch.inference_mode():
            expected = trainable.embed(field, spectrum)[0].numpy()
        np.testing.assert_allclose(folded.embedding(seen), expected, atol=2e-4)
