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
    white = np.square(bands.transform.real)
    white += np.square(bands.transform.imag)
    level = np.maximum(bands.radial_power.astype(np.float32) * np.float32(rows * columns), 1e-20)
    ring = np.arange(len(level))
    finest = min(_CYCLES[1], max(rows, columns) / 2)
    weight = np.where((ring >= _CYCLES[0]) & (ring < finest), 1 / level, 0).astype(np.float32)
    white *= weight[bands.ring]
    # A single lattice spot or the streak of an edge must not outweigh the rest.
    np.minimum(white, 6.0, out=white)
    white[:2] = white[-1:] = 0.0
    white[:, :2] = 0.0
    lags = fft.irfft2(white, s=bands.shape)
    origin = float(lags[0, 0])
    return _most_prominent(np.fft.fftshift(lags)) / origin if origin > 0 else 0.0


def _most_prominent(lags: NDArray[np.float32]) -> float:
    """Return the largest height of a peak over the highest lag 3 to 6 pixels around it.

    Half the lags are the other half mirrored, and those beyond 3/8 of the side overlap too little:
    neither is looked at.
    """
    rows, columns = lags.shape
    top, left = rows // 2, columns // 2
    reach_y, reach_x = 3 * rows // 8, 3 * columns // 8
    half = lags[top : top + reach_y, left - reach_x : left + reach_x].copy()
    y, x = np.ogrid[: half.shape[0], -reach_x:reach_x]
    half[y**2 + x**2 < _NEAREST_PX**2] = -1.0
    best = 0.0
    ys, xs = np.mgrid[-6:7, -6:7]
    away = np.hypot(ys, xs)
    around = (away >= 3) & (away <= 6)
    for at in np.argpartition(half.ravel(), -_CANDIDATES)[-_CANDIDATES:]:
        row, column = divmod(int(at), half.shape[1])
        row, column = row + top, column + left - reach_x
        patch = lags[np.ix_((row + ys[:, 0]) % rows, (column + xs[0]) % columns)]
        # The origin's own peak is no rival.
        rivals = patch[around & (np.hypot(ys + row - top, xs + column - left) >= 2)]
        best = max(best, float(lags[row, column] - rivals.max()))
    return best
