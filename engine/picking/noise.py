"""The noise among which particles are looked for: its power over frequency, and copies of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_field import PickingField
from cryoverdict.engine.picking.rings import Rings

_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]

# Denoised pictures have no noise at high frequencies, and no signal either: power below this share
# of the strongest counts as that share. Shot noise lies well above.
LEAST_NOISE = 0.003
SMOOTHED_RINGS = 3.0


def ring_power(field: PickingField, rings: Rings, transform: _Complex) -> _Double:
    """Return the mean power a pixel in each ring, as if all of the micrograph were usable."""
    number = rings.number(field.frequency)
    cells = rings.sums(number, np.ones(number.shape, np.float32))
    power = rings.sums(number, np.square(transform.real) + np.square(transform.imag))
    share = max(float(field.image.usable.mean()), 1e-3)
    return power / np.maximum(cells, 1.0) / (field.shape[0] * field.shape[1] * share)


def smoothed(power: _Double) -> _Double:
    """Return a power spectrum over rings without its structure, by a mean over its logarithm."""
    from scipy import ndimage

    low = max(1e-12, 1e-9 * float(power.max()))
    level = ndimage.gaussian_filter1d(
        np.log(np.maximum(power, low)), SMOOTHED_RINGS, mode="nearest"
    )
    return np.asarray(np.exp(level), np.float64)


def bounded(power: _Double) -> _Double:
    """Return a noise power that nowhere falls below a share of its strongest."""
    return np.maximum(power, LEAST_NOISE * float(power.max()))


def phase_randomised(transform: _Complex, rng: np.random.Generator) -> _Complex:
    """Return a transform with the same power and random phases: the same spectrum by chance.

    It is that of a real image: the columns of frequency 0 and Nyquist keep the symmetry that makes
    it one.
    """
    phases = rng.uniform(0.0, 2.0 * np.pi, transform.shape).astype(np.float32)
    turned = np.abs(transform) * np.exp(np.complex64(1j) * phases)
    rows = transform.shape[0]
    mirrored = (-np.arange(rows)) % rows
    for column in (0, transform.shape[1] - 1):
        half = turned[:, column]
        turned[:, column] = np.where(np.arange(rows) <= mirrored, half, np.conj(half[mirrored]))
        own = mirrored == np.arange(rows)
        turned[own, column] = np.abs(transform[own, column])
    return np.asarray(turned, np.complex64)
