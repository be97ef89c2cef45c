"""What goes wrong in the detector: dead rows and columns, hot pixels, lost blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.grid import FloatArray


def break_pixels(
    rng: np.random.Generator, counts: FloatArray, fraction: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return counts with broken rows, columns, blocks and pixels over ``fraction``; and where.

    Rows and columns are dead, stuck at a level, or flicker; blocks (a read-out tile) are dead or
    have lost their gain correction; single pixels are hot.
    """
    ny, nx = counts.shape
    broken = np.zeros(counts.shape, dtype=np.bool_)
    out = counts.copy()
    mean, sigma = float(counts.mean()), float(counts.std()) + 1e-6
    if fraction > 0.15 and rng.random() < 0.7:
        tile_y, tile_x = ny // int(rng.choice([2, 4])), nx // int(rng.choice([2, 4, 8]))
        while float(broken[::4, ::4].mean()) < fraction - 0.05:
            y, x = (int(rng.integers(0, n // t)) * t for n, t in ((ny, tile_y), (nx, tile_x)))
            tile = (slice(y, y + tile_y), slice(x, x + tile_x))
            kind = int(rng.integers(0, 3))
            if kind == 0:
                out[tile] = 0.0
            elif kind == 1:
                out[tile] = mean + 0.15 * (out[tile] - mean) + rng.normal(0.0, 4.0) * sigma
            else:
                stripes = rng.normal(0.0, 3.0 * sigma, (1, tile_x)).astype(np.float32)
                out[tile] += stripes
            broken[tile] = True
    while float(broken[::2, ::2].mean()) < fraction:
        width = int(min(rng.geometric(0.25), 1 + fraction * nx))
        level = float(rng.choice([0.0, 0.3 * mean, 1.4 * mean, mean + 8.0 * sigma]))
        if rng.random() < 0.5:
            at = int(rng.integers(0, ny))
            line = (slice(at, at + width), slice(None))
        else:
            at = int(rng.integers(0, nx))
            line = (slice(None), slice(at, at + width))
        out[line] = level
        broken[line] = True
    return out, broken


def heat_pixels(
    rng: np.random.Generator, counts: FloatArray, fraction: float, binning: float
) -> None:
    """Make ``fraction`` of the pixels hot or dead in place, as every detector has a few.

    One hot pixel of the detector is thinned by ``binning`` squared.
    """
    number = int(rng.poisson(fraction * counts.size))
    if number == 0:
        return
    at = rng.integers(0, counts.size, number)
    excess = np.where(rng.random(number) < 0.7, rng.lognormal(0.3, 0.8, number), -1.0)
    flat = counts.reshape(-1)
    flat[at] += (float(counts.mean()) * excess / max(1.0, binning) ** 2).astype(np.float32)
