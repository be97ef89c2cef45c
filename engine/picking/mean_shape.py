"""The mean shape of what was found: its form factor, and the round body that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.form_factor import hollow, lens
from cryoverdict.engine.picking.noise import ring_power
from cryoverdict.engine.picking.picking_field import PickingField
from cryoverdict.engine.picking.rings import Rings

_Double = NDArray[np.float64]
_Float = NDArray[np.float32]

# A ball's diameter over its radius of gyration: 2 √(5/3).
BALL = 2.0 * (5.0 / 3.0) ** 0.5
# Bodies that are tried: inner over outer diameter, and rims over the outer diameter.
INSIDES = (0.0, 0.3, 0.45, 0.6, 0.75)
RIMS = (0.04, 0.08, 0.12, 0.17)
# Frequencies that tell the size, over the diameter: the main lobe and the first side lobe.
LOWEST, HIGHEST = 0.25, 2.0
# The body is a sketch: it is not held to the form factor more closely than this.
SKETCH = 0.03
# Deviations of the rim at which a particle ends. On eleven generated shapes the extent is then
# within 15 % of the mean longest extent of the views.
REACH = 2.0
# How much better than through none a shape must fit through a lens.
LENS_GAIN = 0.5
# A shape that fits this well through none needs no lens.
GOOD_FIT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FormFactor:
    """The mean form factor of particles over ``frequency`` (1/Å), with its variance."""

    frequency: _Double
    values: _Double
    variance: _Double


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A shell with a soft rim.

    ``focus_a2`` is the lens it was seen through where the micrographs' own are unknown.
    ``misfit`` is its squared distance in the fit relative to what was fitted, ``amplitude`` its
    height at frequency 0.
    """

    outer_a: float
    inside: float
    rim: float
    amplitude: float
    misfit: float
    focus_a2: float = 0.0

    @property
    def diameter_a(self) -> float:
        """Diameter of the ball with the same radius of gyration."""
        return body_diameter(self.outer_a, self.inside, self.rim)

    @property
    def extent_a(self) -> float:
        """How far the particle reaches: where the soft rim has fallen to two deviations."""
        return self.outer_a * (1.0 + 2.0 * REACH * self.rim)

    def scaled(self, factor: float) -> Body:
        """Return the same body ``factor`` times as large."""
        return replace(self, outer_a=factor * self.outer_a)


def body_diameter(outer_a: float, inside: float, rim: float) -> float:
    """Return the diameter of the ball that has a shell's radius of gyration.

    >>> round(body_diameter(100.0, 0.0, 0.0), 6)
    100.0
    """
    outer = 0.5 * outer_a
    inner = outer * inside
    square = 0.6 * (outer**5 - inner**5) / (outer**3 - inner**3) + 3.0 * (rim * outer_a) ** 2
    return float(BALL * square**0.5)


def mean_form_factor(
    fields: Sequence[PickingField],
    places: Sequence[tuple[_Double, _Double]],
    rings: Rings,
    ground_a: float,
) -> FormFactor:
    """Return the mean form factor of what lies at some places (y, x) of each field.

    The transform of a micrograph is that of the places times the form factor times the lens's
    transfer: a straight line in each ring, fitted by least squares over all micrographs, so that
    neighbours do not add to each other's shape. ``ground_a`` is the width at which the ground was
    taken off, which is made good for.
    """
    above = np.zeros(rings.count)
    below = np.zeros(rings.count)
    for field, (y, x) in zip(fields, places, strict=True):
        if not len(y):
            continue
        points = field.places_transform(y, x, np.ones(len(y)))
        number = rings.number(field.frequency)
        seen = seen_through(field, ground_a)
        weight = 1.0 / np.maximum(ring_power(field, rings, field.transform), 1e-12)
        both = np.real(np.conj(points) * field.transform)
        above += rings.sums(number, seen * both) * weight
        below += rings.sums(number, np.square(seen) * np.square(np.abs(points))) * weight
    return FormFactor(
        frequency=rings.middle,
        values=above / np.maximum(below, 1e-12),
        variance=1.0 / np.maximum(2.0 * below, 1e-12),
    )


def seen_through(field: PickingField, ground_a: float) -> _Float:
    """Return what lens and the taking off of the ground leave of a particle's transform."""
    flat = 1.0 - np.exp(-2.0 * np.square(np.pi * ground_a * field.frequency))
    return np.asarray(field.transfer * flat.astype(np.float32), np.float32)


def fitted_body(
    factor: FormFactor, near_a: float, focuses: Sequence[float] = (0.0,)
) -> Body | None:
    """Return the body whose form factor fits best, of sizes within an octave or so of one.

    ``focuses`` are the lenses (Å², see `form_factor.lens`) it may have been seen through.
    """
    best: Body | None = None
    for focus in focuses:
        one = _fitted(factor, near_a, focus)
        if one is None:
            continue
        # A lens is believed only where the shape asks for it: it and the size make up for each
        # other.
        if best is None:
            best = one
            if one.misfit < GOOD_FIT:
                break
        elif one.misfit < (LENS_GAIN if best.focus_a2 == 0.0 else 1.0) * best.misfit:
            best = one
    return best


def _fitted(factor: FormFactor, near_a: float, focus: float) -> Body | None:
    """Return the body that fits best through one lens."""
    best: Body | None = None
    scale = float(np.abs(factor.values).max())
    weight = 1.0 / (factor.variance + (SKETCH * scale) ** 2)
    seen = factor.values
    outer = np.geomspace(0.45 * near_a, 2.2 * near_a, 64)
    through = lens(factor.frequency, focus)
    for inside, rim in product(INSIDES, RIMS):
        size = outer * body_diameter(1.0, inside, rim)
        reach = factor.frequency * size[:, None]
        used = weight * ((reach > LOWEST) & (reach < HIGHEST))
        shape = hollow(factor.frequency, outer[:, None], inside, rim) * through
        height = (used * shape * seen).sum(axis=1)
        height /= np.maximum((used * np.square(shape)).sum(axis=1), 1e-300)
        misfit = (used * np.square(seen - height[:, None] * shape)).sum(axis=1)
        # Relative to what is to be explained, so that bodies judged over more or fewer rings can
        # be compared.
        misfit /= np.maximum((used * np.square(seen)).sum(axis=1), 1e-300)
        misfit[(height <= 0.0) | (np.count_nonzero(used, axis=1) < 4)] = np.inf
        at = int(misfit.argmin())
        if np.isfinite(misfit[at]) and (best is None or misfit[at] < best.misfit):
            best = Body(
                outer_a=float(outer[at]),
                inside=inside,
                rim=rim,
                amplitude=float(height[at]),
                misfit=float(misfit[at]),
                focus_a2=focus,
            )
    return best
