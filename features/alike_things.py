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

# Standard deviations of the smoothing, in pixels of an image of 256 on the longer side.
SCALES = (1.0, 2.0, 3.5, 6.0, 10.0)
# Populations are sought at scales whose blobs are not wider than this.
POPULATION_BLOB_A = 130.0
# A population has this many members, with this much spread of the logarithm of their areas; a
# few must be more alike than many.
FEWEST_ALIKE = 3
ALIKE_SPREAD = 0.45
MANY_ALIKE = 5
FEW_ALIKE_SPREAD = 0.2
POPULATION_CLEAR = 4.5


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
    the one that gives the heavier things counts.
    """
    best: Population | None = None
    for scale in SCALES:
        if 2.83 * scale * unit * pixel_a > POPULATION_BLOB_A and scale > SCALES[1]:
            break
        smooth = finest if scale == SCALES[0] else smoothed(rest, scale * unit)
        noise = undisturbed(smooth, free, scale * unit)
        clear = clearness(smooth, free, noise)
        found = connected_things(clear, clear > 3.0)
        if np.count_nonzero(found.peaks > POPULATION_CLEAR) < FEWEST_ALIKE:
            continue
        peaks = np.concatenate(([0.0], found.peaks))
        found = connected_things(clear, (found.labels > 0) & (clear > 0.5 * peaks[found.labels]))
        # Masses and depths are those of the image itself, not of the smoothed one.
        areas = found.areas
        light = np.bincount(found.labels.ravel(), rest.ravel(), len(areas) + 1)[1:]
        masses = noise[0] * areas - light
        clearly = found.peaks > POPULATION_CLEAR
        if np.count_nonzero(clearly) < FEWEST_ALIKE:
            continue
        logarithm = np.log(areas[clearly])
        spread = 1.4826 * np.median(np.abs(logarithm - np.median(logarithm)))
        # Upper quartiles, since particles show different faces, and some of them in pieces.
        mass = float(np.quantile(masses[clearly], 0.75))
        many = np.count_nonzero(clearly) >= MANY_ALIKE
        if spread > (ALIKE_SPREAD if many else FEW_ALIKE_SPREAD):
            continue
        if best is None or mass > best.mass:
            area = float(np.quantile(areas[clearly], 0.75))
            best = Population(
                mass=mass,
                depth=float(np.quantile((masses / areas)[clearly], 0.75)),
                half_width=float(np.sqrt(area / np.pi)),
            )
    return best
