"""Whether a second size of particle lives in what the first leaves over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cryoverdict.engine.picking.picking_image import PickingImage, windowed
from cryoverdict.engine.picking.size_search import Size, confirmed, profile_of, sizes_looked_for
from cryoverdict.engine.picking.trial import WINDOW, trial

# Sizes nearer than this ratio are views of one particle.
APART = 1.6
# A second size is found about as surely, and this often beside the first.
AS_SURE, AS_MANY = 0.8, 0.15
# Finds nearer to one of the first size than this many of the larger diameter are what it left.
LEFT = 0.6
MOSTLY_ELSEWHERE = 0.6
MOST_BY_CHANCE = 0.15
STARTS = (0.4, 0.55, 1.8, 2.5)


def second_size(images: Sequence[PickingImage], first: Size, seed: int) -> Size | None:
    """Return a second size that confirms itself away from the first's places, or ``None``.

    The first is looked for and taken away; sizes well below and above it are then tried in what is
    left.
    """
    from scipy.spatial import KDTree

    parts = [windowed(i, WINDOW * first.diameter_a) for i in images]
    main = trial(parts, (profile_of(first.body),), first.diameter_a, seed, rounds=2, window=False)
    left, places_a = [], []
    for part, search, finds in zip(parts, main.searches, main.finds, strict=True):
        field = search.detector.field
        left.append(
            replace(
                field.image,
                pixels=field.image_of(search.rest),
                subject=part.subject,
            )
        )
        places_a.append(np.stack((finds.y, finds.x), axis=1) * field.image.pixel_size_a)
    low, high = sizes_looked_for(left)[0], sizes_looked_for(left)[-1]
    best: Size | None = None
    for ratio in STARTS:
        start = ratio * first.diameter_a
        if not low <= start <= high:
            continue
        size = confirmed(left, start, 0.0, seed)
        if (
            size is None
            or max(size.diameter_a / first.diameter_a, first.diameter_a / size.diameter_a) < APART
        ):
            continue
        once = trial(left, (profile_of(size.body),), size.diameter_a, seed, window=False)
        reach = LEFT * max(size.diameter_a, first.diameter_a)
        elsewhere = total = 0
        for search, finds, taken in zip(once.searches, once.finds, places_a, strict=True):
            at = np.stack((finds.y, finds.x), axis=1) * search.detector.field.image.pixel_size_a
            total += len(at)
            away = (
                KDTree(taken).query(at)[0] > reach if len(taken) and len(at) else np.ones(len(at))
            )
            elsewhere += int(np.count_nonzero(away))
        sure = once.typical_score >= AS_SURE * main.typical_score
        many = elsewhere >= max(20.0, AS_MANY * main.count)
        if sure and many and elsewhere >= MOSTLY_ELSEWHERE * total and once.rate < MOST_BY_CHANCE:
            found = replace(size, made=once)
            if best is None or found.made.evidence > best.made.evidence:
                best = found
    return best
