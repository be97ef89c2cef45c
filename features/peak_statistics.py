"""How many maxima of which height a Gaussian random field has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_Double = NDArray[np.float64]

# Heights, in deviations of the field, at which the density of maxima is tabulated.
LOWEST, HIGHEST, STEPS = -8.0, 16.0, 1201


@dataclass(frozen=True, kw_only=True)
class GaussianPeaks:
    """The maxima of a two-dimensional isotropic Gaussian random field.

    It is described by the moments of its power spectrum: ``variance`` σ₀² (in grey²),
    ``slope`` σ₁² and ``curvature`` σ₂², with σⱼ² the sum of power × k²ʲ (k in radians a pixel).

    Source: J. R. Bond & G. Efstathiou, Mon. Not. R. Astron. Soc. 226:655, 1987, appendix 1.
    """

    variance: float
    slope: float
    curvature: float

    @cached_property
    def _table(self) -> tuple[_Double, _Double]:
        """Heights in deviations, and the number of maxima a pixel above each."""
        heights = np.linspace(LOWEST, HIGHEST, STEPS)
        gamma = min(self.slope / np.sqrt(self.variance * self.curvature), 0.999)
        area = 2.0 * self.slope / self.curvature
        density = np.exp(-0.5 * heights**2) * _curved(gamma, gamma * heights)
        density /= (2.0 * np.pi) ** 1.5 * area
        step = heights[1] - heights[0]
        # The trapezium rule from above.
        above = np.cumsum(density[::-1])[::-1] * step - 0.5 * density * step
        return heights, above

    @property
    def deviation(self) -> float:
        """The field's standard deviation."""
        return float(np.sqrt(self.variance))

    @property
    def per_pixel(self) -> float:
        """The number of maxima a pixel."""
        return float(self._table[1][0])

    def fraction_below(self, values: _Double) -> _Double:
        """Return the fraction of the maxima that are lower than each of ``values`` (grey)."""
        heights, above = self._table
        below: _Double = np.interp(values / self.deviation, heights, 1.0 - above / above[0])
        return below

    def height_of(self, per_pixel: float) -> float:
        """Return the height (grey) above which ``per_pixel`` maxima a pixel are expected."""
        heights, above = self._table
        return float(np.interp(-per_pixel, -above, heights)) * self.deviation


def _curved(gamma: float, x: _Double) -> _Double:
    """Return G(γ, x): the mean of the curvature's determinant over maxima of height x / γ."""
    from scipy.special import erfc

    rest = 1.0 - gamma * gamma
    wide = 3.0 - 2.0 * gamma * gamma
    first = (x * x - gamma * gamma) * (1.0 - 0.5 * erfc(x / np.sqrt(2.0 * rest)))
    second = x * rest * np.exp(-0.5 * x * x / rest) / np.sqrt(2.0 * np.pi * rest)
    third = np.exp(-x * x / wide) / np.sqrt(wide)
    third *= 1.0 - 0.5 * erfc(x / np.sqrt(2.0 * rest * wide))
    density: _Double = np.clip(first + second + third, 0.0, None)
    return density
