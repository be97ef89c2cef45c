"""The settled parameters of a step: the estimate, the bounds, who settled each, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryoverdict.engine.parameter_kind import Parameter

SettledBy = Literal["statistics", "rule", "given", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the statistics of the data say of a parameter.

    ``low`` and ``high`` are the ends of its 95 % interval, ``None`` where none was computed.
    ``text`` says in a sentence how the estimate was made.
    """

    value: float
    low: float | None = None
    high: float | None = None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterEvidence:
    """What one source says of a parameter, in its unit.

    ``source`` is ``statistics``, ``rule`` or ``given``; ``does`` is ``estimate``, ``set``,
    ``at_least``, ``at_most`` or ``choose``; ``decided`` marks the one whose word the value is.
    """

    source: str
    name: str
    does: str
    value: float
    text: str
    decided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledParameter:
    """One parameter with its value and everything that was said about it.

    ``value`` is ``None`` where neither data nor rules nor the user said anything.
    """

    parameter: Parameter
    value: float | None
    settled_by: SettledBy
    estimate: Estimate | None = None
    given: float | None = None
    evidence: tuple[ParameterEvidence, ...] = ()
    contradictions: tuple[str, ...] = ()
    could_not_say: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the object that a decision record holds."""
        said = self.estimate
        return {
            "name": self.parameter.name,
            "unit": self.parameter.unit,
            "meaning": self.parameter.meaning,
            "whole": self.parameter.whole,
            "value": self.value,
            "settled_by": self.settled_by,
            "estimate": said
            and {"value": said.value, "low": said.low, "high": said.high, "text": said.text},
            "given": self.given,
            "evidence": [
                {
                    "source": e.source,
                    "name": e.name,
                    "does": e.does,
                    "value": e.value,
                    "unit": self.parameter.unit,
                    "text": e.text,
                    "decided": e.decided,
                }
                for e in self.evidence
            ],
            "contradictions": list(self.contradictions),
            "could_not_say": list(self.could_not_say),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> SettledParameter:
        """Return the parameter that `to_dict` wrote."""
        said = record["estimate"]
        return cls(
            parameter=Parameter(
                name=record["name"],
                unit=record["unit"],
                meaning=record["meaning"],
                whole=record["whole"],
            ),
            value=record["value"],
            settled_by=record["settled_by"],
            estimate=said and Estimate(**said),
            given=record["given"],
            evidence=tuple(
                ParameterEvidence(**{k: v for k, v in e.items() if k != "unit"})
                for e in record["evidence"]
            ),
            contradictions=tuple(record["contradictions"]),
            could_not_say=tuple(record["could_not_say"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDecision:
    """The settled parameters of one step on one data set.

    ``subject`` names the data set (the list that came in). ``facts`` are the numbers the decision
    rests on, by name, absent ones left out. ``findings`` are sentences about the data that a
    reader must know (two sizes live in it, a trial was undecided).
    """

    kind: str
    subject: str
    parameters: tuple[SettledParameter, ...]
    facts: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    review: bool = False
    review_reasons: tuple[str, ...] = ()
    digests: Mapping[str, str]
    version: str

    @property
    def outcome(self) -> dict[str, float | None]:
        """The value of each parameter by name."""
        return {p.parameter.name: p.value for p in self.parameters}

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``decisions.jsonl``."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "outcome": self.outcome,
            "parameters": [p.to_dict() for p in self.parameters],
            "facts": dict(self.facts),
            "findings": list(self.findings),
            "review": self.review,
            "review_reasons": list(self.review_reasons),
            "digests": dict(self.digests),
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ParameterDecision:
        """Return the decision that `to_dict` wrote."""
        return cls(
            kind=record["kind"],
            subject=record["subject"],
            parameters=tuple(SettledParameter.from_dict(p) for p in record["parameters"]),
            facts=record["facts"],
            findings=tuple(record["findings"]),
            review=record["review"],
            review_reasons=tuple(record["review_reasons"]),
            digests=record["digests"],
            version=record["version"],
        )
