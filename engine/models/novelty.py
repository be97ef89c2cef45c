"""How unlike a data set is to all that a model learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.models.standardisation import Standardisation

# No feature counts more than this share of its spread over all data sets allows.
LEAST_SPREAD = 0.5
# A data set is unlike when it is farther off than this share of the training sets from the others.
FARTHER_THAN = 0.98
# Decimals of what is written down.
DIGITS = 4
FEWEST_SETS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """Distances in the space of measurements and embedding, in units of the spread inside sets.

    Rows are standardised and divided by ``spread`` ``(features,)``, their deviation about the
    centre of their data set. The distance of a row is that to the nearest of the training sets'
    ``centres`` ``(sets, features)``; that of a data set is the median of its rows. ``limit`` is
    calibrated by leaving each training set out.
    """

    spread: NDArray[np.float64]
    centres: NDArray[np.float64]
    limit: float

    @classmethod
    def of(
        cls,
        standardisation: Standardisation,
        values: NDArray[np.float64],
        data_set: NDArray[np.str_],
    ) -> Novelty | None:
        """Learn what is usual from rows ``(rows, features)``; ``None`` for too few data sets."""
        names = np.unique(data_set)
        if len(names) < FEWEST_SETS:
            return None
        z = standardisation.apply(values)
        members = [data_set == name for name in names]
        inside = np.concatenate([z[m] - np.median(z[m], axis=0) for m in members])
        floor = np.maximum(LEAST_SPREAD * z.std(axis=0), 1e-2)
        spread = np.round(np.maximum(inside.std(axis=0), floor), DIGITS)
        seen = z / spread
        centres = np.round(np.stack([np.median(seen[m], axis=0) for m in members]), DIGITS)
        others = [np.delete(centres, i, axis=0) for i in range(len(names))]
        away = [
            float(np.median(_nearest(seen[m], c))) for m, c in zip(members, others, strict=True)
        ]
        limit = float(np.round(np.quantile(away, FARTHER_THAN), DIGITS))
        return cls(spread=spread, centres=centres, limit=limit)

    def distance(self, standardisation: Standardisation, values: NDArray[np.float64]) -> float:
        """Return how far the rows of one data set are from all training sets; 1 is the limit."""
        seen = standardisation.apply(values) / self.spread
        return float(np.median(_nearest(seen, self.centres))) / self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "spread": self.spread.tolist(),
            "centres": self.centres.tolist(),
            "limit": self.limit,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Novelty:
        """Return what `to_dict` wrote."""
        return cls(
            spread=np.array(record["spread"]),
            centres=np.array(record["centres"]),
            limit=record["limit"],
        )


def trust_at(distance: float) -> float:
    """Return how much a model's evidence counts at a distance: all within the limit, then less.

    It falls as the square of the distance, so that rules lead where the model knows nothing.
    """
    return 1.0 if distance <= 1.0 else 1.0 / distance**2


def _nearest(rows: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row's distance to the nearest centre, in deviations a direction."""
    squares = np.square(rows).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)[None, :]
    gaps = np.maximum(squares - 2.0 * rows @ centres.T, 0.0).min(axis=1)
    nearest: NDArray[np.float64] = np.sqrt(gaps / rows.shape[1])
    return nearest
