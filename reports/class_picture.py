"""A class average as a picture on a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# What a tile shows; larger averages are made smaller, small ones are left to the browser.
LARGEST_PX = 192
TAILS = (0.5, 99.7)


def draw_average(pixels: NDArray[np.float32], *, inverted: bool) -> NDArray[np.uint8]:
    """Return an average ``(y, x)`` as grey values, the particle bright, its tails cut."""
    shown = -pixels if inverted else pixels
    step = -(-max(shown.shape) // LARGEST_PX)
    if step > 1:
        rows, columns = (n // step * step for n in shown.shape)
        blocks = shown[:rows, :columns].reshape(rows // step, step, columns // step, step)
        shown = blocks.mean(axis=(1, 3))
    low, high = np.percentile(shown, TAILS)
    scaled = (shown - low) / max(float(high - low), 1e-12)
    return np.asarray(np.rint(255.0 * np.clip(scaled, 0.0, 1.0)), dtype=np.uint8)


def write_average(path: Path, grey: NDArray[np.uint8]) -> None:
    """Write grey values as a PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path, "PNG", optimize=False)
