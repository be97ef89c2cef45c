"""Preparing a view: statistics, faults, spectrum, coarse image, sign of the contrast."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.averaged_power import averaged_power
from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View

Float = NDArray[np.float32]
MICROGRAPH = Micrograph(subject="mics/a.mrc", path=Path("mics/a.mrc"))


def view_of(pixels: NDArray[Any], **image: Any) -> View:
    return prepare(MICROGRAPH, Image(pixels=pixels, **image), Optics(pixel_size_a=1.5))


def noise(shape: tuple[int, int], seed: int = 0) -> Float:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def with_discs(pixels: Float, depth: float, *, radius: float = 9.0, count: int = 60) -> Float:
    """Return the image with discs ``depth`` darker than what is around them."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    out = pixels.copy()
    for cy, cx in rng.uniform(0, 1, (count, 2)) * pixels.shape:
        out[np.hypot(y - cy, x - cx) < radius] -= np.float32(depth)
    return out


def whole(power: NDArray[Any]) -> NDArray[Any]:
    """Return the centred full spectrum, without the Nyquist row and column, of a half one."""
    mirrored = np.roll(power[::-1, 1:-1][:, ::-1], 1, axis=0)
    return np.fft.fftshift(np.concatenate((power, mirrored), axis=1))[1:, 1:]


def test_pixels_have_median_0_and_deviation_1_and_the_raw_statistics_are_kept() -> None:
    view = view_of(noise((300, 400)) * 7 + 1000)
    assert np.median(view.pixels) == pytest.approx(0.0, abs=0.01)
    assert view.pixels.std() == pytest.approx(1.0, abs=0.01)
    assert view.grey.mean == pytest.approx(1000, abs=0.1)
    assert view.grey.deviation == pytest.approx(7, abs=0.05)


def test_deviation_is_that_of_the_field_and_not_of_a_few_strong_objects() -> None:
    pixels = noise((300, 300))
    pixels[:20, :20] += 500
    assert view_of(pixels).grey.deviation == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("shape", [(512, 512), (640, 480), (501, 333), (1023, 715), (96, 64)])
def test_power_of_white_noise_is_one_everywhere(shape: tuple[int, int]) -> None:
    spectrum = view_of(noise(shape)).spectrum
    box = min(512, min(shape) // 2 * 2)
    assert spectrum.power.shape == (box, box // 2 + 1)
    assert spectrum.samples == pytest.approx(shape[0] * shape[1] / box**2)
    assert spectrum.power[1:].mean() == pytest.approx(1.0, rel=0.02)
    for line in (spectrum.power[3:, 0], spectrum.power[:, -1], spectrum.power[box // 2]):
        assert line.mean() == pytest.approx(1.0, rel=5 * (spectrum.samples * len(line)) ** -0.5)
    # The scatter is that of ``samples`` averaged exponential variables, a little less by overlap.
    inner = spectrum.power[box // 8 : box // 4, box // 8 : box // 4]
    assert inner.std() == pytest.approx(spectrum.samples**-0.5, rel=0.35)


@pytest.mark.parametrize("shape", [(48, 64), (51, 37), (64, 45)])
def test_averaged_power_is_the_overlap_weighted_mean_of_the_full_spectrum(
    shape: tuple[int, int],
) -> None:
    transform = np.fft.rfft2(noise(shape)).astype(np.complex64)
    full = np.abs(np.fft.fft2(np.fft.irfft2(transform, s=shape))) ** 2 / (shape[0] * shape[1])
    box = 16

    def weights(length: int) -> NDArray[np.float64]:
        source = np.arange(length) / length
        distance = source[None, :] - (np.arange(box) / box)[:, None]
        distance -= np.rint(distance)
        low = np.maximum(distance - 0.5 / length, -0.5 / box)
        high = np.minimum(distance + 0.5 / length, 0.5 / box)
        overlap = np.clip(high - low, 0, None)
        # The cell at Nyquist reaches round the end of the axis.
        low = np.maximum(1 - np.abs(distance) - 0.5 / length, -0.5 / box)
        high = np.minimum(1 - np.abs(distance) + 0.5 / length, 0.5 / box)
        return np.asarray((overlap + np.clip(high - low, 0, None)) * box)

    expected = weights(shape[0]) @ full @ weights(shape[1]).T
    np.testing.assert_allclose(
        averaged_power(transform, shape, box), expected[:, : box // 2 + 1], rtol=2e-4
    )


def test_a_wave_is_found_at_its_frequency_with_its_power() -> None:
    height, width = 600, 800
    y, x = np.mgrid[:height, :width]
    wave = np.sqrt(2) * np.cos(2 * np.pi * (0.125 * x + 0.25 * y))
    power = view_of(wave.astype(np.float32) + 0.01 * noise((height, width))).spectrum.power
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    assert (int(row), int(column)) == (128, 64)
    around = power[127:130, 63:66].sum()
    # One of the two conjugate halves of a variance of 1, in units of a white cell of 1.
    assert around == pytest.approx(512 * 512 / 2, rel=0.02)


def test_coarse_image_is_the_image_at_the_centres_of_its_pixels() -> None:
    height, width = 768, 1024
    y, x = np.mgrid[:height, :width]

    def scene(y: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.cos(2 * np.pi * y / 96) - np.sin(2 * np.pi * x / 64) - 0.3)

    pixels = (scene(y, x) + 1e-4 * noise((height, width))).astype(np.float32)
    view = view_of(pixels)
    assert view.coarse.shape == (384, 512)
    assert view.coarse_step_px == 2.0
    cy, cx = np.mgrid[:384, :512]
    expected = scene(2 * cy + 0.5, 2 * cx + 0.5)
    got = view.coarse * view.grey.deviation * (-1 if view.inverted else 1)
    shift = float((got - expected).mean())
    np.testing.assert_allclose(got - shift, expected, atol=0.1)
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose((got - shift)[inner], expected[inner], atol=5e-3)


def test_a_brightness_ramp_leaves_no_cross_and_no_ringing() -> None:
    shape = (1024, 1024)
    ramp = 20 * (np.mgrid[: shape[0], : shape[1]][0] / shape[0]).astype(np.float32)
    view = view_of(ramp + noise(shape))
    scale = 1 / view.grey.deviation**2
    assert view.spectrum.power[30:480, 0].mean() == pytest.approx(scale, rel=0.1)
    sign = -1 if view.inverted else 1
    rows = sign * view.coarse.mean(axis=1) * view.grey.deviation
    expected = 20 * (np.arange(512) * 2 + 0.5) / 1024
    np.testing.assert_allclose(rows - rows.mean(), expected - expected.mean(), atol=0.35)


def test_hot_and_dead_pixels_are_replaced_by_their_surroundings() -> None:
    clean = noise((256, 320)) * 5 + 100
    broken = clean.copy()
    broken[[10, 0, 255], [20, 0, 319]] = [1e30, 60000.0, -9000.0]
    view, reference = view_of(broken), view_of(clean)
    assert view.grey.hot_fraction == pytest.approx(3 / broken.size)
    assert reference.grey.hot_fraction == 0.0
    assert np.abs(view.pixels[[10, 0, 255], [20, 0, 319]]).max() < 1.0
    assert view.grey.mean == pytest.approx(reference.grey.mean, rel=1e-4)
    np.testing.assert_allclose(view.spectrum.power, reference.spectrum.power, rtol=0.2, atol=0.02)


def test_a_dark_body_is_no_hot_pixel() -> None:
    pixels = noise((256, 256))
    pixels[40:80, 40:80] -= 60
    view = view_of(pixels)
    assert view.grey.hot_fraction == 0.0
    assert view.pixels[60, 60] < -40


def test_stuck_lines_are_bridged_and_long_runs_become_flat() -> None:
    pixels = noise((300, 400)) + 50
    broken = pixels.copy()
    broken[100] = 0.0
    broken[:, 30:32] = 80.0
    broken[290:] = 0.0
    view = view_of(broken)
    assert view.grey.dead_line_fraction == pytest.approx(11 / 300)
    assert (view.pixels[290:] == 0.0).all()
    np.testing.assert_allclose(
        view.pixels[100, 40:], (view.pixels[99, 40:] + view.pixels[101, 40:]) / 2, rtol=1e-5
    )
    assert np.abs(view.pixels[:290, 30:32]).max() < 6


def test_sparse_counts_have_no_stuck_lines() -> None:
    counts = np.random.default_rng(1).poisson(0.3, (300, 300)).astype(np.float32)
    assert view_of(counts).grey.dead_line_fraction == 0.0


@pytest.mark.parametrize(("level", "expected"), [(255.0, 0.04), (None, 0.04), (65535.0, 0.0)])
def test_saturated_fraction_is_the_share_at_the_top(level: float | None, expected: float) -> None:
    pixels = np.clip(noise((200, 200)) * 10 + 100, 0, 250)
    pixels[:40, :40] = 255.0
    view = view_of(pixels.astype(np.float32), saturation_level=level, has_counts=False)
    assert view.grey.saturated_fraction == pytest.approx(expected)


@pytest.mark.parametrize("depth", [0.8, 3.0])
def test_white_particles_are_found_inverted_and_made_dark(depth: float) -> None:
    dark = with_discs(noise((480, 560)), depth)
    normal, turned = view_of(dark), view_of(-dark)
    assert not normal.inverted
    assert turned.inverted
    np.testing.assert_array_equal(turned.pixels, normal.pixels)
    np.testing.assert_array_equal(turned.coarse, normal.coarse)
    np.testing.assert_array_equal(turned.spectrum.power, normal.spectrum.power)


def test_counts_tell_the_sign_even_where_most_of_the_field_is_dark() -> None:
    expected = np.full((512, 512), 40.0)
    expected[np.hypot(*(np.mgrid[:512, :512] - 250.0)) > 120] = 15.0
    counts = np.random.default_rng(3).poisson(expected).astype(np.float32)
    assert not view_of(counts).inverted
    assert view_of(-counts).inverted


@pytest.mark.parametrize("shape", [(640, 480), (501, 333), (767, 1001)])
def test_view_of_a_rotated_image_is_the_rotated_view(shape: tuple[int, int]) -> None:
    pixels = with_discs(noise(shape), 2.0)
    pixels[5, 7] = 300.0
    view, turned = view_of(pixels), view_of(np.ascontiguousarray(np.rot90(pixels)))
    np.testing.assert_array_equal(turned.pixels, np.rot90(view.pixels))
    np.testing.assert_allclose(turned.coarse, np.rot90(view.coarse), atol=2e-5)
    np.testing.assert_allclose(
        whole(turned.spectrum.power), np.rot90(whole(view.spectrum.power)), rtol=2e-3
    )


def test_gain_offset_and_byte_order_do_not_matter() -> None:
    pixels = with_discs(noise((400, 300)), 2.0)
    view = view_of(pixels)
    for other in (view_of(pixels * 13 - 4000), view_of(pixels.astype(">f4"))):
        np.testing.assert_allclose(other.pixels, view.pixels, atol=2e-3)
        assert other.pixels.dtype == np.dtype("float32")


def test_view_cannot_be_written_to() -> None:
    view = view_of(noise((64, 64)))
    with pytest.raises(ValueError, match="read-only"):
        view.pixels[0, 0] = 1.0


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.full((64, 64), 5.0, np.float32), "all pixels have the same value"),
        (np.where(np.eye(64) > 0, np.nan, noise((64, 64))), "holds NaN or Inf"),
        (np.where(np.arange(64) == 33, np.inf, noise((64, 64))), "holds NaN or Inf"),
        (noise((20, 500)), "20 × 500 pixels"),
        (np.zeros((3, 64, 64), np.float32), "3 × 64 × 64 pixels"),
    ],
)
def test_unusable_images_are_refused_by_name(pixels: NDArray[Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        view_of(pixels.astype(np.float32))
    assert str(refused.value).startswith("mics/a.mrc: ")
    assert "\n" not in str(refused.value)


@pytest.mark.real_data
def test_real_micrographs_of_normal_contrast_are_not_inverted(shared_data: Path) -> None:
    """All of them are of normal contrast; empty and nearly empty ones are noise without a sign."""
    from PIL import Image as Picture

    folder = shared_data / "micrographs" / "quality"
    looked_at = 0
    with (folder / "labels.csv").open() as table:
        for row in csv.DictReader(table):
            if row["label"] in ("empty_no_ice", "decent"):
                continue
            pixels = np.asarray(Picture.open(folder / row["file"]).convert("F"))
            for sign in (1, -1):
                view = view_of(sign * pixels, has_counts=False)
                assert view.inverted == (sign < 0), row["file"]
            looked_at += 1
    assert looked_at >= 15
