"""Emptiness: on noise, where chance is known, on blobs of known size and place, on real images."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import empty
from cryoverdict.features.blob_field import blob_field
from cryoverdict.features.feature import Absent, Feature
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.peak_statistics import GaussianPeaks
from cryoverdict.features.prepare import prepare
from cryoverdict.features.read_image import read_image
from cryoverdict.features.view import View

Floats = NDArray[np.float64]
SHAPE = (512, 480)


def view_of(pixels: NDArray[Any], pixel_size_a: float | None = None) -> View:
    image = Image(pixels=pixels.astype(np.float32), has_counts=False)
    optics = Optics(pixel_size_a=pixel_size_a)
    return prepare(Micrograph(subject="a", path=Path("a.mrc")), image, optics)


def noise(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(SHAPE)


def coloured(seed: int, scale: float = 1.5) -> Floats:
    """Return Gaussian noise with a spectrum that is not flat."""
    from scipy import ndimage

    field = np.asarray(ndimage.gaussian_filter(noise(seed + 100), scale, mode="wrap"))
    coloured_noise: Floats = noise(seed) + field / field.std()
    return coloured_noise


def discs(places: Floats, radii: Floats | float) -> Floats:
    """Return discs of height 1."""
    reach = int(np.max(radii)) + 3
    rows, columns = np.indices((2 * reach, 2 * reach)) - reach
    field = np.zeros((SHAPE[0] + 4 * reach, SHAPE[1] + 4 * reach))
    for (y, x), radius in zip(places, np.broadcast_to(radii, len(places)), strict=True):
        top, left = int(y) + reach, int(x) + reach
        away = np.hypot(rows + int(y) - y, columns + int(x) - x)
        field[top : top + 2 * reach, left : left + 2 * reach] += np.clip(
            (radius - away) / 2.0 + 0.5, 0.0, 1.0
        )
    inside: Floats = field[2 * reach : -2 * reach, 2 * reach : -2 * reach]
    return inside


def random_places(count: int, least: float = 0.0, seed: int = 1) -> Floats:
    """Return random places at least ``least`` apart."""
    rng = np.random.default_rng(seed)
    places = np.zeros((0, 2))
    while len(places) < count:
        place = rng.uniform((20, 20), (SHAPE[0] - 20, SHAPE[1] - 20))
        if not len(places) or np.hypot(*(places - place).T).min() > least:
            places = np.vstack((places, place))
    return places


def value(feature: Feature, view: View) -> float:
    answer = feature.measure(view)
    assert isinstance(answer, float)
    return answer


@cache
def sparse() -> View:
    """Return 60 discs of radius 8 px in noise, 8 Å a pixel."""
    return view_of(noise() - 1.2 * discs(random_places(60, 30.0), 8.0), 8.0)


@cache
def dense() -> View:
    """Return 520 discs of radius 8 px in noise, as close as they come."""
    return view_of(noise() - 1.2 * discs(random_places(520, 16.5), 8.0))


@cache
def blank(seed: int = 0) -> View:
    return view_of(coloured(seed))


# The law of chance.


def test_peak_density_of_a_gaussian_field_is_the_known_one() -> None:
    """All maxima: 1 / (4 √3 π R*²) a pixel with R*² = 2 σ₁² / σ₂², whatever the spectrum."""
    for variance, slope, curvature in ((1.0, 0.2, 0.1), (4.0, 1.0, 0.6), (2.0, 0.05, 0.01)):
        field = GaussianPeaks(variance=variance, slope=slope, curvature=curvature)
        expected = curvature / (2.0 * slope) / (4.0 * np.sqrt(3.0) * np.pi)
        assert field.per_pixel == pytest.approx(expected, rel=1e-3)


def test_peak_heights_of_noise_follow_the_law() -> None:
    from scipy import ndimage

    width = 3.0
    smooth = ndimage.gaussian_filter(np.random.default_rng(4).standard_normal((1024, 1024)), width)
    inner = smooth[10:-10, 10:-10]
    around = ndimage.maximum_filter(inner, 3)
    heights = np.sort(inner[(around == inner)])
    # The power falls as exp(−k²w²), of which the mean k² is 1 / w² and the mean k⁴ 2 / w⁴.
    variance = 1.0 / (4.0 * np.pi * width**2)
    slope, curvature = variance / width**2, 2.0 * variance / width**4
    field = GaussianPeaks(variance=variance, slope=slope, curvature=curvature)
    assert len(heights) / inner.size == pytest.approx(field.per_pixel, rel=0.03)
    below = field.fraction_below(heights)
    assert np.abs(below - np.arange(len(heights)) / len(heights)).max() < 0.03
    limit = field.height_of(50.0 / inner.size)
    assert (heights > limit).sum() == pytest.approx(50, abs=20)


@pytest.mark.parametrize("seed", range(6))
def test_noise_is_within_chance(seed: int) -> None:
    for view in (view_of(noise(seed)), blank(seed)):
        assert -3.0 < value(empty.blob_excess_score, view) < 3.0
        assert -2.5 < value(empty.dark_light_asymmetry_score, view) < 3.0
        assert value(empty.blob_misfit_score, view) < 2.0
        assert abs(value(empty.blob_skewness, view)) < 0.35


def test_gaussian_texture_of_a_particle_size_is_not_taken_for_particles() -> None:
    """Power at the scales of particles alone makes no blobs beyond a phase-randomised copy."""
    texture = view_of(noise() + 2.0 * (coloured(7, 5.0) - noise(7)))
    assert value(empty.particle_band_ratio, texture) > 1.0
    assert value(empty.blob_excess_score, texture) < 3.0
    assert value(empty.dark_light_asymmetry_score, texture) < 3.0


def test_white_noise_has_the_same_power_at_all_scales() -> None:
    assert value(empty.particle_band_ratio, view_of(noise(3))) == pytest.approx(0.0, abs=0.03)


# Particles.


def test_sparse_particles_stand_out() -> None:
    view = sparse()
    assert value(empty.blob_excess_score, view) > 8.0
    assert value(empty.dark_light_asymmetry_score, view) > 5.0
    assert value(empty.blob_skewness, view) > 0.7
    assert value(empty.blob_tail_weight, view) > 1.0


def test_sparse_particles_are_counted_and_sized() -> None:
    view = sparse()
    found = np.expm1(value(empty.blob_density, view))
    assert found == pytest.approx(60, abs=12)
    assert value(empty.blob_diameter_a, view) == pytest.approx(2 * 8 * 8.0, rel=0.4)
    fraction = value(empty.blob_diameter_fraction, view)
    assert value(empty.blob_diameter_a, view) == pytest.approx(fraction * 512 * 8.0, rel=1e-6)


def test_dense_particles_differ_from_chance_where_excess_fails() -> None:
    chance = max(value(empty.blob_misfit_score, blank(seed)) for seed in range(6))
    assert value(empty.blob_misfit_score, dense()) > 2.0 * chance
    assert value(empty.particle_band_ratio, dense()) > 0.3
    assert value(empty.blob_tail_weight, dense()) < value(empty.blob_tail_weight, sparse())


def test_larger_blobs_have_larger_diameters() -> None:
    diameters = [
        value(
            empty.blob_diameter_fraction,
            view_of(noise() - 1.2 * discs(random_places(25, 60.0), radius), 3.0),
        )
        for radius in (7.0, 19.0, 29.0)
    ]
    assert diameters[0] < diameters[1] < diameters[2]


def test_unlike_sizes_and_contrasts_are_told() -> None:
    places = random_places(60, 45.0)
    radii = np.exp(np.random.default_rng(5).uniform(np.log(5.0), np.log(14.0), len(places)))
    unlike = view_of(noise() - 1.5 * discs(places, radii), 4.0)
    alike = view_of(noise() - 1.5 * discs(places, 8.0), 4.0)
    for feature in (empty.blob_size_dispersion, empty.blob_height_dispersion):
        assert value(feature, unlike) > 1.25 * value(feature, alike)


def test_spacing_tells_spread_from_random_from_clustered() -> None:
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(np.arange(30, 490, 45), np.arange(30, 460, 45)), -1).reshape(-1, 2)
    centres = rng.uniform((80, 80), (420, 400), (8, 2))
    clustered = (centres[:, None] + rng.normal(0.0, 38.0, (8, 12, 2))).reshape(-1, 2)
    ratios = [
        value(empty.blob_spacing_ratio, view_of(noise() - 1.0 * discs(places, 6.0)))
        for places in (grid.astype(float), random_places(90, 13.0), clustered)
    ]
    assert ratios[0] > 1.4
    assert ratios[0] > ratios[1] + 0.2 > ratios[2] + 0.3


# What cannot be said.


def test_diameter_in_angstrom_needs_the_pixel_size() -> None:
    answer = empty.blob_diameter_a.measure(blank())
    assert answer == Absent("the pixel size is unknown")


def test_noise_has_too_few_blobs_to_compare_or_says_how_they_are() -> None:
    few = view_of(noise()[:128, :128])
    for feature in (empty.blob_spacing_ratio, empty.blob_size_dispersion):
        answer = feature.measure(few)
        assert isinstance(answer, Absent)
        assert "too few blobs" in answer.reason


def test_too_small_an_image_says_nothing_of_blobs() -> None:
    view = view_of(noise()[:48, :60])
    assert blob_field(view) is None
    reasons = {f.measure(view) for f in empty.FEATURES}
    assert reasons == {Absent("too little of the micrograph is usable")}


def test_every_feature_of_the_family_is_registered_once() -> None:
    names = [f.name for f in empty.FEATURES]
    assert len(set(names)) == len(names) == 12
    found = {v.name for v in vars(empty).values() if isinstance(v, Feature)}
    assert found == set(names)


# Real micrographs.


@pytest.mark.real_data
def test_real_particles_prevail_over_real_blanks(shared_data: Path) -> None:
    folder = shared_data / "micrographs" / "quality"

    def score(pattern: str) -> list[float]:
        views = []
        for path in sorted(folder.glob(pattern)):
            micrograph = Micrograph(subject=path.name, path=path)
            views.append(prepare(micrograph, read_image(path), Optics()))
        assert views
        return [value(empty.dark_light_asymmetry_score, v) for v in views]

    blanks = [*score("18sep26a*"), *score("empty_avg*")]
    full = [*score("FoilHole*"), *score("18feb14h*"), *score("19may02c*"), *score("19jan24d*")]
    assert min(full) > max(blanks) + 0.5
