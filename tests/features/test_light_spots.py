"""Light spots: what bubbles do, and what dark things do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.image import Image
from cryoverdict.features.light_spots import light_patch_height, light_spot_height
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View

SIDE = 1024


def discs(radius: float, height: float, count: int = 12) -> NDArray[np.float32]:
    """Return noise of deviation 1 with discs of a height, far below each pixel's noise."""
    rng = np.random.default_rng(3)
    image = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    y, x = np.ogrid[:SIDE, :SIDE]
    for _ in range(count):
        at_y, at_x = rng.uniform(100, SIDE - 100, 2)
        image[np.hypot(y - at_y, x - at_x) < radius] += np.float32(height)
    return image


def view_of(pixels: NDArray[np.float32]) -> View:
    """Return the view of an image with many small dark things, so that its contrast is known."""
    pixels = pixels.copy()
    for y, x in np.random.default_rng(5).integers(5, SIDE - 5, (500, 2)):
        pixels[y - 1 : y + 2, x - 1 : x + 2] -= 6.0
    return prepare(Micrograph(subject="a", path=Path("a.mrc")), Image(pixels=pixels), Optics())


@pytest.mark.parametrize(
    ("feature", "radius", "noise"), [(light_spot_height, 10, 2.9), (light_patch_height, 20, 3.0)]
)
def test_light_discs_stand_out_and_dark_ones_do_not(
    feature: object, radius: int, noise: float
) -> None:
    measured = [
        feature.measure(view_of(discs(radius, height)))  # type: ignore[attr-defined]
        for height in (0.0, 0.4, 0.8, -0.8)
    ]
    assert measured[0] == pytest.approx(noise, abs=0.35)
    assert measured[1] > measured[0] + 0.7
    assert measured[2] > measured[1] + 2.0
    assert measured[3] < measured[2]
