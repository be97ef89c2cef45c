"""A power spectrum averaged over sectors of rings, on which a CTF is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.power_spectrum import PowerSpectrum

SECTORS = 24
"""Sectors of 7.5° over the half circle; the other half is its mirror image."""

AXIS_HALF_WIDTH_PX = 1
"""Cells this near to the vertical or horizontal axis carry the cross of the image's border."""

SPOT_DEVIATIONS = 4.0
"""Cells this many robust deviations above their ring are spots (ice, lattices) and are clipped."""


LEAST_DEVIATION = 1e-3
"""No spectrum has less noise than this; an image of two grey values would seem to."""

STREAK_RATIO = 3.0
"""Bins this many times brighter than the median of their ring are streaks of edges, left out; the
rings of strong carbon film stay below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolarSpectrum:
    """Mean power in sectors (24, over 180°) and rings (one cell wide).

    ``power`` and ``cells`` are ``(sectors, rings)``: the mean, and the number of cells in it.
    ``frequency`` ``(rings,)`` is the mean frequency of a ring in 1/Å, ``square`` ``(rings,)`` the
    mean squared power of its cells, ``azimuth`` ``(sectors,)`` the middle of a sector in radians.
    ``deviation`` is the relative standard deviation of a single cell
    around its ring (robust), ``spot_fraction`` the fraction of cells that were clipped as spots.
    """

    power: NDArray[np.float64]
    cells: NDArray[np.float64]
    frequency: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    square: NDArray[np.float64]
    deviation: float
    spot_fraction: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which cells of a grid belong to which ring and sector; the same for all spectra of a box."""

    cell: NDArray[np.int64]
    ring: NDArray[np.int64]
    bin: NDArray[np.int64]
    radius: NDArray[np.float64]
    ring_cells: NDArray[np.float64]
    cells: NDArray[np.float64]


@lru_cache(maxsize=8)
def _layout(box: int, first: int, last: int) -> _Layout:
    """Return the layout of the rings ``first`` to ``last`` (cells from the origin) of a grid."""
    fy = np.rint(np.fft.fftfreq(box) * box)[:, None]
    fx = np.arange(box // 2 + 1, dtype=np.float64)[None, :]
    radius = np.hypot(fy, fx)
    ring = np.rint(radius).astype(np.int64)
    on_axis = (np.abs(fx) <= AXIS_HALF_WIDTH_PX) | (np.abs(fy) <= AXIS_HALF_WIDTH_PX)
    cell = np.flatnonzero((ring >= first) & (ring <= last) & ~on_axis)
    azimuth = (np.arctan2(fy, fx) % pi).ravel()[cell]
    sector = np.floor(azimuth * (SECTORS / pi) + 1e-9).astype(np.int64) % SECTORS
    rings = last - first + 1
    ring = ring.ravel()[cell] - first
    index = sector * rings + ring
    ring_cells = np.bincount(ring, minlength=rings).astype(np.float64)
    cells = np.bincount(index, minlength=SECTORS * rings).astype(np.float64)
    mean = np.bincount(ring, radius.ravel()[cell], minlength=rings) / np.maximum(ring_cells, 1.0)
    return _Layout(cell, ring, index, mean, ring_cells, cells.reshape(SECTORS, rings))


def average_sectors(
    spectrum: PowerSpectrum, pixel_size_a: float, low: float, high: float
) -> PolarSpectrum:
    """Return the sector averages between two frequencies (1/Å), spots clipped, axes left out."""
    step = 1.0 / (spectrum.box * pixel_size_a)
    first = max(2 * AXIS_HALF_WIDTH_PX + 2, round(low / step))
    last = max(first + 1, min(spectrum.box // 2 - 1, round(high / step)))
    layout = _layout(spectrum.box, first, last)
    power = spectrum.power.ravel()[layout.cell].astype(np.float64)
    floor = float(power.max(initial=0.0)) * 1e-12 + 1e-100
    log = np.log(np.maximum(power, floor))
    count = np.maximum(layout.ring_cells, 1.0)
    rings = layout.radius.size
    for limit in (6.0, SPOT_DEVIATIONS):
        level = np.bincount(layout.ring, log, minlength=rings) / count
        apart = log - level[layout.ring]
        spread = 1.4826 * float(np.median(np.abs(apart)))
        ceiling = level + limit * spread
        spots = apart > limit * spread
        log = np.where(spots, ceiling[layout.ring], log)
    clipped = np.minimum(power, np.exp(ceiling)[layout.ring])
    total = np.bincount(layout.bin, clipped, minlength=layout.cells.size)
    mean = total.reshape(layout.cells.shape) / np.maximum(layout.cells, 1.0)
    kept = ~_streaks(mean, layout.cells)
    cells = layout.cells * kept
    inside = kept.ravel()[layout.bin]
    if not inside.all():
        layout = _Layout(
            layout.cell,
            layout.ring[inside],
            layout.bin[inside],
            layout.radius,
            np.bincount(layout.ring[inside], minlength=rings).astype(np.float64),
            cells,
        )
        clipped, spots = clipped[inside], spots[inside]
        count = np.maximum(layout.ring_cells, 1.0)
    ring_mean = np.bincount(layout.ring, clipped, minlength=rings) / count
    relative = clipped / np.maximum(ring_mean, floor)[layout.ring] - 1.0
    return PolarSpectrum(
        power=np.where(cells > 0.0, mean, ring_mean[None, :]),
        cells=cells,
        frequency=layout.radius * step,
        azimuth=(np.arange(SECTORS, dtype=np.float64) + 0.5) * (pi / SECTORS),
        square=np.bincount(layout.ring, clipped * clipped, minlength=rings) / count,
        deviation=max(float(np.sqrt(np.mean(relative * relative))), LEAST_DEVIATION),
        spot_fraction=float(np.mean(spots)),
    )


def _streaks(mean: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which bins ``(sectors, rings)`` lie on or beside streaks; never most of a ring."""
    filled = np.where(cells > 0.0, mean, np.nan)
    with np.errstate(all="ignore"):
        bright = filled > STREAK_RATIO * np.nanmedian(filled, axis=0)
    for axis in (0, 1):
        bright = bright | np.roll(bright, 1, axis) | np.roll(bright, -1, axis)
    return np.asarray(bright & (bright.mean(axis=0) < 0.5))
