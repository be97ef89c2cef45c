"""The matched filter: how surely a particle lies at each place, in deviations of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.noise import bounded
from cryoverdict.engine.picking.picking_field import PickingField
from cryoverdict.engine.picking.reference import Reference, spectrum
from cryoverdict.engine.picking.rings import Rings

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]

LOWPASS_ORDER = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detector:
    """Matched filters of one field and one noise.

    ``filters`` are the conjugated transforms of what the references look like in this micrograph
    over the noise power, so scaled that noise responds with deviation 1; ``gains`` how much a
    reference of amplitude 1 responds to itself. ``references`` stand in the same order.
    """

    field: PickingField
    references: tuple[Reference, ...]
    filters: tuple[_Float | _Complex, ...]
    gains: tuple[float, ...]

    def scores(self, transform: _Complex) -> tuple[_Float, NDArray[np.uint16]]:
        """Return the best score at each pixel and the number of the reference that gave it."""
        best = np.full(self.field.image.pixels.shape, -np.inf, np.float32)
        which = np.zeros(best.shape, np.uint16)
        for number, one in enumerate(self.filters):
            response = self.field.image_of(transform * one)
            better = response > best
            best[better] = response[better]
            which[better] = number
        return best, which


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighting:
    """How the frequencies of one field weigh in its filters.

    A filter is the conjugated transform of a shape times ``passed`` (lens and noise together).
    ``noise`` is the noise power, ``both`` how often a frequency of the half plane stands for one
    of the whole.
    """

    passed: _Float
    noise: _Float
    both: _Float


def weighting(
    field: PickingField,
    rings: Rings,
    noise: _Double,
    total: _Double,
    *,
    longest_a: float,
    lowpass_a: float = 0.0,
) -> Weighting:
    """Return the weights for finding things in noise of a power over rings.

    What is coarser than about twice ``longest_a`` is ground and weighs nothing, nor does what is
    finer than ``lowpass_a``. Frequencies are
    weighted by the geometric mean of the noise and of ``total``, the power with the particles, for
    other particles disturb, too; and by the root of the transfer, halfway between flipping phases
    and a full matched filter, because a particle's fine detail is less like the reference than its
    coarse one is. Source: the matched filter (North 1943) with the CTF as part of what is looked
    for (Sigworth, J. Struct. Biol. 145:111, 2004).
    """
    limit = rings.spread(field.frequency, bounded(np.sqrt(noise * total)))
    with np.errstate(divide="ignore", over="ignore"):
        ground = 1.0 / (1.0 + (1.0 / (2.5 * longest_a * field.frequency)) ** 4)
    fine = 1.0 / (1.0 + (lowpass_a * field.frequency) ** LOWPASS_ORDER)
    both = np.full(field.frequency.shape[1], 2.0, np.float32)
    both[0] = 1.0
    if field.shape[1] % 2 == 0:
        both[-1] = 1.0
    lens = np.sign(field.transfer) * np.sqrt(np.abs(field.transfer))
    return Weighting(
        passed=np.asarray(lens * (ground * fine / limit).astype(np.float32), np.float32),
        noise=rings.spread(field.frequency, noise),
        both=both,
    )


def detector(field: PickingField, references: Sequence[Reference], weights: Weighting) -> Detector:
    """Return the matched filters for references, so scaled that noise scores with deviation 1."""
    number_of_pixels = field.shape[0] * field.shape[1]
    filters, gains = [], []
    for reference in references:
        shape = spectrum(reference, field)
        one = np.conj(shape) * weights.passed
        passed = np.square(np.abs(one)) * weights.noise * weights.both
        deviation = float(np.sqrt(passed.sum(dtype=np.float64) / number_of_pixels))
        own = np.real(shape * one) * field.transfer * weights.both
        filters.append((one / np.float32(deviation)).astype(one.dtype))
        gains.append(float(own.sum(dtype=np.float64) / number_of_pixels / deviation))
    return Detector(
        field=field,
        references=tuple(references),
        filters=tuple(filters),
        gains=tuple(gains),
    )


def own_response(detector: Detector, number: int) -> _Float:
    """Return what a reference of amplitude 1 at pixel (0, 0) gives under its own filter.

    ``shape`` of the mirrored field, wrapped round; for finding how neighbours add up.
    """
    from scipy import fft

    field = detector.field
    seen = spectrum(detector.references[number], field) * field.transfer
    return np.asarray(fft.irfft2(seen * detector.filters[number], s=field.shape), np.float32)
