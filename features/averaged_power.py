"""The power of a full-size transform, averaged onto a small square grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
_Complex = NDArray[np.complex64]


def averaged_power(transform: _Complex, shape: tuple[int, int], box: int) -> _Float:
    """Return the mean squared amplitude of white noise 1 on a ``(box, box // 2 + 1)`` grid.

    Each cell is the mean over the frequencies it covers; a frequency on the border of two cells
    counts to both in part, so that no grid size is favoured. Power of white noise with deviation
    1 is 1 for every image size.
    """
    height, width = shape
    columns = _Binning(width, box, half=True)
    narrow = np.empty((height, box // 2 + 1), np.float32)
    for start in range(0, height, 64):  # 64 rows stay in the processor's cache
        block = transform[start : start + 64]
        power = np.square(block.real)
        power += np.square(block.imag)
        narrow[start : start + 64] = columns.sum_last_axis(power)
    # The outer columns cover negative horizontal frequencies too, which the half transform
    # holds at the opposite vertical frequency.
    for column in (0, -1):
        narrow[:, column] += np.roll(narrow[::-1, column], 1)
    rows = _Binning(height, box, half=False)
    summed = rows.sum_last_axis(np.ascontiguousarray(narrow.T))
    scale = (box / height) * (box / width) / (height * width)
    power = np.ascontiguousarray(summed.T * np.float32(scale), dtype=np.float32)
    # An image without noise has empty cells; below rounding, a floor keeps logarithms finite.
    return np.maximum(power, np.float32(1e-10 * float(power.mean(dtype=np.float64))))


def typical_power(cells: NDArray[np.floating], samples: float) -> float:
    """Return the mean power of cells by their median, so that spots and streaks do not count.

    Averages of ``samples`` exponential variables are skewed; Wilson and Hilferty (1931) relate
    their median to their mean. NaN where there are no cells.
    """
    if not cells.size:
        return float("nan")
    return float(np.median(cells)) / (1.0 - 1.0 / (9.0 * max(1.0, samples))) ** 3


class _Binning:
    """Sums over the cells of a coarser frequency axis, by the length of the overlap.

    ``length`` frequencies ``k / length`` go into ``box`` cells around ``j / box``. With ``half``
    the axis is that of a real transform, and its first and last cell are summed only from the
    frequencies at hand, frequency 0 (and Nyquist) by half.
    """

    def __init__(self, length: int, box: int, *, half: bool) -> None:
        cells = box // 2 + 1 if half else box
        # Edges of the cells in units of one source frequency, where source k covers k ± 1/2.
        self.edges = (np.arange(cells + 1) - 0.5) * (length / box) + 0.5
        self.half = half
        self.length = length

    def sum_last_axis(self, power: _Float) -> _Float:
        """Return the sums along the last axis, ``(…, cells)``."""
        if self.half:
            inside = np.clip(self.edges, 0.5, self.length / 2 + 0.5)
            return self._between(power, inside)
        # A full axis is a circle: put the frequencies below 0 in front of 0.
        before = max(0, int(np.ceil(-self.edges[0])))
        turned = np.concatenate((power[..., self.length - before :], power), axis=-1)
        return self._between(turned, self.edges + before)

    @staticmethod
    def _between(power: _Float, edges: NDArray[np.floating]) -> _Float:
        """Return the integrals between ``edges``, where source ``k`` covers ``[k, k + 1)``."""
        size = power.shape[-1]
        whole = np.minimum(np.floor(edges).astype(np.intp), size - 1)
        part = (edges - whole).astype(np.float32)
        sums = np.add.reduceat(power, whole[:-1], axis=-1)
        # reduceat returns the element itself for an empty slice; the last slice runs to the end.
        lengths = np.diff(whole)
        sums[..., lengths == 0] = 0.0
        if whole[-1] < size:
            sums[..., -1] = power[..., whole[-2] : whole[-1]].sum(axis=-1)
        at_edges = power[..., whole] * part
        sums += at_edges[..., 1:]
        sums -= at_edges[..., :-1]
        return np.asarray(sums, np.float32)
