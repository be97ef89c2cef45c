"""Trying references on some micrographs: what is found beyond chance, and what shape it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.discoveries import Discoveries, discoveries
from cryoverdict.engine.picking.mean_shape import Body, FormFactor, fitted_body, mean_form_factor
from cryoverdict.engine.picking.noise import phase_randomised
from cryoverdict.engine.picking.picking_field import PickingField, picking_field
from cryoverdict.engine.picking.picking_image import PickingImage, rebinned, windowed
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.search import Found, Search, search

_Double = NDArray[np.float64]

# Picking pixels across a particle: enough for its first side lobes.
PIXELS_ACROSS = 12.0
# Discovery rate up to which finds are used to learn a shape.
LEARNING_RATE = 0.25
# A window this many diameters wide is searched: hundreds of particles, and bounded work.
WINDOW = 42.0
# Two finds are at least this fraction of the diameter apart.
SPACING = 0.75
LOWEST_SCORE = 1.5
# Fewer finds than this tell no shape.
FEWEST_FINDS = 20
# The share of a mean that chance made up is never taken for more than this.
MOST_BIAS = 0.6
# Lenses tried where no CTF is known: π λ Δf for 0, 0.5, 1.5, 3 and 5 µm at 300 kV.
UNKNOWN_FOCUS_A2 = (0.0, 310.0, 930.0, 1860.0, 3100.0)


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
    def rate(self) -> float:
        """The share of them that chance explains."""
        return float(self.seen.rate[self.count - 1]) if self.count else 1.0

    @property
    def typical_score(self) -> float:
        """Their median score, 0 where there is none."""
        return float(np.median(self.seen.scores[: self.count])) if self.count else 0.0

    @property
    def evidence(self) -> float:
        """Their squared scores added up, as far as they are no chance: twice a log-likelihood."""
        return float(np.square(self.seen.scores[: self.count]).sum()) * (1.0 - self.rate)

    @property
    def light_evidence(self) -> float:
        """The same for the opposite contrast."""
        light = np.concatenate(self.light_scores)
        null = np.concatenate(self.null_scores)
        seen = discoveries(light, null)
        threshold = seen.threshold(LEARNING_RATE)
        above = seen.scores[seen.scores >= threshold]
        return float(np.square(above).sum()) * (1.0 - LEARNING_RATE)


def inside_usable(search: Search, found: Found) -> NDArray[np.bool_]:
    """Return which places lie in the usable area."""
    usable = search.detector.field.image.usable
    rows = np.clip(np.rint(found.y).astype(np.intp), 0, usable.shape[0] - 1)
    columns = np.clip(np.rint(found.x).astype(np.intp), 0, usable.shape[1] - 1)
    inside: NDArray[np.bool_] = usable[rows, columns]
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
    window: bool = True,
) -> Trial:
    """Return what references find in some picking images, or in a window of each."""
    searches, found, null, light = [], [], [], []
    central = len(references) // 2
    window_a = WINDOW * diameter_a if window else float("inf")
    for number, image in enumerate(images):
        shown = windowed(rebinned(image, diameter_a / PIXELS_ACROSS), window_a)
        field = picking_field(shown, diameter_a)
        rings = Rings.of(diameter_a, field.image.pixel_size_a)
        one = search(
            field,
            references,
            rings,
            central=central,
            spacing_a=SPACING * diameter_a,
            rounds=rounds,
        )
        every = one.found(field.transform, floor)
        copy = phase_randomised(one.rest, np.random.default_rng((seed, number)))
        chance = one.found(copy, floor)
        opposite = one.found(-one.rest, floor)
        searches.append(one)
        found.append(every.only(inside_usable(one, every)))
        null.append(chance.score[inside_usable(one, chance)])
        light.append(opposite.score[inside_usable(one, opposite)])
    seen = discoveries(np.concatenate([f.score for f in found]), np.concatenate(null))
    return Trial(
        diameter_a=diameter_a,
        references=tuple(references),
        searches=tuple(searches),
        found=tuple(found),
        null_scores=tuple(null),
        light_scores=tuple(light),
        seen=seen,
        threshold=seen.threshold(rate),
    )


def learned_form_factor(made: Trial, diameter_a: float) -> FormFactor | None:
    """Return the mean form factor of a trial's finds, or ``None`` where there are too few.

    What is picked where noise is high looks like the reference in the mean even if nothing is
    there. That part is known: the finds that chance explains with all of their score, the others
    with one over it (the gain from moving to the peak); it is subtracted.
    """
    finds = made.finds
    count = sum(len(f) for f in finds)
    if count < FEWEST_FINDS:
        return None
    fields: list[PickingField] = [s.detector.field for s in made.searches]
    coarsest = max(f.image.pixel_size_a for f in fields)
    rings = Rings.of(diameter_a, coarsest)
    factor = mean_form_factor(fields, [(f.y, f.x) for f in finds], rings, made.diameter_a)
    central = len(made.references) // 2
    bias = 0.0
    for one, some in zip(made.searches, finds, strict=True):
        chance = made.seen.local_rate(some.score) * some.score + 1.0 / np.maximum(some.score, 1.0)
        bias += float(chance.sum()) / one.detector.gains[central] / count
    bias = min(bias, MOST_BIAS * float(factor.values[:8].max()))
    shape = made.references[central].at(factor.frequency.astype(np.float32))
    return FormFactor(
        frequency=factor.frequency,
        values=factor.values - max(bias, 0.0) * shape,
        variance=factor.variance,
    )


def learned_body(made: Trial) -> Body | None:
    """Return the round body that fits a trial's finds, or ``None`` where there are too few."""
    factor = learned_form_factor(made, made.diameter_a)
    if factor is None:
        return None
    known = any(s.detector.field.image.ctf is not None for s in made.searches)
    return fitted_body(factor, made.diameter_a, (0.0,) if known else UNKNOWN_FOCUS_A2)
