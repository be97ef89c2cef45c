"""What was picked in one micrograph, and what was dropped, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Why a place that scored high enough is no pick.
DROP_REASONS = (
    "film",
    "dark_bar",
    "contamination",
    "aggregate",
    "bright",
    "edge",
    "crowded",
    "score_ceiling",
    "too_many",
    "chance",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DroppedPicks:
    """Places that scored above the threshold and were not taken, for one reason.

    ``x_px``, ``y_px`` and ``score`` are ``(n,)`` float64, as in `Picks`.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many were dropped."""
        return len(self.x_px)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picks:
    """The picks of one micrograph, best score first.

    ``x_px`` and ``y_px`` ``(n,)`` float64 are pixels of the full-size micrograph counted as RELION
    does: the middle of the first pixel is 0, x runs along the columns, y along the rows in the
    order they are stored. ``score`` is comparable across micrographs (deviations of the score of
    phase-randomised copies of the same micrograph); ``diameter_a`` is the size that fitted best.
    ``dropped`` maps each reason of `DROP_REASONS` that occurred to its places.
    ``usable_fraction`` is the fraction of the field where picks were allowed (edge margin taken
    off); ``notes`` are sentences about this micrograph that a reader must know.
    """

    subject: str
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    diameter_a: NDArray[np.float64]
    dropped: Mapping[str, DroppedPicks] = field(default_factory=dict)
    usable_fraction: float = 1.0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return how many were picked."""
        return len(self.x_px)
