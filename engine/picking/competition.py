"""Chance finds compete with particles for room: where one lies, chance shows nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.discoveries import Discoveries, discoveries
from cryoverdict.engine.picking.found import Found

_Double = NDArray[np.float64]

# After so many turns competition changes little more.
TURNS = 4


def competing(
    found: Found, null: Found, spacing_px: float, certain: _Double
) -> NDArray[np.float64]:
    """Return how likely each chance place would have been found beside the particles.

    ``null`` are the places in a copy of the micrograph that chance made. One that lies nearer than
    ``spacing_px`` to a higher place of the micrograph itself would have been taken away by it, if
    that is a particle, which it is with the probability ``certain`` (one for each of ``found``).
    Without this, a dense micrograph is held to have as much chance in it as an empty one. Source:
    the competition of targets and decoys (Elias & Gygi, Nat. Methods 4:207, 2007), here in space.
    """
    from scipy.spatial import KDTree

    weight = np.ones(len(null))
    if not len(found) or not len(null):
        return weight
    pairs = KDTree(np.stack((null.y, null.x), axis=1)).sparse_distance_matrix(
        KDTree(np.stack((found.y, found.x), axis=1)), spacing_px, output_type="ndarray"
    )
    chance, rival = pairs["i"], pairs["j"]
    beaten = found.score[rival] >= null.score[chance]
    np.minimum.at(weight, chance[beaten], 1.0 - certain[rival[beaten]])
    return weight


def competing_discoveries(
    found: list[Found], null: list[Found], spacings_px: list[float]
) -> Discoveries:
    """Return the discoveries of several micrographs, their chance places weighted by competition.

    How likely each place is a particle is told by the discoveries before: at first by those
    without competition, which are too cautious. Where a share ``x`` of the places is chance
    without competition and they cover the share ``c`` of the area, the turns end at
    ``x (1 - c) / (1 - c x)``: never lower, and at 1 where all is chance.
    """
    scores = np.concatenate([f.score for f in found])
    chance = np.concatenate([n.score for n in null])
    seen = discoveries(scores, chance)
    for _ in range(TURNS):
        weights = [
            competing(f, n, spacing, 1.0 - seen.local_rate(f.score))
            for f, n, spacing in zip(found, null, spacings_px, strict=True)
        ]
        seen = discoveries(scores, chance, np.concatenate(weights))
    return seen
