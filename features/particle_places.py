"""Where particles were picked: their scores and their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.particle_feature import Values, particle_feature

# Farther than this, in diameters, a neighbour is no neighbour.
FARTHEST = 4.0
# How far neighbours are counted, in diameters.
AROUND = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticlePlaces:
    """Coordinates, picker's scores and micrographs of some particles, ``(n,)`` each.

    ``x_px``, ``y_px`` and ``diameter_px`` are in pixels of the micrograph; what the list does not
    say is NaN; ``micrograph`` tells micrographs apart by number.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    micrograph: NDArray[np.int64]
    diameter_px: float

    def members(self) -> list[NDArray[np.int64]]:
        """Return the particles of each micrograph."""
        return members_of(self.micrograph)


@particle_feature(better="higher", source="the picker's figure of merit")
def pick_score(places: ParticlePlaces) -> Values:
    """Score that the picker gave the place."""
    return places.score


@particle_feature(source="neighbours in the box disturb alignment")
def nearest_neighbour(places: ParticlePlaces) -> Values:
    """Distance to the nearest other pick of the micrograph, in particle diameters."""
    return _neighbours(places)[0]


@particle_feature(source="aggregates and carbon gather picks")
def neighbour_count(places: ParticlePlaces) -> Values:
    """Count of other picks within one and a half particle diameters."""
    return _neighbours(places)[1]


FEATURES = (pick_score, nearest_neighbour, neighbour_count)


def members_of(micrograph: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each number, in ascending order of the numbers."""
    order = np.argsort(micrograph, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(micrograph[order])) + 1)


def _neighbours(places: ParticlePlaces) -> tuple[Values, Values]:
    """Return distance to the nearest pick, and the number of picks around, of each particle."""
    from scipy.spatial import KDTree

    known = np.isfinite(places.x_px) & np.isfinite(places.y_px)
    nearest = np.where(known, FARTHEST, np.nan)
    count = np.where(known, 0.0, np.nan)
    for members in places.members():
        mine = members[known[members]]
        if len(mine) < 2:
            continue
        points = np.stack([places.x_px[mine], places.y_px[mine]], axis=1) / places.diameter_px
        tree = KDTree(points)
        nearest[mine] = np.minimum(tree.query(points, k=2)[0][:, 1], FARTHEST)
        count[mine] = tree.query_ball_point(points, AROUND, return_length=True) - 1
    return nearest, count
