"""Rules that only warn: what they say of settled parameters makes a person look again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.parameter_kind import ParameterKind
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.effect import Flag
from cryoverdict.rules.rule_set import RuleSet


def with_flags(
    decision: ParameterDecision, kind: ParameterKind, rules: RuleSet
) -> ParameterDecision:
    """Return a decision flagged for review by each warning rule that its facts and values fire.

    `settle_all` follows rules that set or bound a parameter; a rule with ``effect: flag`` speaks
    of the decision as a whole, and only once all values stand.
    """
    known = {**decision.facts, **{n: v for n, v in decision.outcome.items() if v is not None}}
    names = tuple(kind.units())
    table = FeatureTable(
        subjects=(decision.subject,),
        features=names,
        units=kind.units(),
        values=np.array([[known.get(name, np.nan) for name in names]]),
        absent={(decision.subject, n): "not known" for n in names if n not in known},
    )
    said = tuple(
        finding.sentence
        for finding in rules.findings(table)[decision.subject]
        if finding.fired and isinstance(finding.rule.effect, Flag)
    )
    if not said:
        return decision
    return replace(decision, review=True, review_reasons=(*decision.review_reasons, *said))
