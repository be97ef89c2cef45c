"""The thumbnail and the picture of the spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.pictures import Pictures, pictures
from cryoverdict.features.prepare import prepare


def pictures_of(pixels: np.ndarray) -> Pictures:
    micrograph = Micrograph(subject="a", path=Path("a.mrc"))
    return pictures(prepare(micrograph, Image(pixels=pixels.astype(np.float32)), Optics()))


@pytest.mark.parametrize(
    ("shape", "small"), [((600, 900), (170, 256)), ((100, 80), (100, 80)), ((512, 512), (256, 256))]
)
def test_thumbnail_is_small_and_shows_what_is_dark(
    shape: tuple[int, int], small: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).standard_normal(shape)
    height, width = shape
    pixels[: height // 4, : width // 4] -= 8.0
    thumbnail = pictures_of(pixels).thumbnail
    assert thumbnail.dtype == np.uint8
    assert thumbnail.shape == small
    assert thumbnail[: small[0] // 5, : small[1] // 5].mean() < 80
    assert thumbnail[small[0] // 3 :, small[1] // 3 :].mean() > 130


def test_spectrum_shows_a_wave_as_two_bright_spots_about_the_middle() -> None:
    y, x = np.mgrid[:600, :700]
    noise = np.random.default_rng(0).standard_normal((600, 700))
    spectrum = pictures_of(noise + 0.5 * np.cos(2 * np.pi * (0.25 * x - 0.125 * y))).spectrum
    assert spectrum.shape == (256, 256)
    # 0.25 cycles a pixel is half the way from the middle to the border.
    for row, column in ((96, 192), (160, 64)):
        assert spectrum[row - 1 : row + 2, column - 1 : column + 2].max() == 255
    assert spectrum[155:165, 187:197].max() < 255
