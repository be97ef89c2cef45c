"""The noise of the undisturbed ice, and how far anything stands out of it.

Noise is measured on the light side of the grey-value distribution and in the quiet quarter of the
image, because particles and contamination are dark. In a dense field of particles the particles
themselves are that noise, and only what is darker than them stands out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.cell_grid import cell_means

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

HISTOGRAM_BINS = 4096


def smoothed(image: _Float, scale: float) -> _Float:
    """Return ``image`` smoothed by a Gaussian of a deviation of ``scale`` pixels.

    Wide ones are computed at half the sampling.
    """
    from scipy import ndimage

    if scale < 4.0:
        return np.asarray(ndimage.gaussian_filter(image, scale, truncate=3.0), np.float32)
    shape = (-(-image.shape[0] // 2), -(-image.shape[1] // 2))
    half = ndimage.gaussian_filter(cell_means(image, shape), scale / 2.0, truncate=3.0)
    zoom = (image.shape[0] / shape[0], image.shape[1] / shape[1])
    wide = ndimage.zoom(half, zoom, order=1, grid_mode=True, mode="nearest")
    return np.asarray(wide, np.float32)


def undisturbed(image: _Float, free: _Bool, scale: float) -> tuple[float, float]:
    """Return level and deviation of the undisturbed image, smoothed at ``scale``.

    The level is the median after dark outliers are cut off. The deviation is the smaller of that
    of the light side and that within blocks of twelve scales, in the quietest quarter of them.
    """
    level, light = _light_side(image[free])
    blocks = tuple(int(n / (12.0 * scale)) for n in image.shape)
    if min(blocks) < 3:
        return level, light
    shape = (blocks[0], blocks[1])
    known = cell_means(free.astype(np.float32), shape)
    inside = np.where(free, image - np.float32(level), np.float32(0.0))
    mean = cell_means(inside, shape) / np.maximum(known, 1e-3)
    square = cell_means(inside * inside, shape) / np.maximum(known, 1e-3)
    variance = (square - mean * mean)[known > 0.5]
    if len(variance) < 9:
        return level, light
    # In white noise the quietest quarter of such blocks has 1 / 1.16 of the deviation.
    quiet = 1.16 * float(np.sqrt(max(np.quantile(variance, 0.25), 0.0)))
    return level, max(min(light, quiet), 1e-9)


def _light_side(values: _Float) -> tuple[float, float]:
    """Return the median of the undisturbed values and the deviation of their light side.

    Values below the median by 3 deviations, or above it by 4, are cut off until none is left, on
    a histogram.
    """
    low, level, high = (float(q) for q in np.quantile(values, (0.1587, 0.5, 0.8413)))
    width = max(high - low, 1e-9)
    start, stop = level - 4.0 * width, level + 4.0 * width
    counts, edges = np.histogram(values, HISTOGRAM_BINS, (start, stop))
    below = np.concatenate(([0.0], np.cumsum(counts)))
    light = max(high - level, 1e-9)
    cut = (start, stop)
    for _ in range(8):
        cut = (max(cut[0], level - 3.0 * light), min(cut[1], level + 4.0 * light))
        first, last = np.interp(cut, edges, below)
        if last <= first:
            break
        wanted = first + (last - first) * np.array([0.5, 0.8413])
        new_level, bright = np.interp(wanted, below, edges)
        settled = abs(float(new_level) - level) < 1e-3 * light
        level, light = float(new_level), max(float(bright - new_level), 1e-9)
        if settled:
            break
    return level, light


def clearness(image: _Float, free: _Bool, noise: tuple[float, float]) -> _Float:
    """Return how far each free pixel of a smoothed image is darker than the level, in noises."""
    clear = (np.float32(noise[0]) - image) / np.float32(noise[1])
    return np.asarray(np.where(free, clear, np.float32(0.0)), np.float32)
