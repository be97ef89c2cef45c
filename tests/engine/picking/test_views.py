"""Class averages: their sizes, what a mask cuts of them, and looking for their views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.picking.class_diameter import class_sizes, mask_radius_px
from cryoverdict.engine.picking.matched_filter import detector, weighting
from cryoverdict.engine.picking.pick_micrograph import pick_image
from cryoverdict.engine.picking.picking_field import picking_field
from cryoverdict.engine.picking.reference import Turned
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.sought import sought
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking.view_detector import view_detector
from tests.engine.picking.painted import DIAMETER_A, PIXEL_A, lattice, painted, parameters

_Float = NDArray[np.float32]

SIDE = 40


def bar(angle_deg: float = 0.0, long: float = 15.0, wide: float = 6.0, side: int = SIDE) -> _Float:
    """Return a soft bar of two lengths (pixels, deviations of its rim aside) at an angle."""
    y, x = np.mgrid[:side, :side] - side // 2
    angle = np.radians(angle_deg)
    along, across = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
    inside = np.maximum(np.abs(along) / (0.5 * long), np.abs(across) / (0.5 * wide))
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum((inside - 1.0) * 12.0, 50.0))), np.float32)


def averages(*images: _Float, weights: tuple[float, ...] | None = None) -> Templates:
    """Return images as class averages."""
    shares = np.full(len(images), 1.0 / len(images)) if weights is None else np.array(weights)
    return Templates(images=np.stack(images), pixel_size_a=PIXEL_A, weights=shares)


def test_views_are_scored_as_filters_of_their_own_would() -> None:
    image = painted(lattice(), noise=1.0)
    field = picking_field(image, DIAMETER_A)
    rings = Rings.of(DIAMETER_A, image.pixel_size_a)
    flat = np.ones(rings.count)
    weights = weighting(field, rings, flat, flat, longest_a=DIAMETER_A)
    views = [
        Turned(image=bar(), pixel_size_a=PIXEL_A, diameter_a=DIAMETER_A, angle_deg=float(a))
        for a in range(0, 180, 12)
    ]
    many = view_detector(field, views, weights)
    assert len(many.filters) < len(views)
    best, which = many.scores(field.transform)
    alone, number = detector(field, views, weights).scores(field.transform)
    assert float(np.corrcoef(best.ravel(), alone.ravel())[0, 1]) > 0.99
    assert float(np.abs(best.std() - alone.std())) < 0.03
    high = alone > 4.0
    off = (which[high].astype(int) - number[high].astype(int) + 7) % 15 - 7
    assert float((np.abs(off) <= 1).mean()) > 0.8


def test_turned_bars_are_found_by_one_average() -> None:
    places = lattice()
    image = painted(places, height=0.0, noise=1.0)
    pixels = image.pixels.copy()
    for number, (y, x) in enumerate(np.rint(places).astype(int)):
        part = np.s_[y - SIDE // 2 : y + SIDE // 2, x - SIDE // 2 : x + SIDE // 2]
        view = bar(37.0 * number)
        room = pixels[part].shape
        pixels[part] += 1.3 * view[: room[0], : room[1]]
    wanted = parameters(diameter_a=66.0, diameter_min_a=60.0, diameter_max_a=72.0, spacing_a=100.0)
    views = averages(bar())
    assert len(sought(wanted, views).views) == 30
    picks = pick_image(replace(image, pixels=pixels), wanted, views)
    near = np.hypot(
        picks.y_px[:, None] - np.rint(places)[:, 0], picks.x_px[:, None] - np.rint(places)[:, 1]
    )
    assert len(picks) == pytest.approx(len(places), abs=3)
    assert float((near.min(axis=1) < 2.5).mean()) > 0.95


def test_round_averages_are_looked_for_at_one_angle() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    disc = (1.0 / (1.0 + np.exp(np.hypot(y, x) - 9.0))).astype(np.float32)
    both = sought(parameters(), averages(disc, bar(), weights=(0.7, 0.3)))
    assert [view.angle_deg for view in both.views[:2]] == [0.0, 0.0]
    assert len(both.views) == 31
    assert len(both.round_ones) == 1
    alone = sought(parameters(), averages(disc))
    assert alone.views == ()
    assert len(alone.round_ones) == len(alone.diameters_a) > 1


def masked(image: _Float, radius_px: float, edge_px: float = 5.0) -> _Float:
    """Return an image under a soft round mask, as classification leaves it."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] - image.shape[0] // 2
    away = np.clip((radius_px - np.hypot(y, x)) / edge_px, 0.0, 1.0)
    return np.asarray(image * np.square(np.sin(0.5 * np.pi * away)), np.float32)


def test_a_mask_is_seen_and_what_it_cuts_is_told() -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    long, short = bar(20.0, 40.0, 14.0, 64) + noise, bar(20.0, 20.0, 14.0, 64) + noise
    assert mask_radius_px(masked(long, 20.0)) == pytest.approx(20.0, abs=1.5)
    assert mask_radius_px(long) == 32.0
    cut = class_sizes(averages(masked(long, 20.0), masked(short, 20.0), weights=(0.3, 0.7)))
    assert cut is not None
    assert cut.cut_share == pytest.approx(0.3)
    whole = class_sizes(averages(long, short, weights=(0.3, 0.7)))
    assert whole is not None
    assert whole.cut_share == 0.0
    assert whole.longest_a == pytest.approx(49.0 * PIXEL_A, rel=0.06)
    assert cut.longest_a < 0.9 * whole.longest_a


def test_a_rare_pair_in_one_class_is_not_the_longest_view() -> None:
    noise = 0.02 * np.random.default_rng(2).standard_normal((64, 64)).astype(np.float32)
    pair, single = bar(0.0, 40.0, 14.0, 64) + noise, bar(0.0, 20.0, 14.0, 64) + noise
    sizes = class_sizes(averages(pair, single, weights=(0.04, 0.96)))
    assert sizes is not None
    assert sizes.longest_a < 30.0 * PIXEL_A
    assert sizes.cut_share == 0.0
