"""One reason for or against a subject, in log-odds."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from cryoverdict.engine.engine_error import EngineError

Source = Literal["rule", "model", "gate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one rule, gate or model term adds to the log-odds of the favourable outcome.

    ``value`` is the measurement it speaks of, in ``unit``; ``None`` where it speaks of none.
    """

    source: Source
    name: str
    log_odds: float
    text: str
    value: float | None = None
    unit: str = "1"

    def __post_init__(self) -> None:
        """Refuse what cannot be added up."""
        if not isfinite(self.log_odds):
            msg = f"evidence {self.source} {self.name}: log-odds {self.log_odds} is not finite"
            raise EngineError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that a decision record holds."""
        return {
            "source": self.source,
            "name": self.name,
            "log_odds": self.log_odds,
            "value": self.value,
            "unit": self.unit,
            "text": self.text,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Evidence:
        """Return the evidence that `to_dict` wrote."""
        return cls(**record)
