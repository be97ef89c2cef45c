"""Windows, cropping, background and duplicates: the arithmetic of extraction."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.extraction.background import (
    background_statistics,
    drawing,
    normalise,
    ring_of,
)
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.pick_filter import (
    duplicates,
    over_the_edge,
    particle_radii,
)
from cryoverdict.engine.extraction.window import crop_fourier, cut_windows

GOOD = {
    "box_px": 64,
    "binned_box_px": 32,
    "background_radius_px": 12,
    "invert_contrast": 1,
    "fit_plane": 0,
}


def test_the_centre_is_half_a_box_from_the_corner() -> None:
    pixels = np.arange(100 * 80, dtype=np.float32).reshape(100, 80)
    (window,) = cut_windows(pixels, np.array([40]), np.array([50]), 8)
    assert window[4, 4] == pixels[50, 40]
    np.testing.assert_array_equal(window, pixels[46:54, 36:44])


def test_outside_stands_the_nearest_pixel() -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    (window,) = cut_windows(pixels, np.array([0]), np.array([2]), 4)
    np.testing.assert_array_equal(window[:, :2], [[0, 0], [4, 4], [8, 8], [8, 8]])


def test_cropping_keeps_low_frequencies_and_drops_high_ones() -> None:
    y, x = np.mgrid[:64, :64]
    low = np.cos(2 * np.pi * (3 * x + 5 * y) / 64 + 0.3)
    high = np.cos(2 * np.pi * (20 * x) / 64)
    (small,) = crop_fourier((7.0 + low + high)[None].astype(np.float32), 32)
    ys, xs = np.mgrid[:32, :32]
    expected = 7.0 + np.cos(2 * np.pi * (3 * xs + 5 * ys) / 32 + 0.3)
    np.testing.assert_allclose(small, expected, atol=2e-6)


def test_cropping_is_as_exact_on_a_large_offset() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 48, 48)).astype(np.float32)
    near = crop_fourier(noise, 24)
    far = crop_fourier(noise + np.float32(1000.0), 24) - np.float32(1000.0)
    np.testing.assert_allclose(far, near, atol=3e-4)  # the float32 of 1000 itself has 6e-5


def test_background_becomes_zero_and_one_whatever_plane_lies_under_it() -> None:
    rng = np.random.default_rng(1)
    images = rng.standard_normal((3, 32, 32)).astype(np.float32)
    images += np.linspace(0, 50, 32, dtype=np.float32)[None, None, :] + 200.0
    images[:, 12:20, 12:20] += 40.0  # the particle is no background
    ring = ring_of(32, 12)
    varies = normalise(images, ring, fit_plane=True, dust_sigma=None, draws=lambda _: drawing(0))
    mean, deviation = background_statistics(images, ring)
    assert varies.all()
    np.testing.assert_allclose(mean, 0.0, atol=1e-6)
    np.testing.assert_allclose(deviation, 1.0, atol=5e-6)
    assert images[:, 12:20, 12:20].mean() > 30.0
    slope = np.polyfit(np.arange(32), images[:, :4].mean(axis=(0, 1)), 1)[0]
    assert abs(slope) < 0.02


def test_dust_is_replaced_on_both_sides_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    image = rng.standard_normal((1, 32, 32)).astype(np.float32)
    image[0, 2, 3], image[0, 16, 16] = 30.0, -30.0
    before = image.copy()
    ring = ring_of(32, 12)
    normalise(image, ring, fit_plane=False, dust_sigma=6.0, draws=lambda _: drawing(5))
    assert np.abs(image).max() < 5.0
    clean = np.ones((32, 32), dtype=bool)
    clean[2, 3] = clean[16, 16] = False
    a, b = np.polyfit(before[0][clean], image[0][clean], 1)
    np.testing.assert_allclose(a * before[0][clean] + b, image[0][clean], atol=1e-5)


def test_a_blank_image_is_left_and_told() -> None:
    images = np.stack([np.full((16, 16), 3.0), np.random.default_rng(0).random((16, 16))])
    images = images.astype(np.float32)
    varies = normalise(
        images, ring_of(16, 6), fit_plane=False, dust_sigma=3.0, draws=lambda _: drawing(0)
    )
    assert varies.tolist() == [False, True]
    assert np.isfinite(images).all()


def test_of_a_chain_of_duplicates_the_far_end_stays() -> None:
    x = np.array([0.0, 8.0, 16.0, 100.0])
    score = np.array([3.0, 2.0, 1.0, np.nan])
    gone = duplicates(x, np.zeros(4), score, 10.0)
    assert gone.tolist() == [False, True, False, False]
    assert duplicates(x, np.zeros(4), score, 0.0).tolist() == [False] * 4
    assert duplicates(x, np.zeros(4), score, 8.0).tolist() == [False] * 4  # 8 px apart, not less


@pytest.mark.parametrize("seed", range(3))
def test_duplicates_leave_no_near_pair_and_drop_nobody_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 100, (2, 200))
    score = rng.choice([0.1, 0.2, np.nan], 200)
    gone = duplicates(x, y, score, 9.0)
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    kept = ~gone
    assert (apart[kept][:, kept] + 100 * np.eye(kept.sum()) >= 9.0).all()
    worth = np.nan_to_num(score, nan=-1.0)
    for i in np.flatnonzero(gone):
        near = np.flatnonzero(kept & (apart[i] < 9.0))
        assert any(worth[j] > worth[i] or (worth[j] == worth[i] and j < i) for j in near)


@pytest.mark.parametrize(
    ("edge", "allowed"),
    [("box", (32, 168)), ("particle", (12, 187)), ("fill", (-31, 231))],
)
def test_each_edge_policy_allows_its_own_margin(edge: str, allowed: tuple[int, int]) -> None:
    settings = ExtractionSettings.from_settings(GOOD, edge=edge)  # type: ignore[arg-type]
    x = np.arange(-60, 260)
    over = over_the_edge(x, np.full(len(x), 100), (200, 200), settings)
    inside = x[~over]
    assert (inside.min(), inside.max()) == allowed
    assert all(b - a == 1 for a, b in pairwise(inside))
    np.testing.assert_array_equal(
        over, over_the_edge(np.full(len(x), 100), x, (200, 200), settings)
    )


def test_a_particle_is_as_wide_as_it_was_picked_where_that_is_known() -> None:
    settings = ExtractionSettings.from_settings(GOOD)
    radii = particle_radii(np.array([40.0, np.nan, 0.0, 900.0]), settings, 2.0)
    assert radii.tolist() == [10.0, 24.0, 24.0, 24.0]
    assert particle_radii(np.array([40.0]), settings, None).tolist() == [24.0]
    x, y = np.array([5, 5]), np.array([100, 100])
    over = over_the_edge(x, y, (200, 200), settings, radii[:2])
    assert over.tolist() == [False, True]


def test_at_a_corner_the_losses_at_both_borders_add_up() -> None:
    settings = ExtractionSettings.from_settings(GOOD)
    x = np.array([12, 12, 17])
    y = np.array([100, 12, 17])
    # Beyond one border 19.6 % of the disc; at (12, 12) twice that, at (17, 17) twice 9.0 %.
    assert over_the_edge(x, y, (200, 200), settings).tolist() == [False, True, False]


def test_a_particle_is_as_wide_as_its_mask_and_never_reaches_the_background() -> None:
    def radius(**more: float) -> int:
        return ExtractionSettings.from_settings({**GOOD, **more}).particle_radius_px

    assert radius() == 24
    assert radius(mask_diameter_a=60.0) == 24  # without a pixel size Å say nothing
    assert radius(mask_diameter_a=60.0, binned_pixel_size_a=4.0) == 15
    assert radius(mask_diameter_a=600.0, binned_pixel_size_a=4.0) == 24


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"box_px": 63}, "even"),
        ({"binned_box_px": 128}, "never enlarged"),
        ({"background_radius_px": 17}, "half the binned box"),
        ({"dust_sigma": -2.0}, "dust_sigma"),
        ({"fit_plane": None}, "not settled are fit_plane"),
    ],
)
def test_settings_refuse_what_no_image_can_be_cut_with(
    change: dict[str, float | None], word: str
) -> None:
    with pytest.raises(EngineError, match=word):
        ExtractionSettings.from_settings({**GOOD, **change})


def test_no_dust_removal_is_a_zero() -> None:
    assert ExtractionSettings.from_settings({**GOOD, "dust_sigma": 0.0}).dust_sigma is None
