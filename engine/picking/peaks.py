"""Peaks of a score map: where they are between the pixels, and which are apart from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]
_Index = NDArray[np.intp]


def local_maxima(score: _Float, floor: float, allowed: NDArray[np.bool_]) -> tuple[_Index, _Index]:
    """Return rows and columns of the pixels above ``floor`` that exceed their eight neighbours.

    Pixels of the border compare with the neighbours they have. Highest first; ties in the order of
    rows and columns.
    """
    from scipy import ndimage

    highest = ndimage.maximum_filter(score, size=3, mode="nearest")
    y, x = np.nonzero((score == highest) & (score > floor) & allowed)
    order = np.argsort(-score[y, x], kind="stable")
    return y[order], x[order]


def between_pixels(score: _Float, y: _Index, x: _Index) -> tuple[_Double, _Double]:
    """Return peaks as places between pixels: the vertex of a parabola along each axis."""
    shifts: list[_Double] = []
    for axis, at in ((0, y), (1, x)):
        last = score.shape[axis] - 1
        lower, upper = np.clip(at - 1, 0, last), np.clip(at + 1, 0, last)
        middle = score[y, x].astype(np.float64)
        low = (score[lower, x] if axis == 0 else score[y, lower]).astype(np.float64)
        high = (score[upper, x] if axis == 0 else score[y, upper]).astype(np.float64)
        bend = low - 2.0 * middle + high
        shift = np.where(bend < 0.0, 0.5 * (low - high) / np.minimum(bend, -1e-12), 0.0)
        inside = (at > 0) & (at < last)
        moved = np.where(inside, np.clip(shift, -0.5, 0.5), 0.0)
        shifts.append(np.asarray(at + moved, np.float64))
    return shifts[0], shifts[1]


def apart(y: _Double, x: _Double, distance: float) -> NDArray[np.bool_]:
    """Return which places stay when each, best first, takes away those nearer than ``distance``.

    The places must come best first.
    """
    from scipy.spatial import KDTree

    stays = np.ones(len(y), np.bool_)
    if len(y) < 2 or distance <= 0.0:
        return stays
    places = np.stack((y, x), axis=1)
    pairs = KDTree(places).query_pairs(distance, output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    # By the better of the two: whether it stays is known when its own pairs are looked at.
    for better, worse in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if stays[better]:
            stays[worse] = False
    return stays
