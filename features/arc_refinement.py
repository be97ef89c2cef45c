"""An arc moved, turned and bent to where a derivative along it is strongest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.film_arcs import SHORTEST_ARC_CELLS, Arc, arc_points

_Float = NDArray[np.float32]


def _along(
    parameters: NDArray[np.float64], parts: list[_Float], grid: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the scores of arcs ``(arcs, 3)`` from derivatives interpolated between cells."""
    from scipy import ndimage

    points = arc_points(parameters, grid)
    inside = points.inside
    where = (points.y[inside], points.x[inside])
    at = [ndimage.map_coordinates(part, where, order=1) for part in parts]
    ny, nx = points.normal_y[inside], points.normal_x[inside]
    if len(at) == 2:
        share = at[0] * ny + at[1] * nx
    else:
        share = at[0] * ny * ny + 2.0 * at[1] * ny * nx + at[2] * nx * nx
    arc_number = np.nonzero(inside)[0]
    total = np.bincount(arc_number, share, minlength=len(parameters))
    length = np.maximum(inside.sum(axis=1), SHORTEST_ARC_CELLS)
    scores: NDArray[np.float64] = np.abs(total) / np.sqrt(length)
    return scores


def refined_arc(
    parameters: NDArray[np.float64], parts: list[_Float], grid: tuple[int, int]
) -> tuple[float, Arc]:
    """Return an arc moved, turned and bent to where its score is largest, and that score."""
    step = np.array([0.5 / max(grid), 0.065, 0.75])
    at = parameters
    best = float(_along(at[None, :], parts, grid)[0])
    for _ in range(8):
        for _ in range(3):
            trials = at + _NEIGHBOURS * step
            scores = _along(trials, parts, grid)
            top = int(np.argmax(scores))
            if scores[top] <= best * (1.0 + 1e-6):
                break
            at, best = trials[top], float(scores[top])
        step = step / 2
    curvature, direction, offset = (float(p) for p in at)
    return best, Arc(curvature=curvature, direction=direction, offset=offset)


# One step of bend, turn or shift, or of two of them at once.
_NEIGHBOURS = np.array(
    [
        (bend, turn, shift)
        for bend in (-1.0, 0.0, 1.0)
        for turn in (-1.0, 0.0, 1.0)
        for shift in (-1.0, 0.0, 1.0)
        if 0.0 < abs(bend) + abs(turn) + abs(shift) < 3.0
    ]
)
