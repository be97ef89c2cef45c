"""What shape the finds of a trial have, what choosing them added to it taken off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.mean_shape import (
    Body,
    FormFactor,
    fitted_body,
    mean_form_factor,
    seen_through,
)
from cryoverdict.engine.picking.noise import ring_power
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.trial import Trial

_Double = NDArray[np.float64]

# Fewer finds than this tell no shape.
FEWEST_FINDS = 20
# The share of a mean that chance made up is never taken for more than this.
MOST_BIAS = 0.6
# Lenses tried where no CTF is known: π λ Δf for 0, 0.5, 1.5, 3 and 5 µm at 300 kV.
UNKNOWN_FOCUS_A2 = (0.0, 310.0, 930.0, 1860.0, 3100.0)
# Of weak particles the compact views and the cores are found first. How much smaller than the
# particle the mean of the finds is, for each deviation that their typical score falls short of one
# at which every view is found, and at most: measured on simulated particles of ten generated
# shapes, searched for at their true size.
COMPACT, PLAIN_SCORE, MOST_COMPACT = 0.085, 5.0, 0.2


def learned_form_factor(made: Trial, diameter_a: float) -> FormFactor | None:
    """Return the mean form factor of a trial's finds, or ``None`` where there are too few.

    What is picked where noise is high looks like the filter in the mean even if nothing is there:
    noise that gives a score has, in the mean, the conjugate of the filter times the noise power
    as its transform. That part, as large as the mean luck of the finds, is subtracted.
    """
    if sum(len(f) for f in made.finds) < FEWEST_FINDS:
        return None
    fields = [s.detector.field for s in made.searches]
    coarsest = max(f.image.pixel_size_a for f in fields)
    rings = Rings.of(diameter_a, coarsest)
    places = [(f.y, f.x) for f in made.finds]
    factor = mean_form_factor(fields, places, rings, made.diameter_a)
    chosen = made.seen.noise_part(made.threshold) * _chosen_form_factor(made, rings)
    top = float(np.abs(chosen).max())
    most = MOST_BIAS * float(factor.values[:8].max())
    if top > most > 0.0:
        chosen *= most / top
    return FormFactor(
        frequency=factor.frequency, values=factor.values - chosen, variance=factor.variance
    )


def _chosen_form_factor(made: Trial, rings: Rings) -> _Double:
    """Return what noise of score 1 at every find adds to the mean form factor."""
    above, below = np.zeros(rings.count), np.zeros(rings.count)
    central = len(made.references) // 2
    for one, some in zip(made.searches, made.finds, strict=True):
        field = one.detector.field
        number = rings.number(field.frequency)
        seen = seen_through(field, made.diameter_a)
        weight = len(some) / np.maximum(ring_power(field, rings, field.transform), 1e-12)
        noise = one.rings.spread(field.frequency, one.noise)
        filtered = np.real(np.conj(one.detector.filters[central])) * noise
        above += rings.sums(number, seen * filtered) * weight
        below += rings.sums(number, np.square(seen)) * weight
    return above / np.maximum(below, 1e-12)


def learned_body(made: Trial) -> Body | None:
    """Return the round body that fits a trial's finds, or ``None`` where there are too few."""
    factor = learned_form_factor(made, made.diameter_a)
    if factor is None:
        return None
    known = any(s.detector.field.image.ctf is not None for s in made.searches)
    body = fitted_body(factor, made.diameter_a, (0.0,) if known else UNKNOWN_FOCUS_A2)
    if body is None:
        return None
    compact = COMPACT * max(PLAIN_SCORE - made.typical_score, 0.0)
    return body.scaled(1.0 + min(compact, MOST_COMPACT))
