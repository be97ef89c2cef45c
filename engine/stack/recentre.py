"""Where a particle lies after 2D classification moved it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def recentred(coordinate: Floats, origin_a: Floats, pixel_size_a: Floats) -> tuple[Floats, Floats]:
    """Return the coordinate (px) a particle is cut at to be centred, and the origin (Å) left.

    RELION's origin is the shift that brings the particle to the middle of its image, so the
    particle lies at the coordinate minus the origin. Whole pixels move the coordinate; what is
    less than half a pixel stays in the origin. Halves are rounded away from zero. Follows
    `relion_preprocess --reextract_data_star --recenter` of RELION 3.1.

    >>> moved, left = recentred(np.array([60.0]), np.array([3.7]), np.array([1.5]))
    >>> moved.tolist(), np.round(left, 6).tolist()
    ([58.0], [0.7])
    """
    shift = origin_a / pixel_size_a
    whole = np.sign(shift) * np.floor(np.abs(shift) + 0.5)
    return coordinate - whole, (shift - whole) * pixel_size_a
