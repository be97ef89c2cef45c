"""Picking painted balls: where they are, what is dropped, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.picking.pick_micrograph import pick_image, pick_micrograph
from cryoverdict.engine.picking.picking_image import read_picking_image
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.radial_template import radial_template
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.features.area_map import AreaKind
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from tests.engine.picking.painted import (
    DIAMETER_A,
    PIXEL_A,
    lattice,
    painted,
    parameters,
    write_micrograph,
)

_Double = NDArray[np.float64]


def _error_px(x: _Double, y: _Double, places: _Double) -> tuple[_Double, NDArray[np.intp]]:
    """Return each pick's distance from the nearest place, and which that is."""
    distance, nearest = KDTree(places).query(np.stack((y, x), axis=1))
    return distance, nearest


def test_each_ball_is_picked_once_at_its_place_between_the_pixels() -> None:
    places = lattice()
    picks = pick_image(painted(places), parameters())
    distance, nearest = _error_px(picks.x_px, picks.y_px, places)
    assert sorted(nearest) == list(range(len(places)))
    assert float(np.sqrt(np.mean(distance**2))) < 0.75  # of a ball 20 pixels wide, in noise


def test_places_have_no_preferred_direction() -> None:
    places = lattice()
    picks = pick_image(painted(places, noise=0.2), parameters())
    _, nearest = _error_px(picks.x_px, picks.y_px, places)
    bias_x = float(np.mean(picks.x_px - places[nearest, 1]))
    bias_y = float(np.mean(picks.y_px - places[nearest, 0]))
    assert abs(bias_x) < 0.05
    assert abs(bias_y) < 0.05


def test_scores_fall_and_the_size_that_fits_is_told() -> None:
    picks = pick_image(painted(lattice()), parameters(diameter_min_a=70.0, diameter_max_a=200.0))
    assert (np.diff(picks.score) <= 0.0).all()
    assert np.median(picks.diameter_a) == pytest.approx(DIAMETER_A, rel=0.2)


def test_all_coordinates_are_of_the_full_size_file(tmp_path: Path) -> None:
    # One dark ball whose middle is the middle of pixel (row 207, column 511) of a binned file.
    side, pixel_a = 768, 2.0
    y, x = np.mgrid[:side, :side]
    radius = 0.5 * DIAMETER_A / pixel_a
    ball = np.sqrt(np.maximum(1.0 - ((y - 207) ** 2 + (x - 511) ** 2) / radius**2, 0.0))
    noise = np.random.default_rng(2).standard_normal((side, side))
    path = tmp_path / "one.mrc"
    write_micrograph(path, (100.0 + noise - 1.5 * ball).astype(np.float32), pixel_a)
    area = tmp_path / "area.mrc"  # a single thing would be taken for contamination
    mrcfile.write(area, np.zeros((32, 32), np.int8))
    subject = PickingMicrograph(
        micrograph=Micrograph(subject="one.mrc", path=path), usable_area=area
    )
    picks = pick_micrograph(subject, parameters(picking_pixel_size_a=6.0, score_threshold=7.0))
    assert len(picks) == 1
    assert picks.x_px[0] == pytest.approx(511.0, abs=0.7)
    assert picks.y_px[0] == pytest.approx(207.0, abs=0.7)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_gain_offset_and_contrast_do_not_matter(tmp_path: Path, sign: float) -> None:
    image = painted(lattice(side=256), side=256).pixels
    picked = []
    for name, gain, offset in (("a.mrc", 1.0, 0.0), ("b.mrc", 37.0, -500.0)):
        path = tmp_path / name
        write_micrograph(path, (sign * gain * image + offset).astype(np.float32), PIXEL_A)
        subject = PickingMicrograph(micrograph=Micrograph(subject=name, path=path))
        picked.append(pick_micrograph(subject, parameters(contrast_sign=sign)))
    assert len(picked[0]) == len(lattice(side=256))
    np.testing.assert_allclose(picked[0].x_px, picked[1].x_px, atol=0.02)
    np.testing.assert_allclose(picked[0].score, picked[1].score, rtol=2e-3)


def test_the_wrong_contrast_picks_no_balls(tmp_path: Path) -> None:
    places = lattice(side=256)
    path = tmp_path / "a.mrc"
    write_micrograph(path, -painted(places, side=256).pixels, PIXEL_A)  # dark balls
    subject = PickingMicrograph(micrograph=Micrograph(subject="a.mrc", path=path))
    picks = pick_micrograph(subject, parameters(contrast_sign=1.0))
    if len(picks):
        distance, _ = _error_px(picks.x_px, picks.y_px, places)
        assert (distance > 0.3 * DIAMETER_A / PIXEL_A).all()


def test_picking_twice_gives_the_same() -> None:
    image = painted(lattice())
    first, second = (pick_image(image, parameters()) for _ in range(2))
    np.testing.assert_array_equal(first.x_px, second.x_px)
    np.testing.assert_array_equal(first.score, second.score)


def test_each_place_is_picked_or_dropped_for_one_reason() -> None:
    kind = np.zeros((320, 320), np.uint8)
    kind[:, :100] = AreaKind.FILM
    kind[:60, 100:] = AreaKind.CONTAMINATION
    places = lattice()
    image = painted(places, kind=kind)
    open_image = replace(image, kind=np.zeros_like(kind))
    every = pick_image(open_image, parameters())
    picks = pick_image(image, parameters(edge_margin_a=50.0 * PIXEL_A))
    rows, columns = np.rint(picks.y_px).astype(int), np.rint(picks.x_px).astype(int)
    assert (kind[rows, columns] == AreaKind.USABLE).all()
    assert picks.x_px.max() <= 320 - 50
    assert picks.y_px.max() <= 320 - 50
    edge = picks.dropped["edge"]
    assert (np.maximum(edge.x_px, edge.y_px) > 320 - 51).all()
    assert len(picks.dropped["film"]) == np.count_nonzero(places[:, 1] < 100.0)
    assert len(picks) + sum(len(d) for k, d in picks.dropped.items() if k != "crowded") >= len(
        every
    )
    assert picks.usable_fraction == pytest.approx(170 * 210 / 320**2, abs=0.01)


def test_what_a_bar_cuts_is_dropped_with_it() -> None:
    kind = np.zeros((320, 320), np.uint8)
    kind[:, :62] = AreaKind.DARK_BAR
    places = lattice()
    picks = pick_image(painted(places, kind=kind), parameters())
    radius = 0.5 * DIAMETER_A / PIXEL_A
    assert picks.x_px.min() >= 61 + radius - 1.0
    beside = (places[:, 1] > 62 + radius + 1.0) & (places[:, 1] < 62 + 3.0 * radius)
    kept = np.count_nonzero(picks.x_px < 62 + 3.0 * radius)
    assert kept == pytest.approx(np.count_nonzero(beside), abs=1)
    assert len(picks.dropped["dark_bar"]) >= 6


def test_two_close_balls_leave_one_and_say_so() -> None:
    places = np.array([[160.0, 150.0], [160.0, 163.0]])  # 0.65 diameters apart
    picks = pick_image(painted(places, noise=0.3), parameters(spacing_a=0.9 * DIAMETER_A))
    assert len(picks) == 1
    apart = pick_image(painted(places, noise=0.3), parameters(spacing_a=0.5 * DIAMETER_A))
    assert len(apart) == 2


def test_the_ceiling_and_the_most_are_kept() -> None:
    image = painted(lattice())
    every = pick_image(image, parameters())
    middle = float(np.median(every.score))
    below = pick_image(image, parameters(score_ceiling=middle))
    assert below.score.max() <= middle
    assert len(below.dropped["score_ceiling"]) == np.count_nonzero(every.score > middle)
    few = pick_image(image, parameters(most_per_micrograph=7))
    np.testing.assert_array_equal(few.score, every.score[:7])
    assert len(few.dropped["too_many"]) == len(every) - 7


def test_noise_alone_gives_few_picks() -> None:
    nothing = [
        pick_image(painted(np.zeros((0, 2)), seed=s), parameters(score_threshold=4.5))
        for s in range(6)
    ]
    assert sum(len(p) for p in nothing) <= 6


def test_a_round_template_finds_shells_that_balls_miss() -> None:
    side, places = 320, lattice()
    shell = Profile(diameter_a=DIAMETER_A, inside=0.7)
    template = radial_template(shell, DIAMETER_A)
    image = painted(places, height=0.0, noise=1.0)
    pixels = image.pixels.copy()
    ball = painted(places, height=2.6, noise=0.0, side=side).pixels
    core = painted(places, height=2.6 * 0.7, noise=0.0, side=side, diameter_a=0.7 * DIAMETER_A)
    shells = replace(image, pixels=pixels + 0.6 * (ball - core.pixels))
    with_template = pick_image(shells, parameters(score_threshold=3.5), template)
    with_balls = pick_image(shells, parameters(score_threshold=3.5))
    distance, nearest = _error_px(with_template.x_px, with_template.y_px, places)
    assert len(set(nearest[distance < 3.0])) >= 0.95 * len(places)
    assert np.median(with_template.score) > 1.1 * (
        np.median(with_balls.score) if len(with_balls) else 0.0
    )


def test_a_micrograph_without_pixel_size_says_what_to_give(tmp_path: Path) -> None:
    import PIL.Image

    path = tmp_path / "a.png"
    grey = np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8)
    PIL.Image.fromarray(grey).save(path)
    subject = PickingMicrograph(micrograph=Micrograph(subject="a.png", path=path))
    with pytest.raises(InputError, match=r"a\.png: the pixel size is unknown.*--pixel-size-a"):
        pick_micrograph(subject, parameters())


def test_a_stored_area_map_is_used(tmp_path: Path) -> None:
    path, area = tmp_path / "a.mrc", tmp_path / "area.mrc"
    write_micrograph(path, -painted(lattice()).pixels, PIXEL_A)
    stored = np.zeros((64, 64), np.int8)
    stored[:32] = AreaKind.FILM
    mrcfile.write(area, stored)
    subject = PickingMicrograph(
        micrograph=Micrograph(subject="a", path=path, optics=Optics(pixel_size_a=PIXEL_A)),
        usable_area=area,
    )
    image = read_picking_image(subject, PIXEL_A)
    assert (image.kind[:160] == AreaKind.FILM).all()
    assert image.usable[160:].all()


def test_parameters_that_cannot_work_are_refused_all_at_once() -> None:
    with pytest.raises(EngineError, match=r"diameter_min_a is 200.*contrast_sign is 0"):
        parameters(diameter_min_a=200.0, contrast_sign=0.0)
    with pytest.raises(EngineError, match="not settled are diameter_min_a"):
        PickingParameters.from_settings({"diameter_a": 100.0})
