"""What the rules say of one subject, in the currency of decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import CouldNotSay
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.finding import Finding

# What a gate that points to a defect adds to the belief that the subject has it.
GATE_POINTS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """The expert's prior belief: the sum over the fired rules, and what they could not say.

    ``weights`` and ``gates`` are evidence for the favourable outcome; ``pointed`` gives for each
    defect the log-odds that the fired rules lend it.
    """

    weights: tuple[Evidence, ...]
    gates: tuple[Evidence, ...]
    could_not_say: tuple[CouldNotSay, ...]
    pointed: dict[str, float]

    @property
    def log_odds(self) -> float:
        """The rules' sum, gates apart: the offset of the favourable outcome's model."""
        return sum(e.log_odds for e in self.weights)


def belief_of(findings: Iterable[Finding]) -> Belief:
    """Collect the findings on one subject."""
    weights, gates, silent = [], [], []
    pointed: dict[str, float] = {}
    for finding in findings:
        if finding.fired is None:
            silent.append(CouldNotSay(rule=finding.rule.id, missing=finding.missing))
        if not finding.fired:
            continue
        match finding.rule.effect:
            case Reject():
                gates.append(_evidence(finding, "gate", 0.0))
                against = GATE_POINTS
            case LogOdds(value):
                weights.append(_evidence(finding, "rule", value))
                against = -value
            case _:
                # A flag says something and weighs nothing.
                weights.append(_evidence(finding, "rule", 0.0))
                continue
        for defect in finding.rule.points_to:
            pointed[defect] = pointed.get(defect, 0.0) + against
    return Belief(
        weights=tuple(weights),
        gates=tuple(gates),
        could_not_say=tuple(silent),
        pointed=pointed,
    )


def _evidence(finding: Finding, source: str, log_odds: float) -> Evidence:
    """Return a fired rule as evidence, with the value of its first comparison."""
    first = finding.comparisons[0] if finding.comparisons else None
    return Evidence(
        source="gate" if source == "gate" else "rule",
        name=finding.rule.id,
        log_odds=log_odds,
        text=finding.sentence,
        value=first.left if first else None,
        unit=first.unit if first else "1",
    )
