"""A decision with its whole explanation, and the file that decisions are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import CouldNotSay, Explanation
from cryoverdict.engine.record_fault import record_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong with a subject, and how probable that is."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The smallest change found, of a few measurements, that turns the outcome."""

    text: str
    changes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One outcome for one subject, with everything it rests on.

    ``outcome`` follows from ``explanation`` alone; `replayed` says so. ``grade`` and ``defects``
    refine it. ``review`` asks for a look without waiting for one.
    """

    kind: str
    subject: str
    outcome: str
    explanation: Explanation
    grade: str | None = None
    defects: tuple[Defect, ...] = ()
    review: bool = False
    review_reasons: tuple[str, ...] = ()
    counterfactual: Counterfactual | None = None
    digests: Mapping[str, str]
    version: str

    @property
    def probability(self) -> float:
        """Probability of ``outcome``."""
        favourable = self.explanation.favourable_probability
        return favourable if self.explanation.favourable else 1.0 - favourable

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``decisions.jsonl``."""
        explanation = self.explanation
        change = self.counterfactual
        return {
            "kind": self.kind,
            "subject": self.subject,
            "outcome": self.outcome,
            "probability": self.probability,
            "favourable_probability": explanation.favourable_probability,
            "grade": self.grade,
            "defects": [{"name": d.name, "probability": d.probability} for d in self.defects],
            "review": self.review,
            "review_reasons": list(self.review_reasons),
            "gates": list(explanation.gates),
            "prior_log_odds": explanation.prior_log_odds,
            "evidence": [e.to_dict() for e in explanation.evidence],
            "could_not_say": [
                {"rule": c.rule, "missing": list(c.missing)} for c in explanation.could_not_say
            ],
            "counterfactual": change and {"text": change.text, "changes": dict(change.changes)},
            "digests": dict(self.digests),
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Decision:
        """Return the decision that `to_dict` wrote."""
        change = record["counterfactual"]
        return cls(
            kind=record["kind"],
            subject=record["subject"],
            outcome=record["outcome"],
            explanation=Explanation(
                prior_log_odds=record["prior_log_odds"],
                evidence=tuple(Evidence.from_dict(e) for e in record["evidence"]),
                gates=tuple(record["gates"]),
                could_not_say=tuple(
                    CouldNotSay(rule=c["rule"], missing=tuple(c["missing"]))
                    for c in record["could_not_say"]
                ),
            ),
            grade=record["grade"],
            defects=tuple(Defect(**d) for d in record["defects"]),
            review=record["review"],
            review_reasons=tuple(record["review_reasons"]),
            counterfactual=change and Counterfactual(**change),
            digests=record["digests"],
            version=record["version"],
        )


def installed_version() -> str:
    """Return the version of the installed package, which decisions carry."""
    return version("cryoverdict")


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write one JSON object a line, keys sorted, and move the file into place when it is whole."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as lines:
        for decision in decisions:
            record = json.dumps(decision.to_dict(), sort_keys=True, ensure_ascii=False)
            lines.write(record + "\n")
    temporary.replace(path)


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """Read what `write_decisions` wrote; raises `EngineError` with the line that is not."""
    decisions = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text in UTF-8"
        msg = f"{path}: cannot be read ({reason}); accepted is the folder of a finished run"
        raise EngineError(msg) from error
    for number, line in enumerate(lines, start=1):
        try:
            decisions.append(Decision.from_dict(json.loads(line)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = (
                f"{path}:{number}: not a decision ({record_fault(error)}); accepted is the "
                "decisions.jsonl of a finished run: run decide-micrographs again"
            )
            raise EngineError(msg) from error
    return tuple(decisions)
