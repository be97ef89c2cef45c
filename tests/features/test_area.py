"""The usable-area map: on images made so that what lies where is known, and on real ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import area
from cryoverdict.features.area_map import AreaKind, AreaMap, usable_area
from cryoverdict.features.border_lines import BorderLines, find_border_lines, mirror_borders
from cryoverdict.features.cell_grid import cell_means, spread_cells
from cryoverdict.features.feature import Absent, Feature
from cryoverdict.features.film_arcs import Arc, arc_points
from cryoverdict.features.ice_background import smooth_background
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.read_image import read_image
from cryoverdict.features.view import View

Floats = NDArray[np.float64]
SHAPE = (496, 512)
PIXEL_A = 8.0


def view_of(pixels: NDArray[Any], pixel_size_a: float | None = PIXEL_A) -> View:
    optics = Optics(pixel_size_a=pixel_size_a)
    image = Image(pixels=pixels.astype(np.float32), has_counts=False)
    return prepare(Micrograph(subject="a", path=Path("a.mrc")), image, optics)


def map_of(pixels: NDArray[Any]) -> AreaMap:
    return view_of(pixels).once(usable_area)


def noise(seed: int = 0, shape: tuple[int, int] = SHAPE) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape)


def smooth(scale: float, seed: int, shape: tuple[int, int] = SHAPE) -> Floats:
    """Return smooth noise of deviation 1."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(noise(seed, shape), scale, mode="wrap")
    return np.asarray(field / field.std())


def distance(y: float, x: float, shape: tuple[int, int] = SHAPE) -> Floats:
    """Return the distance of each pixel from a place."""
    rows, columns = np.indices(shape)
    return np.asarray(np.hypot(rows - y, columns - x))


def disc(y: float, x: float, radius: float) -> Floats:
    """Return a disc of height 1 with an edge of about two pixels."""
    return np.clip((radius - distance(y, x)) / 2.0 + 0.5, 0.0, 1.0)


def particles(count: int, radius: float, seed: int = 1, least: float = 2.2) -> Floats:
    """Return discs that do not touch: ``least`` radii apart."""
    rng = np.random.default_rng(seed)
    field, places = np.zeros(SHAPE), np.zeros((0, 2))
    reach = int(radius) + 3
    rows, columns = np.indices((2 * reach, 2 * reach)) - reach
    while len(places) < count:
        place = rng.uniform((reach, reach), (SHAPE[0] - reach, SHAPE[1] - reach))
        if not len(places) or np.hypot(*(places - place).T).min() > least * radius:
            places = np.vstack((places, place))
            y, x = place.astype(int)
            away = np.hypot(rows + y - place[0], columns + x - place[1])
            field[y - reach : y + reach, x - reach : x + reach] += np.clip(
                (radius - away) / 2.0 + 0.5, 0.0, 1.0
            )
    return field


def overlap(mapped: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return intersection over union."""
    return float((mapped & truth).sum() / (mapped | truth).sum())


def value(feature: Feature, view: View) -> float:
    answer = feature.measure(view)
    assert isinstance(answer, float)
    return answer


# What has nothing to mark.


@pytest.mark.parametrize(
    "ice",
    [
        noise(),
        noise() + 1.5 * smooth(1.5, 1),
        noise() + 1.0 * smooth(4.0, 2),
        noise() + np.linspace(-3.0, 3.0, SHAPE[1])[None, :] ** 2,
        noise() + 2.0 * smooth(70.0, 3),
    ],
    ids=["noise", "fine texture", "coarse texture", "gradient", "clouds"],
)
def test_ice_without_anything_is_wholly_usable(ice: Floats) -> None:
    assert map_of(ice).usable.all()


@pytest.mark.parametrize(
    ("count", "radius", "depth"),
    [(30, 9.0, 2.0), (250, 9.0, 1.5), (330, 11.0, 2.0), (12, 20.0, 1.5), (300, 5.0, 3.0)],
    ids=["few", "many", "dense", "viruses", "small"],
)
def test_particles_alike_are_not_marked(count: int, radius: float, depth: float) -> None:
    field = particles(count, radius, least=1.9 if count > 300 else 2.2)
    assert map_of(noise() - depth * field).usable.mean() > 0.998


# Film and bars.


@cache
def hole() -> tuple[View, NDArray[np.bool_]]:
    """Return the view of a hole's edge, film outside its radius of 600 px, and where film is."""
    film = distance(700.0, 700.0) > 600.0
    texture = smooth(1.2, 5) + smooth(3.0, 6)
    picture = noise() + np.where(film, -1.0 + 0.8 * texture, 0.0) - 1.5 * particles(40, 8.0)
    return view_of(picture), film


def test_film_is_marked_outside_its_hole() -> None:
    view, _ = hole()
    mapped = view.once(usable_area).kind == AreaKind.FILM
    # The zone of 8 pixels along the edge is given up, too, but no more than that.
    assert overlap(mapped, distance(700.0, 700.0) > 592.0) > 0.95
    assert not (mapped & (distance(700.0, 700.0) < 580.0)).any()


def test_film_edge_is_measured() -> None:
    view, film = hole()
    assert value(area.film_edge_score, view) > 8.0
    assert -4.0 < value(area.film_edge_step, view) < -1.5
    assert value(area.film_edge_curvature, view) == pytest.approx(512 / 600, abs=0.15)
    assert value(area.film_fraction, view) == pytest.approx(film.mean(), abs=0.03)
    parts = sum(
        value(f, view)
        for f in (
            area.usable_area_fraction,
            area.film_fraction,
            area.contamination_fraction,
            area.aggregate_fraction,
            area.dark_bar_fraction,
            area.bright_area_fraction,
        )
    )
    assert parts == pytest.approx(1.0, abs=1e-9)


def test_film_that_fills_most_of_the_image_is_marked_and_not_the_hole() -> None:
    film = distance(248.0, 700.0) > 330.0
    assert film.mean() > 0.7
    picture = noise() + np.where(film, -0.8 + 0.9 * smooth(1.5, 7), 0.0)
    assert overlap(map_of(picture).kind == AreaKind.FILM, film) > 0.9


def test_opaque_film_with_a_straight_edge_is_marked() -> None:
    rows, columns = np.indices(SHAPE)
    film = rows + 0.6 * columns < 200
    picture = np.where(film, -30.0 + 0.2 * noise(8), noise())
    with_zone = rows + 0.6 * columns < 200 + 8 * np.hypot(1.0, 0.6)
    assert overlap(map_of(picture).kind == AreaKind.FILM, with_zone) > 0.93


def test_grid_bar_along_a_side_is_a_dark_bar() -> None:
    bar = np.indices(SHAPE)[1] > 430
    mapped = map_of(np.where(bar, -8.0 + 0.5 * noise(8), noise()))
    assert overlap(mapped.kind == AreaKind.DARK_BAR, np.indices(SHAPE)[1] > 422) > 0.9
    assert (mapped.kind[bar] == AreaKind.DARK_BAR).all()
    assert mapped.fraction(AreaKind.FILM) == 0.0


def test_torn_ice_leaves_its_bright_side_unusable_and_not_the_ice() -> None:
    void = np.indices(SHAPE)[0] + 6.0 * smooth(30.0, 4) < 180
    ice = -1.0 + 0.3 * smooth(2.5, 9) - 1.0 * particles(60, 8.0)
    kind = map_of(noise() + np.where(void, 0.0, ice)).kind
    assert overlap(kind == AreaKind.BRIGHT, void) > 0.85


def test_a_small_tear_does_not_make_film_of_ice_full_of_particles() -> None:
    rows, columns = np.indices(SHAPE)
    void = rows + 0.5 * columns + 6.0 * smooth(30.0, 4) < 110
    ice = -2.0 + 0.5 * smooth(2.5, 9) - 3.0 * particles(60, 8.0)
    kind = map_of(noise() + np.where(void, 0.0, ice)).kind
    assert overlap(kind == AreaKind.BRIGHT, void) > 0.7
    assert (kind == AreaKind.FILM).mean() < 0.02


def test_a_ragged_tear_does_not_make_film_of_the_ice() -> None:
    void = distance(-150.0, 280.0) + 6.0 * smooth(14.0, 4) < 330.0
    ice = -2.0 + 0.5 * smooth(2.5, 9) - 3.0 * particles(60, 8.0)
    # Fringes and the detector leave some colour in the noise of the bare beam.
    kind = map_of(noise() + np.where(void, 0.2 * smooth(3.0, 11), ice)).kind
    assert (kind == AreaKind.FILM).mean() < 0.02
    # The map follows the ragged border, and gives up a zone of 8 pixels along it.
    assert (kind[void] == AreaKind.BRIGHT).mean() > 0.97
    assert (kind[~void] == AreaKind.BRIGHT).mean() < 0.05


def test_nothing_is_usable_where_opaque_film_ends_in_bare_beam() -> None:
    rows, columns = np.indices(SHAPE)
    film = rows + 0.6 * columns + 5.0 * smooth(30.0, 4) < 260
    mapped = map_of(np.where(film, -12.0 + 0.3 * noise(8), noise()))
    assert mapped.fraction(AreaKind.USABLE) < 0.01
    assert overlap(mapped.kind == AreaKind.FILM, film) > 0.8


def test_without_film_its_edge_is_absent_or_zero() -> None:
    view = view_of(noise())
    assert value(area.film_edge_score, view) == 0.0
    for feature in (area.film_edge_step, area.film_edge_curvature):
        answer = feature.measure(view)
        assert isinstance(answer, Absent)
        assert "no edge" in answer.reason


# Contamination.


def test_ice_ball_is_one_object_of_its_size() -> None:
    view = view_of(noise() - 6.0 * disc(150.0, 200.0, 40.0))
    ball = distance(150.0, 200.0) < 40.0
    mapped = view.once(usable_area)
    assert overlap(mapped.kind == AreaKind.CONTAMINATION, ball) > 0.85
    assert value(area.dark_object_count, view) == 1.0
    assert value(area.largest_object_fraction, view) == pytest.approx(ball.mean(), rel=0.2)
    assert value(area.contamination_fraction, view) == pytest.approx(ball.mean(), rel=0.2)
    # 6 deviations of a pixel are some 20 after the smoothing over 2 × 2 and a Gaussian.
    assert 20.0 < value(area.darkest_object_contrast, view) < 50.0


def test_huge_ball_at_the_border_is_marked_whole() -> None:
    depth = 20.0 * np.sqrt(np.clip(1.0 - (distance(20.0, 380.0) / 140.0) ** 2, 0.0, None))
    mapped = map_of(noise() - depth)
    assert overlap(~mapped.usable, distance(20.0, 380.0) < 140.0) > 0.85


def test_dirt_among_particles_is_marked_and_the_particles_are_not() -> None:
    dirt = distance(400.0, 100.0) < 32.0
    mapped = map_of(noise() - 1.5 * particles(150, 8.0) - 5.0 * disc(400.0, 100.0, 32.0))
    assert overlap(~mapped.usable, dirt) > 0.75


def test_heap_of_dark_things_is_one_aggregate() -> None:
    rng = np.random.default_rng(2)
    field = np.zeros(SHAPE)
    for y, x in rng.uniform((190, 190), (310, 310), (60, 2)):
        field += disc(y, x, 9.0)
    heap = field > 0.5
    view = view_of(noise() - 3.0 * field)
    marked = value(area.aggregate_fraction, view) + value(area.contamination_fraction, view)
    assert marked == pytest.approx(heap.mean(), rel=0.35)
    assert value(area.dark_object_count, view) <= 3.0


def test_unlike_blobs_are_contamination_even_when_they_are_many() -> None:
    rng = np.random.default_rng(3)
    field, truth = np.zeros(SHAPE), np.zeros(SHAPE, np.bool_)
    for radius in np.exp(rng.normal(np.log(14.0), 0.5, 25)):
        y, x = rng.uniform((30, 30), (SHAPE[0] - 30, SHAPE[1] - 30))
        field = np.maximum(field, disc(y, x, radius) * rng.uniform(0.5, 1.5))
        truth |= distance(y, x) < radius
    assert overlap(~map_of(noise() - 3.0 * field).usable, truth) > 0.6


def capsids(radii: Floats, depths: Floats) -> Floats:
    """Return up to sixteen discs far apart whose uneven inside breaks them into pieces."""
    field = np.zeros(SHAPE)
    for number, (radius, depth) in enumerate(zip(radii, depths, strict=True)):
        y, x = 65.0 + 120.0 * (number // 4), 65.0 + 125.0 * (number % 4)
        field += depth * disc(y, x, radius)
    return np.asarray(field * (1.0 + 0.8 * smooth(3.0, 13)))


@pytest.mark.parametrize("depth", [0.5, 1.0, 2.0])
def test_large_particles_alike_in_size_and_depth_are_not_marked(depth: float) -> None:
    picture = noise() - capsids(np.full(16, 21.0), np.full(16, depth))
    assert view_of(picture, 12.0).once(usable_area).usable.mean() > 0.998


def test_dirt_among_large_particles_is_marked() -> None:
    field = capsids(np.full(15, 21.0), np.full(15, 1.0)) + 9.0 * disc(430.0, 445.0, 42.0)
    usable = view_of(noise() - field, 12.0).once(usable_area).usable
    assert overlap(~usable, distance(430.0, 445.0) < 42.0) > 0.8


def test_large_things_that_differ_are_contamination() -> None:
    rng = np.random.default_rng(5)
    radii, depths = rng.uniform(14.0, 40.0, 16), np.exp(rng.normal(0.7, 0.6, 16))
    field = capsids(radii, depths)
    usable = view_of(noise() - field, 12.0).once(usable_area).usable
    assert overlap(~usable, field > 0.3) > 0.5


def test_pixel_size_decides_what_is_too_large_for_a_particle() -> None:
    """The same three blobs are dirt of 480 Å in one field and particles of 60 Å in another."""
    picture = noise()
    for at, radius in ((100.0, 24.0), (250.0, 29.0), (400.0, 36.0)):
        picture -= 1.2 * disc(at, at, radius)
    assert view_of(picture, 8.0).once(usable_area).fraction(AreaKind.CONTAMINATION) > 0.02
    assert view_of(picture, 0.8).once(usable_area).usable.all()


# Borders.


def test_striped_border_is_marked_to_its_depth() -> None:
    picture = noise() + smooth(2.0, 3)
    picture[:14] = picture[14]
    picture[:, -10:] = picture[:, -11:-10]
    lines = find_border_lines(picture.astype(np.float32))
    assert (lines.bottom, lines.left) == (0, 0)
    assert lines.top == pytest.approx(14, abs=1)
    assert lines.right == pytest.approx(10, abs=1)
    mapped = map_of(picture)
    assert mapped.fraction(AreaKind.DARK_BAR) == pytest.approx(14 / 496 + 10 / 512, abs=0.006)


def test_borders_of_plain_pictures_are_not_faulty() -> None:
    none = BorderLines(top=0, bottom=0, left=0, right=0)
    for picture in (noise(), smooth(2.0, 1), noise() + 5.0 * disc(0.0, 250.0, 60.0)):
        assert find_border_lines(picture.astype(np.float32)) == none


def test_mirrored_borders_keep_the_interior() -> None:
    picture = noise().astype(np.float32)
    lines = BorderLines(top=3, bottom=2, left=0, right=5)
    mirrored = mirror_borders(picture, lines)
    assert mirrored.shape == picture.shape
    np.testing.assert_array_equal(mirrored[lines.interior(SHAPE)], picture[lines.interior(SHAPE)])
    np.testing.assert_array_equal(mirrored[2], mirrored[4])


# Parts.


def test_map_turns_with_the_picture() -> None:
    view, _ = hole()
    kind = view.once(usable_area).kind
    for turns in (1, 2, 3):
        turned = view_of(np.rot90(view.pixels, turns)).once(usable_area).kind
        assert (np.rot90(turned, -turns) != kind).mean() < 1e-3


def test_map_is_coarse_and_of_known_codes() -> None:
    mapped = map_of(noise(shape=(1100, 1000)))
    assert mapped.kind.shape == (512, 465)
    assert mapped.kind.dtype == np.uint8
    assert [k.value for k in AreaKind] == [0, 1, 2, 3, 4, 5]
    assert mapped.rest.shape == (256, 233)
    assert mapped.rest_step_px == 2.0


@pytest.mark.parametrize("shape", [(32, 32), (33, 512), (70, 65), (8, 512)])
def test_small_and_thin_images_get_a_map(shape: tuple[int, int]) -> None:
    kind = map_of(noise(shape=(max(32, shape[0]), shape[1]))).kind
    assert (kind == AreaKind.USABLE).mean() > 0.95


def test_cell_means_of_fractional_cells() -> None:
    line = np.array([[1.0, 2.0, 3.0]], np.float32)
    # Cells of 1.5 pixels: (1 + 2/2) / 1.5 and (2/2 + 3) / 1.5.
    np.testing.assert_allclose(cell_means(line, (1, 2)), [[4 / 3, 8 / 3]], rtol=1e-6)
    picture = noise(shape=(31, 45)).astype(np.float32)
    means = cell_means(picture, (16, 23))
    assert means.mean() == pytest.approx(float(picture.mean()), abs=1e-6)
    np.testing.assert_allclose(cell_means(picture[::-1], (16, 23)), means[::-1], atol=1e-6)


def test_cells_are_spread_to_pixels() -> None:
    cells = np.array([[1, 2]], np.uint8)
    np.testing.assert_array_equal(spread_cells(cells, (2, 4)), [[1, 1, 2, 2], [1, 1, 2, 2]])


def test_arc_distance_and_points_agree() -> None:
    for curvature in (0.0, 0.02, -0.02, 0.2):
        arc = Arc(curvature=curvature, direction=0.7, offset=4.0)
        parameters = np.array([[curvature, 0.7, 4.0]])
        points = arc_points(parameters, (64, 60))
        inside = points.inside[0]
        y, x = points.y[0, inside] - 31.5, points.x[0, inside] - 29.5
        assert inside.sum() > 20
        away = arc.distance(y.astype(np.float32), x.astype(np.float32))
        np.testing.assert_allclose(away, 0.0, atol=1e-3)
        out = arc.distance(
            (y + points.normal_y[0, inside]).astype(np.float32),
            (x + points.normal_x[0, inside]).astype(np.float32),
        )
        np.testing.assert_allclose(out, 1.0, atol=1e-3)


def test_background_follows_the_ice_and_not_what_lies_on_it() -> None:
    y, x = (np.linspace(-1, 1, n) for n in (248, 256))
    truth = 1.0 - 0.8 * x[None, :] + 0.5 * y[:, None] ** 2 + 0.3 * y[:, None] * x[None, :]
    picture = truth + 0.3 * noise(shape=(248, 256))
    picture[40:130, 40:130] -= 4.0
    free = np.ones(picture.shape, np.bool_)
    free[:, 200:] = False
    picture[:, 200:] = 50.0
    found = smooth_background(picture.astype(np.float32), free)
    assert np.abs(found - truth)[:, :200].max() < 0.15


def test_every_feature_of_the_family_is_registered_once() -> None:
    names = [f.name for f in area.FEATURES]
    assert len(set(names)) == len(names) == 12
    found = {v.name for v in vars(area).values() if isinstance(v, Feature)}
    assert found == set(names)


# Real micrographs.


@pytest.fixture
def quality(shared_data: Path) -> Path:
    return shared_data / "micrographs" / "quality"


def real(path: Path) -> View:
    image = read_image(path)
    return prepare(Micrograph(subject=path.name, path=path), image, Optics())


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("stem", "low", "high"),
    [("20feb12b", 0.85, 0.97), ("19aug17a", 0.03, 0.08), ("19aug14a", 0.08, 0.13)],
)
def test_film_of_real_micrographs(quality: Path, stem: str, low: float, high: float) -> None:
    view = real(next(quality.glob(f"{stem}*")))
    assert low < value(area.film_fraction, view) < high


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("stem", "least"), [("apo_bad", 0.28), ("19oct11b", 0.08), ("bad1", 0.015)]
)
def test_contamination_of_real_micrographs(quality: Path, stem: str, least: float) -> None:
    view = real(next(quality.glob(f"{stem}*")))
    marked = value(area.contamination_fraction, view) + value(area.aggregate_fraction, view)
    assert marked > least


@pytest.mark.real_data
@pytest.mark.parametrize(
    "pattern", ["FoilHole*", "18feb14h*", "19may02c*", "19aug16d*", "19jan24d*", "18sep26a*"]
)
def test_good_or_blank_real_micrographs_are_usable(quality: Path, pattern: str) -> None:
    for path in sorted(quality.glob(pattern)):
        assert value(area.usable_area_fraction, real(path)) > 0.99
