"""Rings of spatial frequency that all micrographs of a data set share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]

# Rings in the width 1 / diameter: enough to follow a form factor, wide enough to average.
RINGS_PER_LOBE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """``count`` rings of ``width`` (1/Å) from frequency 0 on."""

    width: float
    count: int

    @classmethod
    def of(cls, diameter_a: float, pixel_size_a: float) -> Rings:
        """Return the rings for particles of a size up to the Nyquist frequency of a sampling."""
        width = 1.0 / (RINGS_PER_LOBE * diameter_a)
        return cls(width=width, count=max(2, int(0.5 / pixel_size_a / width) + 1))

    @property
    def middle(self) -> _Double:
        """Frequencies of the rings' middles, in 1/Å."""
        return np.asarray((np.arange(self.count) + 0.5) * self.width, np.float64)

    def number(self, frequency: _Float) -> NDArray[np.intp]:
        """Return the ring of each frequency; ``count`` beyond the last."""
        return np.minimum((frequency / np.float32(self.width)).astype(np.intp), self.count)

    def sums(self, number: NDArray[np.intp], values: _Float) -> _Double:
        """Return the sum of ``values`` in each ring."""
        sums = np.bincount(number.ravel(), values.ravel(), minlength=self.count + 1)
        return np.asarray(sums[: self.count], np.float64)

    def spread(self, frequency: _Float, profile: _Double) -> _Float:
        """Return a profile drawn out over a grid of frequencies, linear between the middles."""
        return np.interp(frequency, self.middle, profile).astype(np.float32)
