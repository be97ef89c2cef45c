"""Judging a finished classification by rules: whether to run it once more, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryoverdict.engine.classification_run.symptoms import SYMPTOMS
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.parameter_decision import Estimate, ParameterDecision
from cryoverdict.engine.settling import settle_all
from cryoverdict.features.feature import Answer
from cryoverdict.rules.rule_set import RuleSet

# The parameters a second run may change, and the fact that says what they were.
CHANGEABLE = {
    "classes": "previous_classes",
    "prior_strength": "previous_prior_strength",
    "iterations": "previous_iterations",
    "resolution_limit_a": "previous_limit_a",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of a finished run.

    ``decision`` is the record; ``changes`` the parameters that a second run would change, old and
    new value by name; ``fired`` the rules that ask for it.
    """

    decision: ParameterDecision
    changes: Mapping[str, tuple[float, float]]
    fired: tuple[str, ...]


def judged(
    rules: RuleSet,
    *,
    subject: str,
    values: Mapping[str, float],
    symptoms: Mapping[str, Answer],
    particles: int,
) -> Verdict:
    """Return what the rules that read a finished run say of it.

    ``values`` are the parameters it ran with, of which those that rules may change must be there.
    Only rules that read one of `SYMPTOMS` are asked: the others have had their say.
    """
    mine = replace(rules, rules=tuple(r for r in rules.rules if set(r.units) & set(SYMPTOMS)))
    facts: dict[str, Answer] = {**symptoms, "particle_count": float(particles)}
    facts |= {fact: float(values[name]) for name, fact in CHANGEABLE.items()}
    as_before = {
        p.name: Estimate(value=float(values[p.name]), text="As in the run that is judged.")
        for p in CLASSIFICATION.parameters
        if p.name in values
    }
    decision = settle_all(CLASSIFICATION, mine, subject=subject, facts=facts, estimates=as_before)
    changes = {}
    fired = []
    for settled in decision.parameters:
        name = settled.parameter.name
        fired += [e.name for e in settled.evidence if e.source == "rule"]
        if name in CHANGEABLE and settled.value is not None and settled.value != values[name]:
            changes[name] = (float(values[name]), settled.value)
    return Verdict(decision=decision, changes=changes, fired=tuple(fired))


def told(changes: Mapping[str, tuple[float, float]]) -> str:
    """Return changed parameters in words.

    >>> told({"classes": (50.0, 20.0)})
    'classes 20 instead of 50'
    """
    return ", ".join(f"{name} {new:g} instead of {old:g}" for name, (old, new) in changes.items())
