"""Simulated picks and their truth after a real classification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from cryoverdict.engine.class_selection import simulated_classes
from cryoverdict.engine.class_selection.class_labels import labelled_sets
from cryoverdict.engine.class_selection.pick_session import KINDS, PickSession, random_session
from cryoverdict.engine.class_selection.random_shape import random_assembly
from cryoverdict.engine.class_selection.simulated_classes import (
    CLASS_TRUTH,
    PARTICLE_TRUTH,
    read_class_truths,
    simulated_classifications,
)
from cryoverdict.engine.class_selection.simulated_picks import simulated_picks
from cryoverdict.features.input_error import InputError


def small(seed: int) -> PickSession:
    session = random_session(seed)
    return replace(
        session,
        count=160,
        box=40,
        pixel_size_a=session.diameter_a * 1.6 / 40,
        mask_diameter_a=session.diameter_a * 1.15,
        contrast=3.0,
        classes=4,
        iterations=6,
        ctf_error_a=0.0,
        junk=(0.2, *([0.0] * 7), 0.1),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    patch.setattr(simulated_classes, "random_session", small)
    made = simulated_classifications(
        tmp_path_factory.mktemp("sim"), seeds=range(3, 4), threads=1, tick=lambda _: None
    )
    patch.undo()
    return made[0]


def test_a_session_is_the_same_for_the_same_seed_only() -> None:
    a, b, c = random_session(5), random_session(5), random_session(6)
    assert np.array_equal(a.species[0].positions_a, b.species[0].positions_a)
    assert (a.count, a.contrast, a.junk) == (b.count, b.contrast, b.junk)
    assert a.contrast != c.contrast


def test_sessions_differ_in_what_matters() -> None:
    sessions = [random_session(seed) for seed in range(30)]
    assert np.ptp([s.diameter_a for s in sessions]) > 120
    assert max(sum(s.junk) for s in sessions) > 0.5 > 0.2 > min(sum(s.junk) for s in sessions)
    assert len({s.prior_strength for s in sessions}) == 4
    for s in sessions:
        assert s.mask_diameter_a < s.box * s.pixel_size_a
        assert len(s.junk) == len(KINDS) - 1


def test_pictures_hold_what_their_truth_says() -> None:
    session = replace(small(2), contrast=20.0, crowding=0.0, junk=(0.3, *([0.0] * 8)))
    picks = simulated_picks(session)
    nothing = picks.clean[picks.kind == KINDS.index("empty")]
    something = picks.clean[picks.kind == 0]
    assert np.abs(nothing).max() == 0.0
    assert something.std(axis=(1, 2)).min() > 0.1
    assert 0.15 < (picks.kind == KINDS.index("empty")).mean() < 0.45
    assert picks.images.std(axis=(1, 2)).min() > 0.5
    assert np.array_equal(picks.images, simulated_picks(session).images)


def test_an_assembly_is_within_its_size() -> None:
    for seed in range(6):
        model = random_assembly(np.random.default_rng(seed))
        assert 55 < model.diameter_a < 340
        assert len(model.positions_a) > 20


def test_a_classification_stands_beside_its_truth(folder: Path) -> None:
    truths = read_class_truths(folder)
    assert len(truths) == 4
    assert sum(t.members for t in truths) == 160
    assert not (folder / "particles.mrcs").exists()
    assert len((folder / PARTICLE_TRUTH).read_text().splitlines()) == 161
    # Strong particles come together: the best class is nearly pure and well aligned.
    best = max(truths, key=lambda t: t.good_share)
    assert best.true_share > 0.8
    assert best.good_share > 0.5
    (folder / CLASS_TRUTH).with_suffix(".bad").write_text("number\nx\n")
    with pytest.raises(InputError, match="accepted is the truth"):
        read_class_truths(folder / "nowhere")


def test_one_classification_makes_three_labelled_sets(folder: Path) -> None:
    sets = labelled_sets(folder)
    assert [next(iter(s.labels)).split("/")[1] for s in sets] == [
        "run",
        "pictures",
        "unregularised",
    ]
    assert {s.name for s in sets} == {folder.name}
    members = sum(t.members > 0 for t in read_class_truths(folder))
    assert [len(s.labels) for s in sets] == [members] * 3
    assert np.isnan(sets[1].table.column("particle_number")).all()
    assert np.isfinite(sets[0].table.column("particle_number")).all()
