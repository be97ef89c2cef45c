"""Rotations of particles as the Euler angles that RELION writes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A picture turned by a quarter as `numpy.rot90` does: (x, y) comes to lie at (y, −x).
QUARTER_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
# Below this sine of the tilt rot and psi are one turn, which is psi.
POLE = 1e-6


def euler_angles_deg(rotations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return rot, tilt, psi ``(n, 3)`` in degrees of rotations ``(n, 3, 3)``.

    A rotation takes the particle's coordinates to those of the view, whose z is the beam: RELION's
    ZYZ convention (Heymann et al. 2005, J. Struct. Biol. 151:196).

    >>> euler_angles_deg(np.eye(3)[None]).tolist()
    [[0.0, 0.0, 0.0]]
    """
    a = np.asarray(rotations, dtype=np.float64).reshape(-1, 3, 3)
    polar = np.hypot(a[:, 2, 0], a[:, 2, 1]) < POLE
    tilt = np.arccos(np.clip(a[:, 2, 2], -1.0, 1.0))
    rot = np.where(polar, 0.0, np.arctan2(a[:, 2, 1], a[:, 2, 0]))
    turned = np.arctan2(a[:, 0, 1], a[:, 1, 1])
    psi = np.where(polar, turned, np.arctan2(a[:, 1, 2], -a[:, 0, 2]))
    return np.asarray(np.rad2deg(np.stack([rot, tilt, psi], axis=1)), dtype=np.float64)
