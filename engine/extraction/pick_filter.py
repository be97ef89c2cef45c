"""Which picks cannot or need not be cut out: over the edge, or cut out already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings

IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
# A particle of which a fifth is cut away has most of its signal. RELION keeps whatever has a pixel
# inside, cryoSPARC what is inside with its whole box: this lies between.
MOST_LOST = 0.2


def wholly_outside(x: IntArray, y: IntArray, shape: tuple[int, int], box: int) -> Mask:
    """Return which windows hold no pixel of a micrograph of ``shape`` (rows, columns)."""
    return ~_within(x, y, shape, -(box - box // 2) + 1, -(box // 2))


def particle_radii(
    diameter_a: Floats, settings: ExtractionSettings, pixel_size_a: float | None
) -> Floats:
    """Return the radius of each particle in pixels: by its picked diameter, at most its mask's.

    The mask's where the diameter (NaN) or the pixel size is unknown.
    """
    most = float(settings.particle_radius_px)
    if pixel_size_a is None:
        return np.full(len(diameter_a), most)
    own = np.where(diameter_a > 0.0, diameter_a / 2.0 / pixel_size_a, most)
    return np.asarray(np.minimum(own, most))


def over_the_edge(
    x: IntArray,
    y: IntArray,
    shape: tuple[int, int],
    settings: ExtractionSettings,
    radii_px: Floats | None = None,
) -> Mask:
    """Return which windows lack a part of what must lie inside the micrograph.

    For the policy ``box`` that is the window, for ``particle`` most of a disc of its radius (that
    of the mask by default; a share of `MOST_LOST` may lie beyond the borders), for ``fill`` any
    pixel.
    """
    half = settings.box_px // 2
    if settings.edge == "fill":
        return wholly_outside(x, y, shape, settings.box_px)
    if settings.edge == "box":
        return ~_within(x, y, shape, half, half - 1)
    radii = settings.particle_radius_px if radii_px is None else radii_px
    return share_outside(x, y, shape, radii) > MOST_LOST


def share_outside(
    x: IntArray, y: IntArray, shape: tuple[int, int], radius: float | Floats
) -> Floats:
    """Return how much of a disc of ``radius`` px around each pixel lies beyond the borders.

    The segments beyond all four borders are added; at a corner the part that two of them share
    counts twice.

    >>> x, y = np.array([20, 20, 20]), np.array([0, 7, 10])
    >>> np.round(share_outside(x, y, (100, 100), 10), 3).tolist()
    [0.5, 0.094, 0.0]
    """
    rows, columns = shape
    total = np.zeros(len(x))
    for distance in (x, columns - 1 - x, y, rows - 1 - y):
        at = np.clip(distance / np.maximum(radius, 1.0), -1.0, 1.0)
        total += (np.arccos(at) - at * np.sqrt(1.0 - at**2)) / np.pi
    return total


def _within(x: IntArray, y: IntArray, shape: tuple[int, int], before: int, after: int) -> Mask:
    """Return which pixels have so many before and after them in the micrograph, along x and y."""
    rows, columns = shape
    return (x - before >= 0) & (x + after < columns) & (y - before >= 0) & (y + after < rows)


def duplicates(
    x: NDArray[np.float64], y: NDArray[np.float64], score: NDArray[np.float64], distance: float
) -> Mask:
    """Return which of some picks are closer than ``distance`` to a better one that stays.

    Better is the higher score, an unknown (NaN) score being the worst; of equals, the earlier.
    """
    gone = np.zeros(len(x), dtype=np.bool_)
    if distance <= 0.0 or len(x) < 2:
        return gone
    from scipy.spatial import cKDTree

    tree = cKDTree(np.stack([x, y], axis=1))
    pairs = tree.query_pairs(distance, output_type="ndarray")
    if not len(pairs):
        return gone
    apart = np.hypot(x[pairs[:, 0]] - x[pairs[:, 1]], y[pairs[:, 0]] - y[pairs[:, 1]])
    rank = np.empty(len(x), dtype=np.int64)
    rank[np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")] = np.arange(len(x))
    near = np.sort(rank[pairs[apart < distance]], axis=1)
    by_rank = np.zeros(len(x), dtype=np.bool_)
    # In the order of the better one: whoever is gone by then takes nobody along.
    for better, worse in near[np.lexsort((near[:, 1], near[:, 0]))].tolist():
        if not by_rank[better]:
            by_rank[worse] = True
    return by_rank[rank]
