"""What lies on the two sides of an edge, and along it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.film_arcs import Arc

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]


def spread(values: _Float) -> float:
    """Return the normalised median absolute deviation, never 0."""
    return max(1e-9, 1.4826 * float(np.median(np.abs(values - np.median(values)))))


def step_between(channel: _Float, inner: _Bool, outer: _Bool) -> float:
    """Return the difference outer − inner in robust deviations of the cells, 0 if too few."""
    a, b = channel[inner], channel[outer]
    if min(len(a), len(b)) < 20:
        return 0.0
    within = float(np.sqrt((spread(a) ** 2 + spread(b) ** 2) / 2.0))
    return (float(np.median(b)) - float(np.median(a))) / within


def abrupt_part(channel: _Float, distance: _Float, free: _Bool) -> float:
    """Return the part of the step across an edge that the slopes of its two sides do not foresee.

    1 for a sharp edge, 0 for an even gradient.
    """
    bands = ((-4.8, -2.8), (-2.8, -0.8), (0.8, 2.8), (2.8, 4.8))
    levels = []
    for low, high in bands:
        where = free & (distance > low) & (distance < high)
        if np.count_nonzero(where) < 8:
            return 0.0
        levels.append(float(np.median(channel[where])))
    step = levels[2] - levels[1]
    # The inner bands are 3.6 cells apart, those of each side 2 cells.
    foreseen = 1.8 * ((levels[1] - levels[0]) + (levels[3] - levels[2])) / 2.0
    return abs(step - foreseen) / max(abs(step), abs(foreseen), 1e-9)


def stretches(arc: Arc, y: _Float, x: _Float) -> NDArray[np.intp]:
    """Return for each cell the number of the stretch of five cells along the arc it lies at."""
    number = np.floor(arc.along(y, x) / 5.0).astype(np.intp)
    return np.asarray(number - number.min(), np.intp)


def _stretch_means(
    channel: _Float, where: _Bool, stretch: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the mean of a channel over each stretch, and the number of its cells."""
    length = int(stretch.max()) + 1
    count = np.bincount(stretch[where], minlength=length)
    total = np.bincount(stretch[where], channel[where], length)
    return total / np.maximum(count, 1), count


def step_coherence(
    channel: _Float,
    inner: _Bool,
    outer: _Bool,
    distance: _Float,
    stretch: NDArray[np.intp],
) -> float:
    """Return the fraction of stretches whose sides differ in the sense of the median stretch."""
    inside, n_inside = _stretch_means(channel, inner & (distance > -4.5), stretch)
    outside, n_outside = _stretch_means(channel, outer & (distance < 4.5), stretch)
    known = (n_inside >= 8) & (n_outside >= 8)
    if np.count_nonzero(known) < 2:
        return 0.0
    step = (outside - inside)[known]
    return float(np.mean(np.sign(step) == np.sign(np.median(step))))


def ridge_coherence(
    grey: _Float, distance: _Float, stretch: NDArray[np.intp], free: _Bool
) -> float:
    """Return the fraction of stretches on which the edge outshines both sides, or is outshone."""
    near, n_near = _stretch_means(grey, (np.abs(distance) < 0.8) & free, stretch)
    low, n_low = _stretch_means(grey, (distance < -1.5) & (distance > -4.0) & free, stretch)
    high, n_high = _stretch_means(grey, (distance > 1.5) & (distance < 4.0) & free, stretch)
    known = (n_near >= 3) & (n_low >= 6) & (n_high >= 6)
    if np.count_nonzero(known) < 4:
        return 0.0
    brighter = near > np.maximum(low, high)
    darker = near < np.minimum(low, high)
    return float(max(brighter[known].mean(), darker[known].mean()))
