"""Connected things that stand out, and whether they are a population of things that are alike.

Particles resemble each other; contamination does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ice_noise import clearness, smoothed, undisturbed

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]
_Double = NDArray[np.float64]

# Standard deviations of the smoothing, in pixels of an image of 256 on the longer side.
SCALES = (1.0, 2.0, 3.5, 6.0, 10.0)
# What is wider than this is contamination more often than particles, and must be more alike.
USUAL_BLOB_A = 130.0
# A population has this many members, with this much spread of the logarithm of their areas; a
# few must be more alike than many.
FEWEST_ALIKE = 3
ALIKE_SPREAD = 0.45
MANY_ALIKE = 5
FEW_ALIKE_SPREAD = 0.2
POPULATION_CLEAR = 4.5
# Large particles: at least so many things, and this part of all, whose logarithms of area and of
# depth differ from those of one of them by no more than these. Capsids and cages are of one size
# and, lying in ice of one thickness, of one depth; crystals and drops of ethane are of neither.
FEWEST_LARGE, LARGE_PART = 6, 0.4
LARGE_AREA_RANGE, LARGE_DEPTH_RANGE = 0.3, 0.25
# Seen through wider smoothing the same things weigh little more; wholes are heavier than pieces.
LARGE_GAIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Things that are alike: mass (grey × px), depth (grey) and half width (px) of large ones."""

    mass: float
    depth: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Things:
    """Connected pixels, numbered from 1 in ``labels``: peak, area (px) and sum of each."""

    labels: NDArray[np.int32]
    peaks: NDArray[np.float64]
    areas: NDArray[np.float64]
    sums: NDArray[np.float64]


def connected_things(clear: _Float, where: _Bool) -> Things:
    """Return the connected parts of ``where``, measured in ``clear``."""
    from scipy import ndimage

    labels, count = ndimage.label(where)
    inside = np.flatnonzero(labels)
    number, values = labels.ravel()[inside], clear.ravel()[inside]
    order = np.lexsort((values, number))
    last = np.searchsorted(number[order], np.arange(1, count + 1), side="right") - 1
    return Things(
        labels=labels,
        peaks=values[order][last].astype(np.float64),
        areas=np.bincount(number, minlength=count + 1)[1:].astype(np.float64),
        sums=np.bincount(number, values, count + 1)[1:].astype(np.float64),
    )


def find_population(
    rest: _Float, finest: _Float, free: _Bool, unit: float, pixel_a: float
) -> Population | None:
    """Return the population of things that are alike, or None where there is none.

    Things are seen as what exceeds half of its own peak; of the scales at which they are alike
    the one that gives the heavier things counts. Things of a usual particle's size are alike as a
    whole; among larger ones those that are alike are told from the others.
    """
    best: Population | None = None
    for scale in SCALES:
        usual = scale <= SCALES[1] or 2.83 * scale * unit * pixel_a <= USUAL_BLOB_A
        smooth = finest if scale == SCALES[0] else smoothed(rest, scale * unit)
        noise = undisturbed(smooth, free, scale * unit)
        clear = clearness(smooth, free, noise)
        found = connected_things(clear, clear > 3.0)
        fewest = FEWEST_ALIKE if usual else FEWEST_LARGE
        if np.count_nonzero(found.peaks > POPULATION_CLEAR) < fewest:
            continue
        peaks = np.concatenate(([0.0], found.peaks))
        found = connected_things(clear, (found.labels > 0) & (clear > 0.5 * peaks[found.labels]))
        clearly = found.peaks > POPULATION_CLEAR
        # Masses and depths are those of the image itself, not of the smoothed one.
        light = np.bincount(found.labels.ravel(), rest.ravel(), len(found.areas) + 1)[1:]
        areas, masses = found.areas[clearly], (noise[0] * found.areas - light)[clearly]
        alike = _alike(areas) if usual else _alike_large(areas, masses)
        if not alike.any():
            continue
        # Upper quartiles, since particles show different faces, and some of them in pieces.
        mass = float(np.quantile(masses[alike], 0.75))
        if best is None or mass > (1.0 if usual else LARGE_GAIN) * best.mass:
            area = float(np.quantile(areas[alike], 0.75))
            best = Population(
                mass=mass,
                depth=float(np.quantile((masses / areas)[alike], 0.75)),
                half_width=float(np.sqrt(area / np.pi)),
            )
    return best


def _alike(areas: _Double) -> _Bool:
    """Return all things where their areas are alike as a whole, and none of them elsewhere."""
    none = np.zeros(len(areas), np.bool_)
    if len(areas) < FEWEST_ALIKE:
        return none
    logarithm = np.log(areas)
    spread = 1.4826 * float(np.median(np.abs(logarithm - np.median(logarithm))))
    return none | (spread <= (ALIKE_SPREAD if len(areas) >= MANY_ALIKE else FEW_ALIKE_SPREAD))


def _alike_large(areas: _Double, masses: _Double) -> _Bool:
    """Return the largest set of things alike in area and in depth, where it is large enough."""
    areas_log, depths_log = np.log(areas), np.log(np.maximum(masses / areas, 1e-9))
    near = np.abs(areas_log[:, None] - areas_log) <= LARGE_AREA_RANGE
    near &= np.abs(depths_log[:, None] - depths_log) <= LARGE_DEPTH_RANGE
    counts = near.sum(axis=1)
    enough = len(areas) > 0 and counts.max() >= max(FEWEST_LARGE, LARGE_PART * len(areas))
    largest: _Bool = near[int(np.argmax(counts))] if enough else np.zeros(len(areas), np.bool_)
    return largest
