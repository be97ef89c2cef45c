"""Learning from particles of known truth: what it learns, refuses and writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification.classifier import classify  # noqa: E402
from cryoverdict.engine.classification.parameters import ClassificationParameters  # noqa: E402
from cryoverdict.engine.classification.particle_lists import read_particle_lists  # noqa: E402
from cryoverdict.engine.classification.particle_stack import open_stack  # noqa: E402
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    JUNK,
    simulated_particles,
    write_particles,
)
from cryoverdict.engine.decision import Decision  # noqa: E402
from cryoverdict.engine.engine_error import EngineError  # noqa: E402
from cryoverdict.engine.learning import finished_run, particle_network  # noqa: E402
from cryoverdict.engine.learning.classifying import sort_particles  # noqa: E402
from cryoverdict.engine.learning.confirming import confirm  # noqa: E402
from cryoverdict.engine.learning.finished_run import (  # noqa: E402
    PlacedClasses,
    read_finished_runs,
)
from cryoverdict.engine.learning.frozen_particles import read_frozen, write_frozen  # noqa: E402
from cryoverdict.engine.learning.guard_decision import judge_learning  # noqa: E402
from cryoverdict.engine.learning.guards import (  # noqa: E402
    change_of_shares,
    largest_view_share,
    lesson_facts,
    training_facts,
)
from cryoverdict.engine.learning.learnt_model import (  # noqa: E402
    LearntModel,
    read_learnt_model,
)
from cryoverdict.engine.learning.learnt_references import LearntReferences  # noqa: E402
from cryoverdict.engine.learning.model_record import model_digest  # noqa: E402
from cryoverdict.engine.learning.particle_lesson import (  # noqa: E402
    ParticleLesson,
    nearest_particles,
    resampled,
)
from cryoverdict.engine.learning.particle_training import (  # noqa: E402
    TrainedClassifier,
    train_particles,
)
from cryoverdict.engine.learning.sorted_files import write_sorted  # noqa: E402
from cryoverdict.engine.training.quality import area_under_roc  # noqa: E402
from cryoverdict.features.star import StarTable, read_star, write_star  # noqa: E402

SETTINGS = ClassificationParameters(
    classes=6, mask_diameter_a=190.0, resolution_limit_a=18.0, iterations=8, starts=1
)
COUNT, MICROGRAPHS = 600, 15


@pytest.fixture(scope="module", autouse=True)
def brief_training() -> object:
    """Let the networks see a tenth of what they usually do."""
    patch = pytest.MonkeyPatch()
    patch.setattr(particle_network, "SEEN", 2400)
    torch.set_num_threads(1)
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> ParticleLesson:
    truth = simulated_particles(
        seed=11,
        count=COUNT,
        species=("barrel",),
        junk_share=0.35,
        contrast=1.5,
        box=40,
        pixel_size_a=5.6,
        shift_sigma_px=1.0,
    )
    good = truth.species != JUNK
    rng = np.random.default_rng(2)
    micrograph = np.array([f"m{i % MICROGRAPHS:02}.mrc" for i in range(COUNT)])
    xy, score = rng.uniform(0, 4000, (COUNT, 2)), rng.normal(0, 1, COUNT) + good
    star = write_particles(truth, tmp_path_factory.mktemp("lesson"))
    blocks = read_star(star)
    told = {
        "rlnMicrographName": micrograph,
        "rlnCoordinateX": xy[:, 0],
        "rlnCoordinateY": xy[:, 1],
        "rlnAutopickFigureOfMerit": score,
    }
    table = blocks["particles"]
    old = [i for i, label in enumerate(table.columns) if label not in told]
    rows = tuple(
        (*(row[j] for j in old), *(str(values[i]) for values in told.values()))
        for i, row in enumerate(table.rows)
    )
    columns = (*(table.columns[j] for j in old), *told)
    write_star(star, {**blocks, "particles": StarTable(columns=columns, rows=rows)})
    stack = open_stack(star)
    found = classify(stack, SETTINGS, seed=1, device="cpu")
    share = [good[found.number == k].mean() if (found.number == k).any() else 0 for k in range(6)]
    good_class = np.array(share) > 0.65
    return ParticleLesson(
        stack=stack,
        micrograph=micrograph,
        run=np.full(COUNT, "run"),
        xy_px=xy,
        score=score,
        good=good,
        weight=np.ones(COUNT),
        number=np.where(good == good_class[found.number], found.number, -1).astype(np.int64),
        averages=found.averages,
        good_class=good_class,
        diameter_px=100.0,
    )


@pytest.fixture(scope="module")
def trained(lesson: ParticleLesson) -> TrainedClassifier:
    return train_particles(lesson, SETTINGS, seed=0, threads=1)


@pytest.fixture(scope="module")
def model_folder(
    lesson: ParticleLesson, trained: TrainedClassifier, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("model")
    card = {"diameter_px": lesson.diameter_px, "yields": None}
    write_frozen(folder, lesson, trained.kept_back)
    LearntModel(eyes=trained.eyes, particles=trained.model, yields=None, card=card).write(folder)
    return folder


def gates(decision: Decision) -> tuple[str, ...]:
    return decision.explanation.gates


def test_it_learns_what_is_good_beyond_the_pickers_score(
    lesson: ParticleLesson, trained: TrainedClassifier
) -> None:
    back = trained.kept_back
    assert len(np.unique(lesson.micrograph[back])) == MICROGRAPHS // 5
    area = area_under_roc(trained.held_out[back], lesson.good[back])
    assert area > 0.93
    assert area > area_under_roc(lesson.score[back], lesson.good[back]) + 0.05
    facts = training_facts(lesson, trained, None)
    assert gates(judge_learning("run", facts, (), {})) == ()


def test_thresholds_hold_their_recall(lesson: ParticleLesson, trained: TrainedClassifier) -> None:
    taught = lesson.good & ~trained.kept_back
    for recall in (0.8, 0.95, 1.0):
        kept = trained.held_out[taught] >= trained.model.threshold(recall)
        assert kept.mean() == pytest.approx(recall, abs=0.01)
    with pytest.raises(EngineError, match=r"recall of 0\.3"):
        trained.model.threshold(0.3)


def test_poisoned_labels_are_refused(lesson: ParticleLesson) -> None:
    rng = np.random.default_rng(7)
    poisoned = replace(lesson, good=rng.permutation(lesson.good))
    found = train_particles(poisoned, SETTINGS, seed=0, threads=1)
    decision = judge_learning("run", training_facts(poisoned, found, None), (), {})
    assert decision.outcome == "refuse"
    assert "learning-labels-say-nothing" in gates(decision)


def test_too_few_are_refused_before_anything_is_trained(lesson: ParticleLesson) -> None:
    few = np.flatnonzero(lesson.micrograph < "m04.mrc")
    small = replace(lesson, micrograph=lesson.micrograph[few], good=lesson.good[few])
    decision = judge_learning("run", lesson_facts(small), (), {})
    assert decision.outcome == "refuse"
    assert set(gates(decision)) == {"learning-few-micrographs", "learning-few-particles"}


def references_of(averages: np.ndarray, members: list[float]) -> LearntReferences:
    return LearntReferences(
        averages=averages.astype(np.complex64),
        variance=np.zeros(averages.shape[:2], np.float32),
        members=np.array(members, np.float32),
        good=np.ones(len(averages), bool),
        noise=np.ones(averages.shape[1], np.float32),
        number=np.arange(1, len(averages) + 1),
    )


def test_one_view_turned_is_one_view_and_is_refused(
    lesson: ParticleLesson, trained: TrainedClassifier
) -> None:
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(2, 10, 17)) + 1j * rng.normal(size=(2, 10, 17))
    one[:, 0], other[:, 0] = 0.1, 0.1
    turned = one * np.exp(1j * 0.7 * np.arange(17))
    single = references_of(np.stack([one, turned]), [60.0, 40.0])
    several = references_of(np.stack([one, turned, other]), [30.0, 30.0, 40.0])
    assert largest_view_share(single) == pytest.approx(1.0)
    assert largest_view_share(several) == pytest.approx(0.6)
    eyes = replace(trained.eyes, references=single)
    facts = training_facts(lesson, replace(trained, eyes=eyes), None)
    assert gates(judge_learning("run", facts, (), {})) == ("learning-single-view",)


def test_worse_than_the_model_before_is_refused(
    lesson: ParticleLesson, trained: TrainedClassifier, model_folder: Path
) -> None:
    facts = training_facts(lesson, trained, 0.05)
    assert gates(judge_learning("run", facts, (), {})) == ("learning-worse-than-before",)
    frozen, model = read_frozen(model_folder), read_learnt_model(model_folder)
    back = np.flatnonzero(trained.kept_back)
    order = back[np.argsort(lesson.micrograph[back], kind="stable")]
    np.testing.assert_array_equal(frozen.good, lesson.good[order])
    said = frozen.log_odds(model.eyes, model.particles)
    np.testing.assert_allclose(said, trained.held_out[order], atol=1e-3)


def test_a_model_reads_back_and_says_the_same(
    lesson: ParticleLesson, trained: TrainedClassifier, model_folder: Path, tmp_path: Path
) -> None:
    model = read_learnt_model(model_folder)
    model.write(tmp_path)
    assert model_digest(tmp_path) == model_digest(model_folder)
    lists = read_particle_lists([lesson.stack.source])
    given = LearntModel(eyes=trained.eyes, particles=trained.model, yields=None, card=model.card)
    said = [
        sort_particles(lists, m, "", recall=0.95, threads=t).log_odds
        for m, t in ((given, 1), (model, 2))
    ]
    np.testing.assert_allclose(said[0], said[1], atol=1e-4)
    (tmp_path / "model.json").write_text('{"format": 99}')
    with pytest.raises(EngineError, match="format 99"):
        read_learnt_model(tmp_path)


def test_sorted_particles_are_accounted_for_and_confirmed(
    lesson: ParticleLesson, model_folder: Path, tmp_path: Path
) -> None:
    lists = read_particle_lists([lesson.stack.source])
    model = read_learnt_model(model_folder)
    found = sort_particles(lists, model, "d", recall=0.95, threads=1)
    assert found.kept[lesson.good].mean() > 0.85
    assert found.kept[~lesson.good].mean() < 0.3
    output = tmp_path / "sorted"
    output.mkdir()
    ledger = write_sorted(found, output, sample=100, seed=0)
    assert ledger.bins == {
        "kept": int(found.kept.sum()),
        "rejected": int((~found.kept).sum()),
        "error": 0,
    }
    good = read_star(output / "particles_good.star")["particles"]
    names = np.array(lists.names)
    assert good.column("rlnImageName") == tuple(names[found.kept])
    told = np.array(good.column("cryoverdictGoodProbability"), float)
    np.testing.assert_allclose(told, found.probability[found.kept], atol=1e-6)
    sample = read_star(output / "sample" / "particles.star")["particles"]
    assert len(sample.rows) == 100
    # 2D classification selects what the model kept, then the other half.
    kept = np.array(sample.column("cryoverdictLearntKeep")) == "1"
    for chosen, outcome in ((kept, "use"), (~kept, "refuse")):
        rows = tuple(r for r, c in zip(sample.rows, chosen, strict=True) if c)
        selected = tmp_path / f"selected_{outcome}"
        selected.mkdir()
        write_star(selected / "particles_good.star", {"particles": replace(sample, rows=rows)})
        (tmp_path / outcome).mkdir()
        judged = confirm(output, selected, tmp_path / outcome)
        assert judged.decision.outcome == outcome
        assert judged.count == 100
    write_star(selected / "particles_good.star", {"particles": good})
    with pytest.raises(EngineError, match="not of the sample"):
        confirm(output, selected, tmp_path / "refuse")


def test_each_particle_is_named_by_one_neighbour_at_most() -> None:
    others = PlacedClasses(
        micrograph=("a", "a", "b"),
        xy_px=np.array([[10.0, 10.0], [50.0, 10.0], [10.0, 10.0]]),
        number=np.arange(3),
        averages=np.zeros((3, 2, 2), np.float32),
    )
    places = np.array([[14.0, 10.0], [11.0, 10.0], [70.0, 10.0], [10.0, 10.0]])
    found = nearest_particles(np.array(["a", "a", "a", "c"]), places, others, 10.0)
    np.testing.assert_array_equal(found, [-1, 0, -1, -1])


def test_shares_that_change() -> None:
    one, other = np.array([1, 1, 2, 2]), np.array([1, 1, 1, 2])
    assert change_of_shares(one, one) == 0.0
    assert change_of_shares(one, other) == pytest.approx(0.25)


def test_averages_of_another_run_are_brought_to_the_size_of_the_first() -> None:
    y, x = np.mgrid[:60, :60]
    blob = np.exp(-((y - 36.0) ** 2 + (x - 27.0) ** 2) / 50.0).astype(np.float32)
    made = resampled(blob[None], 3.0, 2.0, 80)
    # Six pixels below and three left of the centre, at pixels two thirds as large.
    y, x = np.mgrid[:80, :80]
    expected = np.exp(-((y - 49.0) ** 2 + (x - 35.5) ** 2) / 112.5)
    np.testing.assert_allclose(made[0], expected, atol=0.002)
    np.testing.assert_array_equal(resampled(blob[None], 3.0, 3.0, 60)[0], blob)


def test_runs_that_share_a_folder_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_run, "read_finished_run", lambda folder, name: (folder, name))
    one, other = tmp_path / "a" / "first", tmp_path / "b" / "first"
    both: object = read_finished_runs([one, other, one])
    assert both == [(one, "a/first"), (other, "b/first")]
    single: object = read_finished_runs([one])
    assert single == [(one, "first")]
