"""Parts and wholes, sizes that lead astray, and how many micrographs are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.picking import size_search
from cryoverdict.engine.picking.discoveries import discoveries
from cryoverdict.engine.picking.mean_shape import Body
from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.sample import sample, sample_for
from cryoverdict.engine.picking.size_search import (
    Size,
    best_size,
    confirmed,
    gathered,
    middle_size,
    profile_of,
    sizes_looked_for,
)
from cryoverdict.engine.picking.trial import Trial, trial
from tests.engine.picking.painted import painted

SIDE = 480
PART_A, RING_PX = 66.0, 18.0
CENTRES = np.array([(y, x) for y in (70, 190, 300, 410) for x in (80, 185, 305, 400)], float)
_Double = NDArray[np.float64]


def _cage(centre: _Double) -> _Double:
    """Return the places of eight parts on a ring."""
    turns = np.arange(8) * 0.25 * np.pi + centre[0]
    return np.asarray(centre + RING_PX * np.stack((np.sin(turns), np.cos(turns)), axis=1))


def _scattered() -> _Double:
    """Return as many places anywhere, apart from each other."""
    steps = np.linspace(20.0, SIDE - 20.0, 11)
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(places + np.random.default_rng(3).uniform(-9.0, 9.0, places.shape))


def _size(images: list[PickingImage], start: Profile, diameter_a: float) -> Size:
    """Return the size that a start leads to."""
    size = confirmed(images, start, diameter_a, seed=0)
    assert size is not None
    return size


def test_a_cage_is_the_whole_of_its_parts() -> None:
    places = np.concatenate([_cage(c) for c in CENTRES])
    cages = [painted(places, side=SIDE, height=2.0, diameter_a=PART_A, seed=s) for s in range(2)]
    part = _size(cages, Profile(diameter_a=PART_A), PART_A)
    whole = _size(cages, Profile(diameter_a=280.0, inside=0.6), 280.0)
    assert part.diameter_a == pytest.approx(PART_A, rel=0.2)
    assert whole.diameter_a > 3.0 * part.diameter_a
    assert gathered(cages, part, whole, 0) > 0.85
    assert part.made.evidence > whole.made.evidence
    assert best_size(cages, [part, whole], None, 0) is whole


def test_parts_that_lie_anywhere_are_gathered_in_nothing() -> None:
    single = [painted(_scattered(), side=SIDE, height=2.0, diameter_a=PART_A, seed=4)]
    part = _size(single, Profile(diameter_a=PART_A), PART_A)
    wide = part.body.scaled(3.5)
    whole = Size(body=wide, made=trial(single, (profile_of(wide),), wide.diameter_a, 0))
    assert gathered(single, part, whole, 0) < 0.4


def test_finds_of_another_size_confirm_none(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [painted(_scattered(), side=SIDE, height=2.0, diameter_a=PART_A, seed=4)]

    def ever_smaller(made: Trial) -> Body:
        return Body(outer_a=0.7 * made.diameter_a, inside=0.0, rim=0.04, amplitude=1.0, misfit=0.0)

    monkeypatch.setattr(size_search, "learned_body", ever_smaller)
    assert confirmed(images, Profile(diameter_a=PART_A), PART_A, seed=0, rounds=2) is None


def test_sizes_that_nothing_speaks_for_have_no_middle() -> None:
    image = painted(np.zeros((0, 2)), side=200)
    made = trial([image], (Profile(diameter_a=100.0),), 100.0, 0)
    chance = replace(made, seen=discoveries(np.full(3, 2.0), np.full(9, 3.0)))
    sizes = [
        Size(body=Body(outer_a=outer, inside=0.0, rim=0.04, amplitude=1.0, misfit=0.0), made=chance)
        for outer in (100.0, 130.0)
    ]
    assert chance.evidence == 0.0
    assert middle_size([image], sizes, sizes[0], 0) is sizes[0]


def test_more_micrographs_are_asked_of_what_a_field_holds_few_of() -> None:
    image = painted(np.zeros((0, 2)), side=64)  # 384 Å wide
    images = [image] * 40
    assert len(sample(images, 7)) == 7
    assert len(sample_for(images, 20.0)) == 4
    assert len(sample_for(images, 60.0)) == 12  # 470 · 60² / 384²
    assert len(sample_for(images, 60.0, fewest=20)) == 20
    assert len(sample_for(images, 200.0)) == 40


def test_sizes_up_to_a_third_of_the_field_are_looked_for() -> None:
    image = painted(np.zeros((0, 2)), side=300)  # 1800 Å wide
    assert sizes_looked_for([image])[-1] == pytest.approx(600.0)
