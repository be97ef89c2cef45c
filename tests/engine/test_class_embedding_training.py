"""The network of class averages from simulated classifications to weights and models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from cryoverdict.cwl.cli import run
from cryoverdict.engine.class_selection import simulated_classes
from cryoverdict.engine.class_selection.class_labels import presented
from cryoverdict.engine.class_selection.class_truth import ClassTruth
from cryoverdict.engine.class_selection.pick_session import (
    FIRST_LESSON,
    LESSON_PICKS,
    PickSession,
    random_session,
)
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.network_training.class_network_training import (
    QUANTITIES,
    averages_of_nothing,
    targets_of_classes,
    varied_averages,
)
from cryoverdict.engine.network_training.trainable_class_network import TrainableClassNetwork
from cryoverdict.engine.training import training
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import Parts, train_favourable
from cryoverdict.features.class_embedding import (
    ANSWERS,
    CARD,
    WEIGHTS,
    ClassNetwork,
    network_input,
    weight_shapes,
)
from cryoverdict.features.class_families import class_features
from cryoverdict.features.class_view import prepare_classes
from cryoverdict.features.table import FeatureTable
from cryoverdict.features.weights_file import read_weights
from cryoverdict.rules.rule_loader import load_rules


def tiny(seed: int) -> PickSession:
    return replace(random_session(seed), count=60, box=32, classes=3, iterations=2, ctf_error_a=0.0)


def test_lessons_are_small_and_others_as_they_were() -> None:
    lesson, session = random_session(FIRST_LESSON + 3), random_session(3)
    assert lesson.count == LESSON_PICKS < session.count
    assert lesson.classes < session.classes
    assert lesson.diameter_a != session.diameter_a


def test_training_by_command_gives_the_same_bytes_for_the_same_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated_classes, "random_session", tiny)
    arguments = ["train-classes", "--embedding", "--simulated", "2", "--epochs", "1", "--quiet"]
    arguments += ["--threads", "1", "--output", str(tmp_path)]
    contents = []
    for seed in ("0", "0", "1"):
        assert run([*arguments, "--seed", seed]) == 0
        contents.append((tmp_path / WEIGHTS).read_bytes())
    assert contents[0] == contents[1] != contents[2]
    card = json.loads((tmp_path / CARD).read_text())
    first, second = (f"simulated_{FIRST_LESSON + i}" for i in (1, 2))
    assert card["held_out"]["lessons"] == [first]
    assert card["lessons"] == [second]
    assert card["name"] == ClassNetwork.of(read_weights(contents[2], "w"), "w").name
    shown = list(presented(tmp_path / "lessons" / second))
    assert [p.presentation for p in shown] == ["run", "pictures", "unregularised"]
    assert set(shown[0].labels) == set(shown[0].truths)


def test_command_refuses_selections_beside_the_embedding(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    arguments = ["train-classes", str(tmp_path / "job"), "--embedding", "--simulated", "2"]
    assert run([*arguments, "--quiet", "--output", str(tmp_path / "o")]) == 2


def test_numpy_says_what_torch_learnt() -> None:
    torch.manual_seed(3)
    trainable = TrainableClassNetwork(len(QUANTITIES))
    for layer in trainable.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    trainable.eval()
    network = ClassNetwork.of(trainable.folded(), "here")
    polar = np.random.default_rng(0).standard_normal((30, 64)).astype(np.float32)
    shown = network_input(polar)
    views = [np.roll(v, t, axis=1) for v in (shown, shown[:, ::-1]) for t in range(8)]
    with torch.inference_mode():
        answers = trainable(torch.from_numpy(np.stack(views)))[0].mean(dim=0).numpy()
    said = network.weights["answers.matrix"] @ network.embedding(polar)
    np.testing.assert_allclose(said + network.weights["answers.bias"], answers, atol=1e-4)


def test_variation_turns_mirrors_and_keeps_what_is_shown() -> None:
    picture = np.random.default_rng(0).standard_normal((1, 1, 64, 30)).astype(np.float32)
    varied = varied_averages(np.repeat(picture, 40, axis=0), np.random.default_rng(1)).numpy()
    spread = varied.std(axis=(1, 2, 3)) / picture.std()
    assert 0.7 < spread.min() < 0.95 < 1.05 < spread.max() < 1.5
    turned = {tuple(np.argsort(one[0, :, 5])[-1:]) for one in varied}
    assert len(turned) > 15


def test_averages_of_nothing_are_masked_noise_of_many_grains() -> None:
    made = averages_of_nothing(12, np.random.default_rng(0))
    views = prepare_classes(made)
    assert all(view.native_radius_px == pytest.approx(24.0, abs=1.0) for view in views)
    alike = [
        float(np.corrcoef(v.pixels[20:60, 20:59].ravel(), v.pixels[20:60, 21:60].ravel())[0, 1])
        for v in views
    ]
    assert min(alike) < 0.8
    assert max(alike) > 0.97
    again = averages_of_nothing(12, np.random.default_rng(0))
    for one, other in zip(made.averages, again.averages, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_answers_are_the_labels_and_doubt_is_not_known() -> None:
    truth = ClassTruth(
        number=1, counts=(4, 6), aligned=4, agreement=0.8, likeness=0.7, fine_likeness=0.4
    )
    label = Label(favourable=False, defects=frozenset({"ice"}), doubtful=frozenset({"edge"}))
    told = targets_of_classes([truth], [label])
    at = {name: i for i, name in enumerate(ANSWERS)}
    assert told.yes[0, [at["junk"], at["ice"], at["empty"]]].tolist() == [1.0, 1.0, 0.0]
    assert told.yes_known[0].sum() == len(ANSWERS) - 1
    assert not told.yes_known[0, at["edge"]]
    expected = {"good_share": 0.0, "true_share": -2 / 3, "agreement": 1.0, "likeness": 0.0}
    for j, name in enumerate(QUANTITIES):
        assert told.numbers[0, j] == pytest.approx(expected.get(name, 0.0), abs=1e-6)
    assert set(ANSWERS[1:]) < set(SELECT_CLASSES.defects)


def labelled(seed: int, network: ClassNetwork) -> LabelledSet:
    """Return classes of which only the embedding, along the answer junk, tells good from bad."""
    rng = np.random.default_rng(seed)
    features, rows = class_features(), 20
    good = rng.random(rows) < 0.5
    along = network.answers["junk"] / np.linalg.norm(network.answers["junk"])
    seen = rng.normal(0.0, 1.0, (rows, len(along))) + np.where(good, -3.0, 3.0)[:, None] * along
    subjects = tuple(f"{seed}/{i}" for i in range(rows))
    table = FeatureTable(
        subjects=subjects,
        features=tuple(f.name for f in features),
        units={f.name: f.unit for f in features},
        values=rng.normal(0.0, 1.0, (rows, len(features))),
        absent={},
        embeddings={network.name: seen.astype(np.float32)},
    )
    labels = {s: Label(favourable=bool(g)) for s, g in zip(subjects, good, strict=True)}
    return LabelledSet(name=f"run_{seed}", table=table, labels=labels)


def test_a_model_learns_from_embeddings_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weights = {n: rng.normal(size=s).astype(np.float32) for n, s in weight_shapes().items()}
    network = ClassNetwork.of(weights, "here")
    monkeypatch.setattr(training, "installed_class_network", lambda: network)
    rules = load_rules(SELECT_CLASSES.id, [], features=SELECT_CLASSES.units())
    model = train_favourable(
        SELECT_CLASSES,
        replace(rules, rules=()),
        [labelled(seed, network) for seed in range(8)],
        recipe=Recipe(rounds=10),
        parts=Parts(),
    )
    assert model.basis is not None
    assert model.basis.answers == tuple(f"embedding_{name}" for name in ANSWERS)
    unseen = labelled(50, network)
    said = model.favourable_odds(unseen.table)
    good = np.array([unseen.labels[s].favourable for s in unseen.table.subjects])
    assert ((said > 0) == good).mean() > 0.9
    back = KindModel.from_text(model.text(), "here")
    np.testing.assert_array_equal(back.favourable_odds(unseen.table), said)
    without = back.favourable_odds(replace(unseen.table, embeddings={}))
    assert np.abs(without).max() < np.abs(said).max()
