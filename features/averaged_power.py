"""The power of a full-size transform, averaged onto a small square grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
_ROWS_AT_ONCE = 8


def averaged_power(
    transform: NDArray[np.complex64], shape: tuple[int, int], box: int
) -> NDArray[np.float32]:
    """Return the power of a real transform on a ``(box, box // 2 + 1)`` grid.

    ``transform`` is `numpy.fft.rfft2` of an image of ``shape``. Each cell is the mean over the
    frequencies it covers; a frequency on the border of two cells counts to both by its overlap,
    so that every image size is treated alike. White noise of deviation 1 has power 1.
    """
    height, width = shape
    summed = _row_sums(transform, height, box)
    power = _column_sums(summed, width, box)
    # The outer columns cover negative horizontal frequencies too, which the half transform
    # holds at the opposite vertical frequency.
    for column in (0, -1):
        power[:, column] += np.roll(power[::-1, column], 1)
    power *= np.float32((box / height) * (box / width) / (height * width))
    # An image without noise has empty cells; below rounding, a floor keeps logarithms finite.
    return np.maximum(power, np.float32(1e-10 * float(power.mean(dtype=np.float64))))


def _row_sums(transform: NDArray[np.complex64], height: int, box: int) -> _Float:
    """Return squared amplitudes ``(box, width // 2 + 1)`` summed over the rows of each cell row.

    A few rows at a time, so that they stay in the processor's cache, by a product with the
    overlaps of source rows (one unit wide around their index) and cell rows.
    """
    ratio = height / box
    out = np.empty((box, transform.shape[1]), np.float32)
    for start in range(0, box, _ROWS_AT_ONCE):
        cells = np.arange(start, min(start + _ROWS_AT_ONCE, box))
        first = int(np.floor((cells[0] - 0.5) * ratio + 0.5))
        last = int(np.floor((cells[-1] + 0.5) * ratio + 0.5))
        source = np.arange(first, last + 1)
        low = np.maximum((cells[:, None] - 0.5) * ratio, source - 0.5)
        high = np.minimum((cells[:, None] + 0.5) * ratio, source + 0.5)
        overlap = np.clip(high - low, 0.0, None).astype(np.float32)
        inside = first >= 0 and last < height
        rows = transform[first : last + 1] if inside else transform[source % height]
        # Real and imaginary parts side by side are squared in one pass.
        parts = rows.view(np.float32)
        sums = overlap @ np.square(parts)
        np.add(sums[:, ::2], sums[:, 1::2], out=out[start : start + len(cells)])
    return out


def _column_sums(power: _Float, width: int, box: int) -> _Float:
    """Return sums ``(…, box // 2 + 1)`` over the columns of each cell column.

    The first and the last cell are summed from the frequencies at hand, with frequency 0 and
    Nyquist by half.
    """
    # Edges of the cells on an axis where source column k covers [k, k + 1).
    edges = (np.arange(box // 2 + 2) - 0.5) * (width / box) + 0.5
    edges = np.clip(edges, 0.5, width / 2 + 0.5)
    whole = np.minimum(np.floor(edges).astype(np.intp), power.shape[-1] - 1)
    part = (edges - whole).astype(np.float32)
    sums = np.add.reduceat(power, whole[:-1], axis=-1)
    # reduceat returns the element itself for an empty slice; the last slice runs to the end.
    sums[..., np.diff(whole) == 0] = 0.0
    sums[..., -1] = power[..., whole[-2] : whole[-1]].sum(axis=-1)
    at_edges = power[..., whole] * part
    sums += at_edges[..., 1:]
    sums -= at_edges[..., :-1]
    return np.asarray(sums, np.float32)


def typical_power(cells: NDArray[np.floating], samples: float) -> float:
    """Return the mean power of cells by their median, so that spots and streaks do not count.

    Averages of ``samples`` exponential variables are skewed; Wilson and Hilferty (1931) relate
    their median to their mean. NaN where there are no cells.
    """
    if not cells.size:
        return float("nan")
    return float(np.median(cells)) / (1.0 - 1.0 / (9.0 * max(1.0, samples))) ** 3
