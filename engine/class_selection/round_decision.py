"""Whether particles are classified once more: decided by rules, and bounded by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoverdict.engine.belief import belief_of
from cryoverdict.engine.decision import Decision, installed_version
from cryoverdict.engine.explanation import gated
from cryoverdict.engine.kinds.further_round import FURTHER_ROUND
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_set import RuleSet

AGAIN, ENOUGH = "again", "enough"
# Nobody classifies once more without a reason.
PRIOR_LOG_ODDS = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What one round of classification and selection left: its number, from 1, and particles."""

    number: int
    kept: int
    rejected: int

    @property
    def subject(self) -> str:
        """How decisions name the round."""
        return f"round {self.number}"


def decide_round(result: RoundResult, rules: RuleSet) -> Decision:
    """Return whether another round follows: ``again``, or ``enough``."""
    table = round_table(result)
    belief = belief_of(rules.findings(table)[result.subject])
    explanation = gated(PRIOR_LOG_ODDS, belief.weights, belief.gates, belief.could_not_say)
    return Decision(
        kind=FURTHER_ROUND.decision,
        subject=result.subject,
        outcome=AGAIN if explanation.favourable else ENOUGH,
        explanation=explanation,
        digests={"features": table.digest, "rules": rules.digest},
        version=installed_version(),
    )


def round_table(result: RoundResult) -> FeatureTable:
    """Return the facts of a round as rules read them."""
    total = result.kept + result.rejected
    facts = {
        "newly_rejected": result.rejected / total if total else np.nan,
        "particles_left": float(result.kept),
        "round_number": float(result.number),
    }
    units = FURTHER_ROUND.units()
    return FeatureTable(
        subjects=(result.subject,),
        features=tuple(units),
        units=units,
        values=np.array([[facts[name] for name in units]]),
        absent={(result.subject, name): "no particles" for name in units if np.isnan(facts[name])},
    )
