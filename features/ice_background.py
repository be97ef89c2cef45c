"""The smooth background of an image: ice of varying thickness and uneven illumination."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.cell_grid import cell_means

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]

BLOCKS = 16
FEWEST_PIXELS = 0.15
ITERATIONS = 12


def smooth_background(image: _Float, free: NDArray[np.bool_]) -> _Float:
    """Return the quadratic surface that runs through the undisturbed parts of ``image``.

    It is fitted to the medians of about 16 × 16 blocks of the ``free`` pixels, with weights that
    fall off faster for dark blocks than for bright ones: what lies in the beam makes the image
    darker, never brighter. Blocks with few free pixels do not count.
    """
    shape = (image.shape[0], image.shape[1])
    step = max(shape) / BLOCKS
    rows, columns = (max(3, round(n / step)) for n in shape)
    small, known = _halved(image, free)
    medians = _block_medians(small, known, (rows, columns))
    terms = _quadratic(_places(rows), _places(columns)).reshape(-1, 6)
    known = np.isfinite(medians)
    if np.count_nonzero(known) < 12:
        level = float(np.median(image[free])) if free.any() else float(np.median(image))
        return np.full(shape, level, np.float32)
    coefficients = _robust_fit(terms[known], medians[known])
    surface = _quadratic(_places(shape[0]), _places(shape[1])) @ coefficients
    return np.asarray(surface, np.float32)


def _halved(image: _Float, free: NDArray[np.bool_]) -> tuple[_Float, NDArray[np.bool_]]:
    """Return the image at half the sampling, and which of its pixels are wholly free."""
    shape = (-(-image.shape[0] // 2), -(-image.shape[1] // 2))
    return cell_means(image, shape), cell_means(free.astype(np.float32), shape) > 0.99


def _places(count: int) -> _Double:
    """Return the centres of ``count`` intervals of [-1, 1]."""
    return np.asarray((np.arange(count) + 0.5) * (2.0 / count) - 1.0, np.float64)


def _quadratic(y: _Double, x: _Double) -> _Double:
    """Return the six terms of a quadratic surface, ``(y, x, 6)``."""
    y, x = y[:, None], x[None, :]
    flat = np.zeros((y.shape[0], x.shape[1]))
    parts = [flat + 1.0, flat + x, flat + y, flat + x * x, x * y, flat + y * y]
    return np.stack(parts, axis=-1)


def _block_medians(image: _Float, free: NDArray[np.bool_], blocks: tuple[int, int]) -> _Double:
    """Return the median of the free pixels of each block, NaN where there are few."""
    row, rows_inside = _block_numbers(image.shape[0], blocks[0])
    column, columns_inside = _block_numbers(image.shape[1], blocks[1])
    free = free & rows_inside[:, None] & columns_inside[None, :]
    count = blocks[0] * blocks[1]
    fewest = max(4, int(FEWEST_PIXELS * image.size / count))
    number = (row[:, None] * blocks[1] + column[None, :])[free]
    order = np.lexsort((image[free], number))
    values, number = image[free][order], number[order]
    starts = np.searchsorted(number, np.arange(count + 1))
    sizes = np.diff(starts)
    medians = np.full(count, np.nan)
    full = sizes >= fewest
    middle = starts[:-1][full] + sizes[full] // 2
    lower = starts[:-1][full] + (sizes[full] - 1) // 2
    medians[full] = (values[middle].astype(np.float64) + values[lower]) / 2.0
    return medians


def _block_numbers(pixels: int, blocks: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the block of each pixel of an axis, and whether it lies wholly in one.

    A pixel whose centre lies on the border of two blocks is in neither, so that the blocks of the
    reversed axis are the reversed blocks.
    """
    place = (2 * np.arange(pixels) + 1) * blocks
    return np.asarray(place // (2 * pixels), np.intp), place % (2 * pixels) != 0


def _robust_fit(terms: _Double, values: _Double) -> _Double:
    """Return the coefficients of an iteratively reweighted least-squares fit."""
    weights: _Double = np.ones(len(values))
    coefficients: _Double = np.zeros(terms.shape[1])
    smallest = 1e-4 * float(np.ptp(values)) + 1e-9
    for _ in range(ITERATIONS):
        fit = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)
        coefficients = fit[0].astype(np.float64)
        rest = values - terms @ coefficients
        scale = 1.4826 * float(np.median(np.abs(rest))) + smallest
        dark, bright = np.minimum(rest, 0.0) / (2.0 * scale), np.maximum(rest, 0.0) / (4.0 * scale)
        weights = 1.0 / ((1.0 + dark * dark) * (1.0 + bright * bright))
    return coefficients
