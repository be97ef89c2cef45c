"""A micrograph made ready to be measured: one read, one Fourier transform, shared by all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.power_spectrum import PowerSpectrum

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyStatistics:
    """What the raw grey values said before they were standardised.

    ``mean`` and ``deviation`` are in the file's own unit; the fractions are of all pixels.
    ``dead_line_fraction`` is the fraction of rows or columns (the larger one) without variation.
    """

    mean: float
    deviation: float
    hot_fraction: float
    saturated_fraction: float
    dead_line_fraction: float
    has_counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What every measurement of a micrograph looks at.

    ``pixels`` ``(y, x)`` float32 at full size: hot pixels replaced, median 0, robust deviation 1,
    particles dark. ``coarse`` ``(y, x)`` float32 is the same image Fourier-cropped to at most
    512 pixels on its longer side, ``coarse_step_px`` full-size pixels a coarse pixel.
    ``inverted`` is true where the contrast was found inverted and has been corrected, by the sign
    of ``contrast_sign`` (positive for dark particles; near 0 nothing told the two apart).
    """

    micrograph: Micrograph
    optics: Optics
    pixels: NDArray[np.float32]
    coarse: NDArray[np.float32]
    coarse_step_px: float
    spectrum: PowerSpectrum
    grey: GreyStatistics
    inverted: bool
    contrast_sign: float
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, compute: Callable[[View], T]) -> T:
        """Return ``compute(self)``, computed at most once for this view."""
        if compute not in self._memory:
            self._memory[compute] = compute(self)
        return cast("T", self._memory[compute])
