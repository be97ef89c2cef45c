"""The particle classifier: a calibrated probability that a picked particle is a good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.models.offset_model import OffsetModel
from cryoverdict.features.particle_feature import Values

# The recalls for which thresholds are kept, in steps of half a percent.
RECALLS = np.round(np.linspace(0.5, 1.0, 101), 4)
DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleModel:
    """GLM and trees over a particle's measurements, stacked and calibrated (see `OffsetModel`).

    ``thresholds`` ``(101,)``: the log-odds above which the recalls `RECALLS` of the good particles
    lie, by models that had not seen their micrographs.
    """

    model: OffsetModel
    thresholds: NDArray[np.float64]

    def log_odds(self, values: NDArray[np.float64]) -> Values:
        """Return the log-odds ``(n,)`` of being good."""
        return self.model.log_odds(values, np.zeros(len(values)))

    def threshold(self, recall: float) -> float:
        """Return the log-odds from which a particle is kept so that this share of the good is.

        Raises `EngineError` for a recall that was not looked at.
        """
        if not RECALLS[0] <= recall <= RECALLS[-1]:
            msg = f"a recall of {recall:g}; accepted is {RECALLS[0]:g} to {RECALLS[-1]:g}"
            raise EngineError(msg)
        return float(np.interp(recall, RECALLS, self.thresholds))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "model": self.model.to_dict(),
            "thresholds": np.round(self.thresholds, DIGITS).tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ParticleModel:
        """Return what `to_dict` wrote."""
        return cls(
            model=OffsetModel.from_dict(record["model"]),
            thresholds=np.array(record["thresholds"], np.float64),
        )


def recall_thresholds(log_odds: Values, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log-odds above which each of `RECALLS` of the good particles lies."""
    return np.asarray(np.quantile(log_odds[good], 1.0 - RECALLS), np.float64)
