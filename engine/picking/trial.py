"""Trying references on some micrographs: what is found beyond chance, and what shape it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.competition import competing_discoveries
from cryoverdict.engine.picking.discoveries import Discoveries, discoveries
from cryoverdict.engine.picking.found import Found
from cryoverdict.engine.picking.noise import phase_randomised
from cryoverdict.engine.picking.picking_field import picking_field
from cryoverdict.engine.picking.picking_image import PickingImage, rebinned, windowed
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.search import Search, search

_Double = NDArray[np.float64]

# Picking pixels across a particle: enough for its first side lobes.
PIXELS_ACROSS = 12.0
# Discovery rate up to which finds are used to learn a shape.
LEARNING_RATE = 0.25
# Discovery rate up to which they speak for what was looked for.
SURE_RATE = 0.1
# A window this many diameters wide is searched: hundreds of particles, and bounded work.
WINDOW = 42.0
# Two finds are at least this fraction of the diameter apart.
SPACING = 0.75
LOWEST_SCORE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """What references of about one size found in some micrographs.

    ``found`` are the places in each usable area, ``light`` the scores of the same search for the
    opposite contrast in what was left, ``seen`` the discoveries, ``threshold`` the score used.
    """

    diameter_a: float
    references: tuple[Profile, ...]
    searches: tuple[Search, ...]
    found: tuple[Found, ...]
    null_scores: tuple[_Double, ...]
    light_scores: tuple[_Double, ...]
    seen: Discoveries
    threshold: float

    @property
    def finds(self) -> tuple[Found, ...]:
        """The places at or above the threshold."""
        return tuple(f.only(f.score >= self.threshold) for f in self.found)

    @property
    def count(self) -> int:
        """How many places are at or above the threshold."""
        return int(np.count_nonzero(self.seen.scores >= self.threshold))

    @property
    def often(self) -> float:
        """The same for one micrograph."""
        return self.count / len(self.searches)

    @property
    def usable_a2(self) -> float:
        """The usable area that was searched, in Å², at least 1."""
        images = [s.detector.field.image for s in self.searches]
        return max(sum(float(i.usable.sum()) * i.pixel_size_a**2 for i in images), 1.0)

    @property
    def rate(self) -> float:
        """The share of them that chance explains."""
        return float(self.seen.rate[self.count - 1]) if self.count else 1.0

    @property
    def typical_score(self) -> float:
        """Their median score, 0 where there is none."""
        return float(np.median(self.seen.scores[: self.count])) if self.count else 0.0

    @property
    def evidence(self) -> float:
        """What speaks for the references, a micrograph; see `_evidence`."""
        return _evidence(self.seen) / len(self.searches)

    @property
    def light_evidence(self) -> float:
        """The same for the opposite contrast."""
        seen = discoveries(np.concatenate(self.light_scores), np.concatenate(self.null_scores))
        return _evidence(seen) / len(self.searches)


def _evidence(seen: Discoveries) -> float:
    """Return squared scores added up, as far as they are no chance: twice a log-likelihood.

    Only places of which few are chance count: of what is smaller than particles there are so many
    places that a quarter of chance among them outweighs a few particles.
    """
    sure = seen.scores[seen.rate <= SURE_RATE]
    return float(np.square(sure).sum()) * (1.0 - SURE_RATE)


def inside_usable(search: Search, found: Found) -> NDArray[np.bool_]:
    """Return which places lie in the usable area."""
    usable = search.detector.field.image.usable
    inside: NDArray[np.bool_] = usable[found.pixels(usable.shape)]
    return inside


def trial(
    images: Sequence[PickingImage],
    references: Sequence[Profile],
    diameter_a: float,
    seed: int,
    *,
    rounds: int = 1,
    rate: float = LEARNING_RATE,
    floor: float = LOWEST_SCORE,
    window_a: float | None = None,
) -> Trial:
    """Return what references find in a window of each of some picking images.

    The window is ``window_a`` wide, of some hundred particles where that is not said.
    """
    searches, found, null, light = [], [], [], []
    window_a = WINDOW * diameter_a if window_a is None else window_a
    for number, image in enumerate(images):
        shown = windowed(rebinned(image, diameter_a / PIXELS_ACROSS), window_a)
        field = picking_field(shown, diameter_a)
        rings = Rings.of(diameter_a, field.image.pixel_size_a)
        one = search(
            field,
            references,
            rings,
            spacing_a=SPACING * diameter_a,
            rounds=rounds,
        )
        every = one.found(field.transform, floor)
        copy = phase_randomised(one.rest, np.random.default_rng((seed, number)))
        chance = one.found(copy, floor)
        opposite = one.found(-one.rest, floor)
        searches.append(one)
        found.append(every.only(inside_usable(one, every)))
        null.append(chance.only(inside_usable(one, chance)))
        light.append(opposite.score[inside_usable(one, opposite)])
    seen = competing_discoveries(found, null, [s.spacing_px for s in searches])
    return Trial(
        diameter_a=diameter_a,
        references=tuple(references),
        searches=tuple(searches),
        found=tuple(found),
        null_scores=tuple(n.score for n in null),
        light_scores=tuple(light),
        seen=seen,
        threshold=seen.threshold(rate),
    )
