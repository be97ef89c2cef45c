"""The decision whether something learnt may be used, by the rules that guard it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cryoverdict.engine.belief import belief_of
from cryoverdict.engine.decision import Decision, installed_version
from cryoverdict.engine.explanation import gated
from cryoverdict.engine.kinds.learning import LEARNING
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_loader import load_rules

# What was learnt is used unless a guard speaks against it.
PRIOR_LOG_ODDS = 2.0


def judge_learning(
    name: str, facts: Mapping[str, Answer], rule_layers: Sequence[Path], digests: Mapping[str, str]
) -> Decision:
    """Return the decision whether a model is used: kept, unless a rule speaks against it."""
    rules = load_rules(LEARNING.id, rule_layers, features=LEARNING.units())
    names = tuple(fact.name for fact in LEARNING.facts)
    answers = [facts.get(n, Absent("not known before training")) for n in names]
    row = [np.nan if isinstance(a, Absent) else float(a) for a in answers]  # type: ignore[arg-type]
    table = FeatureTable(
        subjects=(name,),
        features=names,
        units=LEARNING.units(),
        values=np.array([row]),
        absent={
            (name, n): a.reason
            for n, a in zip(names, answers, strict=True)
            if isinstance(a, Absent)
        },
    )
    belief = belief_of(rules.findings(table)[name])
    explanation = gated(PRIOR_LOG_ODDS, belief.weights, belief.gates, belief.could_not_say)
    return Decision(
        kind=LEARNING.decision,
        subject=name,
        outcome="use" if explanation.favourable else "refuse",
        explanation=explanation,
        digests={**digests, "features": table.digest, "rules": rules.digest},
        version=installed_version(),
    )
