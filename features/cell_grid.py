"""An image on a coarser grid of cells, without a preferred corner."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=64)
def _overlaps(fine: int, coarse: int) -> NDArray[np.float32]:
    """Return the ``(coarse, fine)`` matrix of the share that each fine pixel has in each cell.

    The rows sum to 1, and the matrix is unchanged when both axes are reversed.
    """
    edges = np.arange(coarse + 1) * (fine / coarse)
    low, high = edges[:-1, None], edges[1:, None]
    at = np.arange(fine)[None, :]
    weights = np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0.0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix: NDArray[np.float32] = weights.astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def cell_means(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the means of ``image`` ``(y, x)`` over the cells of a grid of ``shape``.

    Cells cover fractions of pixels where the sizes are no multiples, so that the grid of a rotated
    image is the rotated grid.
    """
    height, width = image.shape
    rows, columns = shape
    if height % rows == 0 and width % columns == 0:
        means = image.reshape(rows, height // rows, width).mean(axis=1)
        means = means.reshape(rows, columns, width // columns).mean(axis=2)
        return np.asarray(means, np.float32)
    means = _overlaps(height, rows) @ image @ _overlaps(width, columns).T
    return np.asarray(means, np.float32)


def spread_cells(cells: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return ``cells`` drawn out to ``shape``: each pixel has the value of the cell it lies in."""
    rows = ((np.arange(shape[0]) + 0.5) * (cells.shape[0] / shape[0])).astype(np.intp)
    columns = ((np.arange(shape[1]) + 0.5) * (cells.shape[1] / shape[1])).astype(np.intp)
    return np.ascontiguousarray(cells[np.ix_(rows, columns)])
