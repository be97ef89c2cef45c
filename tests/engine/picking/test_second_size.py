"""Two sizes in one data set are told, one is not taken for two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.second_size import SecondSize, second_size
from cryoverdict.engine.picking.size_search import Size, confirmed
from tests.engine.picking.painted import DIAMETER_A, lattice, painted

SIDE = 560
LARGE_A = 220.0


def mixed(seed: int) -> PickingImage:
    """Return a picture of large balls and, between them, small ones."""
    places = lattice(side=SIDE, step=64.0)
    third = np.arange(len(places)) % 3 == 0
    small = painted(places[~third], side=SIDE, height=2.2, seed=seed)
    large = painted(places[third], side=SIDE, height=2.2, diameter_a=LARGE_A, noise=0.0)
    return replace(small, pixels=small.pixels + large.pixels)


def sized(images: list[PickingImage], start_a: float) -> Size:
    """Return the size that a start leads to."""
    size = confirmed(images, Profile(diameter_a=start_a), start_a, seed=0)
    assert size is not None
    return size


def test_two_sizes_are_told_with_their_share() -> None:
    images = [mixed(seed) for seed in range(2)]
    first = sized(images, LARGE_A)
    assert first.diameter_a == pytest.approx(LARGE_A, rel=0.12)
    second = second_size(images, first, seed=0)
    assert isinstance(second, SecondSize)
    assert second.diameter_a == pytest.approx(DIAMETER_A, rel=0.15)
    assert 0.4 < second.share < 0.9


def test_one_size_is_not_taken_for_two() -> None:
    images = [painted(lattice(side=SIDE), side=SIDE, height=2.2, seed=s) for s in range(2)]
    assert isinstance(second_size(images, sized(images, 110.0), seed=0), str)


def test_weak_particles_tell_no_second_size() -> None:
    images = [painted(lattice(side=SIDE), side=SIDE, height=0.3, seed=s) for s in range(2)]
    first = sized(images, 110.0)
    assert first.made.typical_score < 3.2
    assert second_size(images, first, seed=0) == (
        "the particles are too weak for a second size to be told"
    )
