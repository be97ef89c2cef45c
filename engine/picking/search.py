"""Looking for particles in one micrograph, the noise learned as they are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.found import Found
from cryoverdict.engine.picking.matched_filter import Detector, detector, weighting
from cryoverdict.engine.picking.noise import ring_power, smoothed
from cryoverdict.engine.picking.peaks import apart, between_pixels, local_maxima
from cryoverdict.engine.picking.picking_field import PickingField
from cryoverdict.engine.picking.reference import Reference, Turned
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.separation import own_scores, without
from cryoverdict.engine.picking.view_detector import ViewDetector, view_detector

_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]

# The noise is measured, particles are taken away, and it is measured again.
ROUNDS = 2
# Score from which a place is taken away before the noise is measured: rare by chance.
CERTAIN = 2.8
# Places below this score are not looked at.
FLOOR = 2.0
# How far neighbours reach, in diameters.
REACH = 1.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What a search was made with, and what it left over.

    ``detector`` looks for round references; ``views``, where there is one, for the views of class
    averages instead. ``rest`` is the transform of the micrograph without the certain particles,
    ``noise`` its power over ``rings``.
    """

    detector: Detector
    views: ViewDetector | None
    rings: Rings
    noise: _Double
    rest: _Complex
    spacing_px: float

    def found(self, transform: _Complex, floor: float = FLOOR) -> Found:
        """Return the places in an image of the same noise, from its transform."""
        looking = self.detector if self.views is None else self.views
        score, which = looking.scores(transform)
        everywhere = np.ones(score.shape, np.bool_)
        rows, columns = local_maxima(score, floor, everywhere)
        y, x = between_pixels(score, rows, columns)
        stays = apart(y, x, self.spacing_px)
        rows, columns, y, x = rows[stays], columns[stays], y[stays], x[stays]
        return Found(
            y=y,
            x=x,
            score=score[rows, columns].astype(np.float64),
            reference=which[rows, columns].astype(np.intp),
        )


def search(
    field: PickingField,
    references: Sequence[Reference],
    rings: Rings,
    *,
    spacing_a: float,
    views: Sequence[Turned] = (),
    lowpass_a: float = 0.0,
    rounds: int = ROUNDS,
) -> Search:
    """Return a search whose noise was measured without the particles that are plain to see.

    The noise is learned by ``references``, round ones, of which the middle one is by which
    neighbours are taken apart; ``views`` are what is looked for in the end, where there are any.
    """
    central = len(references) // 2
    longest_a = max(r.diameter_a for r in references)
    pixel_a = field.image.pixel_size_a
    reach = REACH * references[central].diameter_a / pixel_a
    rest = field.transform
    total = smoothed(ring_power(field, rings, rest))
    for turn in range(rounds + 1):
        noise = smoothed(ring_power(field, rings, rest))
        weights = weighting(field, rings, noise, total, longest_a=longest_a, lowpass_a=lowpass_a)
        round_ones = detector(field, references, weights)
        made = Search(
            detector=round_ones,
            views=None if turn < rounds or not views else view_detector(field, views, weights),
            rings=rings,
            noise=noise,
            rest=rest,
            spacing_px=spacing_a / pixel_a,
        )
        if turn == rounds:
            break
        certain = made.found(field.transform, CERTAIN)
        own = own_scores(round_ones, central, certain.y, certain.x, certain.score, reach)
        rest = without(round_ones, central, field.transform, certain.y, certain.x, own)
    return made
