"""The power spectrum that the CTF, the ice and the drift measurements share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSpectrum:
    """Mean squared Fourier amplitudes on a square grid.

    ``power`` is ``(n, n // 2 + 1)`` float32 in the layout of `numpy.fft.rfft2`: row ``i`` has the
    vertical frequency ``numpy.fft.fftfreq(n)[i]``, column ``j`` the horizontal frequency ``j / n``,
    both in cycles a pixel of the micrograph. ``pixel_size_a`` (Å) is ``None`` where unknown.
    ``samples`` is the number of independent Fourier components averaged in each cell: their
    relative error is ``1 / sqrt(samples)``.
    """

    power: NDArray[np.float32]
    pixel_size_a: float | None
    samples: float

    @property
    def box(self) -> int:
        """Side ``n`` of the grid in pixels."""
        return int(self.power.shape[0])

    def frequency(self) -> NDArray[np.float32]:
        """Return the absolute spatial frequency of each cell, in cycles a pixel."""
        fy = np.fft.fftfreq(self.box).astype(np.float32)[:, None]
        fx = (np.arange(self.power.shape[1], dtype=np.float32) / self.box)[None, :]
        return np.hypot(fy, fx)
