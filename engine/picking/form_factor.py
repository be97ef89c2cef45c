"""What a round particle looks like in Fourier space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Double = NDArray[np.float64]

# Width of a particle's rim (Gaussian deviation) as a fraction of its diameter: proteins are
# no balls, and their centres are found with an error.
RIM = 0.06


def ball(frequency: _Double, diameter_a: float | _Double, rim: float = RIM) -> _Double:
    """Return the form factor of a ball with a soft rim, 1 at frequency 0.

    Projections of a particle, averaged over directions, are those of its spherical average. With
    x = π k D it is 3 (sin x − x cos x) / x³, and the rim damps it by exp(−2 (π w D k)²).
    """
    x = np.maximum(np.pi * np.asarray(frequency, np.float64) * diameter_a, 1e-3)
    solid = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3
    damped: _Double = solid * np.exp(-2.0 * np.square(rim * x))
    return damped


def hollow(frequency: _Double, diameter_a: float | _Double, inside: float, rim: float) -> _Double:
    """Return the form factor of a shell whose inner diameter is the fraction ``inside`` of its own.

    1 at frequency 0; ``inside`` 0 is a ball. The rim is softened as in `ball`.
    """
    if inside <= 0.0:
        return ball(frequency, diameter_a, rim)
    share = inside**3
    x = np.maximum(np.pi * np.asarray(frequency, np.float64) * diameter_a, 1e-3)
    damping = np.exp(-2.0 * np.square(rim * x))
    outer = ball(frequency, diameter_a, 0.0)
    inner = ball(frequency, diameter_a * inside, 0.0)
    shell: _Double = (outer - share * inner) / (1.0 - share) * damping
    return shell


def lens(frequency: _Double, focus_a2: float) -> _Double:
    """Return what a lens of unknown focus does to a round shape up to its first maximum, then 1.

    sin(q k² + 0.1) relative to its maximum, with q = π λ Δf in Å²: coarse detail is weak near
    focus. 0 stands for a lens that shows all alike.
    """
    if focus_a2 <= 0.0:
        return np.ones(np.shape(frequency))
    phase = np.minimum(focus_a2 * np.square(frequency) + 0.1, 0.5 * np.pi)
    return np.asarray(np.sin(phase), np.float64)
