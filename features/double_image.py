"""The second peak of the autocorrelation, which a stage jump or a double exposure leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.coarse_bands import coarse_bands
from cryoverdict.features.view import View

_CYCLES = (8.0, 160.0)
_NEAREST_PX = 5
_CANDIDATES = 40


def second_peak(view: View) -> float:
    """Return how far the highest isolated peak of the autocorrelation stands out, 0 to about 0.5.

    The coarse image is whitened from 8 to 160 cycles a field, so that each peak is as narrow as
    the origin's, which counts 1. A peak is isolated where it stands above all lags around it: the
    ridge that a straight edge leaves does not.
    """
    from scipy import fft

    bands = view.once(coarse_bands)
    rows, columns = bands.shape
    power = np.square(bands.transform.real) + np.square(bands.transform.imag)
    ring = np.minimum(np.rint(bands.cycles).astype(np.intp), len(bands.radial_power) - 1)
    white = power / np.maximum(bands.radial_power[ring].astype(np.float32), 1e-20)
    white /= np.float32(rows * columns)
    # A single lattice spot or the streak of an edge must not outweigh the rest.
    np.minimum(white, 6.0, out=white)
    inside = (bands.cycles >= _CYCLES[0]) & (bands.cycles < min(_CYCLES[1], max(rows, columns) / 2))
    white[~inside] = 0.0
    white[:2] = 0.0
    white[-1:] = 0.0
    white[:, :2] = 0.0
    lags = fft.irfft2(white, s=bands.shape)
    if lags[0, 0] <= 0:
        return 0.0
    lags /= lags[0, 0]
    return _most_prominent(np.fft.fftshift(lags))


def _most_prominent(lags: NDArray[np.float32]) -> float:
    """Return the largest height of a peak over the highest lag 3 to 6 pixels around it."""
    rows, columns = lags.shape
    y, x = np.ogrid[:rows, :columns]
    far = np.hypot(y - rows // 2, x - columns // 2)
    # Half the lags are the other half mirrored; those beyond 3/8 of the side overlap too little.
    usable = (far >= _NEAREST_PX) & (np.abs(y - rows // 2) < 3 * rows // 8)
    usable &= np.abs(x - columns // 2) < 3 * columns // 8
    heights = np.where(usable, lags, -1.0).ravel()
    best = 0.0
    ys, xs = np.mgrid[-6:7, -6:7]
    away = np.hypot(ys, xs)
    around = (away >= 3) & (away <= 6)
    for at in np.argpartition(heights, -_CANDIDATES)[-_CANDIDATES:]:
        row, column = divmod(int(at), columns)
        patch = lags[row - 6 : row + 7, column - 6 : column + 7]
        if patch.shape != (13, 13):
            continue
        # The origin's own side lobes are no rival of the peak.
        distance = np.hypot(ys + row - rows // 2, xs + column - columns // 2)
        rivals = patch[around & (distance >= 2)]
        best = max(best, float(lags[row, column] - rivals.max()))
    return best
