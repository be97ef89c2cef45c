"""Class averages as templates: what particles look like, in Å."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Templates:
    """Centred images ``(n, y, x)`` float32 of particles, light on dark ground, and their sampling.

    ``weights`` ``(n,)`` is the fraction of the particles that each stands for.
    """

    images: NDArray[np.float32]
    pixel_size_a: float
    weights: NDArray[np.float64]
