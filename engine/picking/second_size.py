"""A second size in the data: what is still found where the first size was taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_field import picking_field
from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.search import REACH, search
from cryoverdict.engine.picking.separation import own_scores, without
from cryoverdict.engine.picking.size_search import (
    Size,
    confirmed,
    profile_of,
    sizes_looked_for,
)
from cryoverdict.engine.picking.trial import SPACING, Trial, inside_usable
from cryoverdict.features.area_map import AreaKind

# A second size is looked for at these ratios to the first, and is one from this ratio on.
STARTS = (0.4, 0.55, 0.7, 1.45, 1.9, 2.5)
DIFFERENT = 1.35
# Bodies of these sizes contend with the first for each place.
RIVALS = (0.6, 1.0, 1.65)
# It is plain to see by itself, hardly chance, and not only a few.
PLAIN, CHANCE, SHARE = 4.5, 0.1, 0.1
# The first size, if it is weak, leaves so much over that nothing can be said.
PLAIN_FIRST = 3.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SecondSize:
    """A second size and the fraction of the particles that have it."""

    size: Size
    share: float

    @property
    def diameter_a(self) -> float:
        """The diameter of the second size."""
        return self.size.diameter_a


def second_size(images: Sequence[PickingImage], first: Size, seed: int) -> SecondSize | str:
    """Return the second size in some picking images, or why none is told.

    The particles of the first are subtracted and their places given up; in what is left the search
    for a size begins anew, from sizes unlike the first. What confirms itself there, is plain to
    see, hardly ever chance, and as frequent as a tenth of all, is a second size.
    """
    if first.made.typical_score < PLAIN_FIRST:
        return "the particles are too weak for a second size to be told"
    left = [_without_first(image, first) for image in images]
    left = [image for image in left if image.usable.mean() > 0.1]
    if not left:
        return "the particles leave no room in which a second size could be seen"
    low, high = sizes_looked_for(images)[0], sizes_looked_for(images)[-1]
    starts = [d for d in (ratio * first.diameter_a for ratio in STARTS) if low <= d <= high]
    reached = [confirmed(left, Profile(diameter_a=d), d, seed) for d in starts]
    best: SecondSize | None = None
    for size in reached:
        if size is None or abs(np.log(size.diameter_a / first.diameter_a)) < np.log(DIFFERENT):
            continue
        made = size.made
        share = _density(made) / (_density(made) + _density(first.made))
        plain = made.typical_score >= PLAIN and made.rate <= CHANCE and share >= SHARE
        if plain and (best is None or made.evidence > best.size.made.evidence):
            best = SecondSize(size=size, share=share)
    return best or "where the first size was taken away, no other confirms itself"


def _density(made: Trial) -> float:
    """Return how many finds a trial has for each Å² of usable area."""
    return made.count * (1.0 - made.rate) / made.usable_a2


def _without_first(image: PickingImage, first: Size) -> PickingImage:
    """Return an image without the particles of the first size, their places not usable.

    Of the first size is what it fits better than a body of far less or far more.
    """
    diameter_a, pixel_a = first.diameter_a, image.pixel_size_a
    field = picking_field(image, diameter_a)
    made = search(
        field,
        tuple(profile_of(first.body.scaled(ratio)) for ratio in RIVALS),
        Rings.of(diameter_a, pixel_a),
        spacing_a=SPACING * diameter_a,
    )
    found = made.found(field.transform, first.made.threshold)
    own_size = RIVALS.index(1.0)
    found = found.only(inside_usable(made, found) & (found.reference == own_size))
    reach_px = REACH * diameter_a / pixel_a
    own = own_scores(made.detector, own_size, found.y, found.x, found.score, reach_px)
    rest = field.image_of(without(made.detector, own_size, field.transform, found.y, found.x, own))
    kind = image.kind.copy()
    taken = _discs(image, found.y, found.x, 0.5 * first.body.extent_a / pixel_a)
    kind[taken] = AreaKind.AGGREGATE
    return replace(image, pixels=rest, kind=kind)


def _discs(
    image: PickingImage, y: NDArray[np.float64], x: NDArray[np.float64], radius_px: float
) -> NDArray[np.bool_]:
    """Return the pixels of an image within a radius of some places."""
    from scipy import ndimage

    height, width = image.pixels.shape
    away = np.ones((height, width), np.bool_)
    rows = np.clip(np.rint(y).astype(np.intp), 0, height - 1)
    columns = np.clip(np.rint(x).astype(np.intp), 0, width - 1)
    away[rows, columns] = False
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(away) < radius_px
    return near if len(y) else np.zeros(near.shape, np.bool_)
