"""2D classification end to end: species apart, no collapse, places right, the same by seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification import classifier, schedule  # noqa: E402
from cryoverdict.engine.classification.classification import (  # noqa: E402
    Classification,
    IterationReport,
)
from cryoverdict.engine.classification.classifier import classify  # noqa: E402
from cryoverdict.engine.classification.parameters import ClassificationParameters  # noqa: E402
from cryoverdict.engine.classification.particle_stack import open_stack  # noqa: E402
from cryoverdict.engine.classification.polar import HELD_BACK  # noqa: E402
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    JUNK,
    SimulatedParticles,
    simulated_particles,
    write_particles,
)
from cryoverdict.engine.engine_error import EngineError  # noqa: E402

torch.set_num_threads(1)  # small work: a second thread only waits
SETTINGS = ClassificationParameters(
    classes=10, mask_diameter_a=190.0, resolution_limit_a=18.0, iterations=15
)


@pytest.fixture(scope="module")
def truth() -> SimulatedParticles:
    return simulated_particles(
        seed=5,
        count=500,
        species=("barrel", "nucleosome"),
        junk_share=0.25,
        contrast=1.5,
        box=40,
        pixel_size_a=5.6,
        shift_sigma_px=1.2,
    )


@pytest.fixture(scope="module")
def star(truth: SimulatedParticles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_particles(truth, tmp_path_factory.mktemp("particles"))


@pytest.fixture(scope="module")
def found(star: Path) -> Classification:
    return classify(open_stack(star), SETTINGS, seed=1, device="cpu")


def purity(species: np.ndarray, number: np.ndarray) -> float:
    """Return the share of particles whose class is mostly of their own kind."""
    same = sum(np.bincount(species[number == k] + 1).max() for k in np.unique(number))
    return float(same / len(species))


def test_species_and_junk_fall_into_different_classes(
    truth: SimulatedParticles, found: Classification
) -> None:
    assert purity(truth.species, found.number) > 0.85  # 0.38 if all were one class
    for kind in (JUNK, 0, 1):
        classes = np.unique(found.number[truth.species == kind], return_counts=True)[1]
        assert (classes >= 10).sum() >= 2, "a kind of particle has collapsed into one class"


def test_the_number_of_threads_leaves_no_trace(star: Path, found: Classification) -> None:
    again = classify(open_stack(star), SETTINGS, seed=1, device="cpu", threads=3)
    assert np.array_equal(again.averages, found.averages)
    assert np.array_equal(again.turn_deg, found.turn_deg)
    assert again.history == found.history


def test_no_class_swallows_the_others(found: Classification) -> None:
    sizes = np.bincount(found.number, minlength=10)
    assert sizes.max() < 0.4 * sizes.sum()
    assert (sizes > 0).sum() >= 9


def test_turns_and_shifts_bring_particles_onto_their_average(
    truth: SimulatedParticles, found: Classification
) -> None:
    from scipy.ndimage import affine_transform

    agreement: list[float] = []
    chance: list[float] = []
    for k in range(10):
        members = np.flatnonzero((found.number == k) & (truth.species == 0))
        if len(members) < 15:
            continue
        for turns, out in ((found.turn_deg, agreement), (found.turn_deg[::-1], chance)):
            aligned = []
            for i in members:
                angle = np.radians(turns[i])
                c, s = np.cos(angle), np.sin(angle)
                turn = np.array([[c, s], [-s, c]])  # of (row, column) offsets
                aligned.append(
                    affine_transform(truth.clean[i], turn, 20 - turn @ (20, 20), order=1)
                )
            flat = np.array(aligned).reshape(len(members), -1)
            flat -= flat.mean(axis=1, keepdims=True)
            out.append((flat.mean(axis=0) ** 2).sum() / (flat**2).sum(axis=1).mean())
    assert np.mean(agreement) > 0.75
    assert np.mean(agreement) > np.mean(chance) + 0.1


def test_the_outcome_adds_up(found: Classification) -> None:
    assert sum(c.share for c in found.classes) == pytest.approx(1.0, abs=1e-4)
    assert found.probability.sum(axis=1).astype(float) == pytest.approx(1.0, abs=5e-3)
    assert np.array_equal(found.probability.argmax(axis=1), found.number)
    assert len(found.history) == SETTINGS.iterations
    assert found.history[-1].alive == 10
    best = min(c.resolution_a for c in found.classes if c.resolution_a is not None)
    assert 16.0 < best < 40.0
    assert found.history[-1].compared_a == pytest.approx(1 / found.frequencies[-1 - HELD_BACK])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(star: Path) -> None:
    short = replace(SETTINGS, iterations=3)
    one, same, other = (classify(open_stack(star), short, seed=s, device="cpu") for s in (7, 7, 8))
    assert one.averages.tobytes() == same.averages.tobytes()
    assert np.array_equal(one.number, same.number)
    assert not np.array_equal(one.number, other.number)


def test_particles_read_anew_each_time_give_the_same_classes(star: Path) -> None:
    short = replace(SETTINGS, iterations=3)
    kept = classify(open_stack(star), short, seed=7, device="cpu")
    streamed = classify(open_stack(star), replace(short, resident_mib=0), seed=7, device="cpu")
    assert (kept.number == streamed.number).mean() > 0.98


def test_grey_values_do_not_matter(star: Path, tmp_path: Path, truth: SimulatedParticles) -> None:
    short = replace(SETTINGS, iterations=3)
    scaled = replace(truth, images=truth.images * 40.0 + 1000.0)
    one = classify(open_stack(star), short, seed=7, device="cpu")
    other = classify(open_stack(write_particles(scaled, tmp_path)), short, seed=7, device="cpu")
    assert (one.number == other.number).mean() > 0.98


def test_large_sets_begin_with_subsets_and_end_whole(star: Path) -> None:
    stages = schedule.schedule(
        parameters=replace(SETTINGS, iterations=20, subset_per_class=200),
        particles=50_000,
        box_a=224.0,
        rings=12,
        pixel_size_a=5.6,
    )
    assert stages[0].particles == 2000
    assert [s.particles for s in stages] == sorted(s.particles for s in stages)
    assert all(s.particles == 50_000 and s.step == 1.0 for s in stages[12:])
    assert sum(s.particles for s in stages) < 0.6 * 20 * 50_000
    assert stages[0].rings < stages[-1].rings == 12
    assert stages[0].flatness == 1.0
    assert stages[-1].flatness == 0.0


def test_a_run_over_subsets_sorts_all_particles(
    star: Path, truth: SimulatedParticles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_subsets(**given: Any) -> tuple[schedule.Stage, ...]:
        whole = schedule.schedule(**given)
        first = [
            replace(stage, particles=200, step=0.5 if i else 1.0)
            for i, stage in enumerate(whole[:9])
        ]
        return (*first, *whole[9:])

    monkeypatch.setattr(classifier, "schedule", of_subsets)
    found = classify(open_stack(star), SETTINGS, seed=1, device="cpu")
    assert (found.number >= 0).all()
    assert purity(truth.species, found.number) > 0.8


def test_too_few_particles_are_refused_with_the_number_that_would_do(star: Path) -> None:
    with pytest.raises(
        EngineError, match="500 particles for 300 classes; accepted are at most 250"
    ):
        classify(open_stack(star), replace(SETTINGS, classes=300), device="cpu")


def test_all_absurd_settings_are_named_at_once() -> None:
    with pytest.raises(EngineError, match=r"classes is 0.*mask_diameter_a is nan"):
        ClassificationParameters(classes=0, mask_diameter_a=float("nan"))


def test_progress_is_told_each_iteration(star: Path) -> None:
    told: list[IterationReport] = []
    classify(open_stack(star), replace(SETTINGS, iterations=2), device="cpu", progress=told.append)
    assert [(r.number, r.total, r.particles) for r in told] == [(1, 2, 500), (2, 2, 500)]
    assert told[0].changed is None
    assert told[1].changed is not None


def test_the_most_probable_of_several_beginnings_is_carried_on(star: Path) -> None:
    told: list[IterationReport] = []
    settings = replace(SETTINGS, iterations=14)
    found = classify(open_stack(star), settings, seed=2, device="cpu", progress=told.append)
    tried = {r.start: r.log_evidence for r in told if r.number == schedule.FIRST_MOVE}
    assert sorted(tried) == [1, 2, 3]
    best = max(tried, key=lambda start: tried[start])
    assert {r.start for r in found.history} == {best}
    assert [r.number for r in found.history] == list(range(1, 15))
