"""The grey family: each measurement on images made so that its value is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import grey
from cryoverdict.features.feature import Absent, Feature
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View

SHAPE = (512, 640)


def view_of(pixels: NDArray[Any], **image: Any) -> View:
    micrograph = Micrograph(subject="a", path=Path("a.mrc"))
    return prepare(micrograph, Image(pixels=pixels.astype(np.float32), **image), Optics())


def noise(shape: tuple[int, int] = SHAPE, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def value(feature: Feature, view: View) -> float:
    answer = feature.measure(view)
    assert isinstance(answer, float)
    return answer


def smooth(scale: float, seed: int = 1) -> NDArray[Any]:
    """Return smooth noise of deviation 1 with structures of ``scale`` pixels."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(noise(seed=seed), scale, mode="wrap")
    return np.asarray(field / field.std())


BLANK = view_of(noise())


def test_every_feature_of_the_family_says_something_of_plain_noise() -> None:
    silent = {f.name for f in grey.FEATURES if isinstance(f.measure(BLANK), Absent)}
    assert silent == {"grey_mean_count", "equivalent_dose_count"}
    assert all(np.isfinite(value(f, BLANK)) for f in grey.FEATURES if f.name not in silent)


def test_brightness_is_the_mean_of_counts_and_of_inverted_counts() -> None:
    counts = np.random.default_rng(0).poisson(25.0, SHAPE).astype(np.float32)
    counts[200:260, 200:260] -= 12
    for pixels in (counts, -counts):
        assert value(grey.grey_mean_count, view_of(pixels)) == pytest.approx(
            counts.mean(), rel=1e-4
        )


def test_equivalent_dose_is_the_mean_of_poisson_counts_for_any_gain() -> None:
    counts = np.random.default_rng(0).poisson(25.0, SHAPE).astype(np.float32)
    for gain in (1.0, 37.0):
        dose = value(grey.equivalent_dose_count, view_of(counts * gain))
        assert dose == pytest.approx(25.0, rel=0.1)


def test_centred_grey_values_have_no_brightness() -> None:
    for feature in (grey.grey_mean_count, grey.equivalent_dose_count):
        answer = feature.measure(view_of(noise() * 40 + 1e-3))
        assert answer == Absent("the grey values have been centred, so their mean says nothing")


def test_pictures_have_no_counts() -> None:
    view = view_of(noise() * 20 + 128, has_counts=False)
    for feature in (grey.grey_mean_count, grey.equivalent_dose_count):
        answer = feature.measure(view)
        assert isinstance(answer, Absent)
        assert "do not count electrons" in answer.reason


def test_detector_faults_are_counted() -> None:
    pixels = noise() * 3 + 100
    pixels[40] = 0.0
    pixels[:, 7] = 300.0
    pixels[300:420, 100:260] = 100.0
    pixels[[10, 20], [10, 20]] = 5000.0
    view = view_of(pixels)
    assert value(grey.dead_line_fraction, view) == pytest.approx(1 / 512)
    assert value(grey.hot_pixel_fraction, view) == pytest.approx(2 / pixels.size)
    assert value(grey.flat_area_fraction, view) == pytest.approx(120 * 160 / pixels.size, abs=0.03)
    assert value(grey.flat_area_fraction, BLANK) == 0.0


def test_line_pattern_is_seen_on_the_axes_of_the_spectrum() -> None:
    lines = noise() + 0.5 * np.random.default_rng(2).standard_normal((512, 1))
    assert value(grey.line_pattern_ratio, BLANK) == pytest.approx(1.0, abs=0.15)
    assert value(grey.line_pattern_ratio, view_of(lines)) > 5


def test_contrast_to_noise_is_the_amplitude_ratio() -> None:
    assert value(grey.contrast_to_noise, BLANK) == pytest.approx(1.0, abs=0.06)
    faint = value(grey.contrast_to_noise, view_of(noise() + 0.3 * smooth(6)))
    strong = value(grey.contrast_to_noise, view_of(noise() + 0.9 * smooth(6)))
    assert strong**2 - 1 == pytest.approx(9 * (faint**2 - 1), rel=0.1)


def test_tails_and_outliers_show_dark_bodies_on_one_side_only() -> None:
    pixels = noise()
    pixels[100:140, 100:164] -= 20.0
    view = view_of(pixels)
    assert value(grey.dark_outlier_fraction, view) == pytest.approx(40 * 64 / pixels.size, rel=0.3)
    assert value(grey.bright_outlier_fraction, view) == 0.0
    assert value(grey.grey_skewness, view) < value(grey.grey_skewness, BLANK) - 0.5
    assert value(grey.grey_tail_weight, BLANK) == pytest.approx(1.0, abs=0.03)
    assert value(grey.grey_tail_weight, view) > 3


def test_two_levels_are_bimodal_and_a_gaussian_is_not() -> None:
    halves = noise() + np.where(np.arange(640) < 300, 0.0, 6.0)
    assert value(grey.grey_bimodality, BLANK) == pytest.approx(2 / np.pi, abs=0.03)
    assert value(grey.grey_bimodality, view_of(halves)) > 0.97


def test_gradient_is_told_from_other_slow_structure() -> None:
    y, x = np.mgrid[-1:1:512j, -1:1:640j]
    surface = 1.5 * x + 0.8 * y * y
    view = view_of(noise() + surface)
    assert value(grey.gradient_fraction, view) > 0.97
    inner = surface[16:-16, 20:-20]  # without the border of a 32nd
    expected = inner.std() / view.grey.deviation
    assert value(grey.gradient_strength, view) == pytest.approx(expected, rel=0.05)
    blotchy = view_of(noise() + smooth(24))
    assert value(grey.gradient_fraction, blotchy) < 0.4


def test_local_variance_spread_shows_an_uneven_field() -> None:
    uneven = noise() * np.where(np.arange(512)[:, None] < 200, 1.0, 3.0)
    assert value(grey.local_variance_spread, BLANK) < 0.15
    assert value(grey.local_variance_range, view_of(uneven)) == pytest.approx(np.log(9), rel=0.15)


def test_contrast_shares_add_up_and_name_the_scale() -> None:
    shares = (
        grey.contrast_share_field,
        grey.contrast_share_large,
        grey.contrast_share_medium,
        grey.contrast_share_fine,
    )
    # Structures of about 60, 16 and 4 pixels: 1/2πσ of 640 pixels is the middle of their band.
    for scale, strongest in ((60.0, 0), (12.0, 1), (4.0, 2)):
        view = view_of(0.1 * noise() + smooth(scale))
        values = [value(share, view) for share in shares]
        assert sum(values) == pytest.approx(1.0)
        assert int(np.argmax(values)) == strongest


def test_slopes_and_flatness_show_a_blank_exposure() -> None:
    assert value(grey.spectral_slope_large, BLANK) == pytest.approx(0.0, abs=0.5)
    assert value(grey.spectral_slope_medium, BLANK) == pytest.approx(0.0, abs=0.05)
    assert value(grey.spectrum_flatness, BLANK) == pytest.approx(1.0, abs=0.01)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(640)[None, :])
    frequency[0, 0] = 1
    steep = np.fft.irfft2(np.fft.rfft2(noise()) / frequency**1.0, s=SHAPE)
    view = view_of(steep)
    assert value(grey.spectral_slope_medium, view) == pytest.approx(-2.0, abs=0.1)
    assert value(grey.spectral_slope_large, view) == pytest.approx(-2.0, abs=0.8)
    assert value(grey.spectrum_flatness, view) < 0.3


def test_robust_z_of_brightness_over_a_data_set_follows_no_gain_and_offset() -> None:
    def robust_z(values: list[float]) -> NDArray[np.float64]:
        a = np.asarray(values)
        centred = a - np.median(a)
        return np.asarray(centred / (1.4826 * np.median(np.abs(centred))))

    rng = np.random.default_rng(5)
    images = [rng.poisson(mean, (96, 96)).astype(np.float32) for mean in (20, 21, 22, 24, 35)]
    plain = robust_z([value(grey.grey_mean_count, view_of(a)) for a in images])
    moved = robust_z([value(grey.grey_mean_count, view_of(a * 4.0 + 300.0)) for a in images])
    np.testing.assert_allclose(moved, plain, rtol=1e-3)
    assert plain[-1] > 4
