"""Class averages as pictures beside a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SMALLEST_SIDE_PX = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTile:
    """One class on the sheet: its number from 1, its picture, and what is known of it.

    ``resolution_a`` and the accuracies are ``None`` where unknown.
    """

    number: int
    address: str
    count: int
    share: float
    resolution_a: float | None
    rotation_accuracy_deg: float | None = None
    shift_accuracy_a: float | None = None


def write_averages(
    folder: Path, averages: NDArray[np.float32], numbers: Sequence[int], name: str = "classes"
) -> list[str]:
    """Write one PNG a class below ``folder/NAME``; return their addresses on the page.

    Grey from the 0.5 to the 99.5 percentile of each average by itself.
    """
    from PIL import Image

    (folder / name).mkdir(parents=True, exist_ok=True)
    found = []
    for average, number in zip(averages, numbers, strict=True):
        image = Image.fromarray(grey(average))
        times = max(1, -(-SMALLEST_SIDE_PX // image.width))
        if times > 1:
            size = (image.width * times, image.height * times)
            image = image.resize(size, Image.Resampling.BICUBIC)
        address = f"{name}/{number:04d}.png"
        image.save(folder / address, optimize=True)
        found.append(address)
    return found


def grey(average: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an average as 8-bit grey; a flat one is black."""
    low, high = np.percentile(average, [0.5, 99.5])
    if not high > low:
        return np.zeros(average.shape, dtype=np.uint8)
    return np.asarray(np.clip((average - low) / (high - low), 0.0, 1.0) * 255, dtype=np.uint8)
