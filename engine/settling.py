"""Settling parameters: the user's word, else the estimate or the rules' default, inside bounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from math import isfinite

import numpy as np

from cryoverdict.engine.decision import installed_version
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_decision import (
    Estimate,
    ParameterDecision,
    ParameterEvidence,
    SettledBy,
    SettledParameter,
)
from cryoverdict.engine.parameter_kind import Parameter, ParameterKind
from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.bounds import Bounds, bounds
from cryoverdict.rules.finding import Finding
from cryoverdict.rules.rule_set import RuleSet

# How a rule's effect is named in evidence, by the field of `Bounds` it stands in.
DOES = {"defaults": "set", "lowest": "at_least", "highest": "at_most"}


def settle_all(
    kind: ParameterKind,
    rules: RuleSet,
    *,
    subject: str,
    facts: Mapping[str, Answer],
    estimates: Mapping[str, Estimate],
    given: Mapping[str, float] | None = None,
    findings: Iterable[str] = (),
    review_reasons: Iterable[str] = (),
) -> ParameterDecision:
    """Settle every parameter of a kind, in order, and return the explained decision.

    ``given`` are values the user insists on: they are followed, and rules they break are listed
    as contradictions. Contradictions flag the decision for review and are never an exception.
    Raises `EngineError` for a name that the kind does not have.
    """
    given = given or {}
    known = {p.name for p in kind.parameters}
    for name in (*estimates, *given):
        if name not in known:
            msg = f"{kind.id}: there is no parameter {name}; it has {', '.join(sorted(known))}"
            raise EngineError(msg)
    answers: dict[str, Answer] = {
        f.name: facts.get(f.name, Absent("not measured")) for f in kind.facts
    }
    settled: list[SettledParameter] = []
    for parameter in kind.parameters:
        found = rules.findings(_table(kind, subject, answers))[subject]
        done = settle(
            parameter,
            bounds(found, parameter.name),
            estimates.get(parameter.name),
            given.get(parameter.name),
        )
        settled.append(done)
        answers[parameter.name] = (
            Absent("nothing settles it") if done.value is None else float(done.value)
        )
    reasons = [*review_reasons, *(c for p in settled for c in p.contradictions)]
    values = {f.name: value for f in kind.facts if (value := _number(answers[f.name])) is not None}
    return ParameterDecision(
        kind=kind.id,
        subject=subject,
        parameters=tuple(settled),
        facts=values,
        findings=tuple(findings),
        review=bool(reasons),
        review_reasons=tuple(reasons),
        digests={"features": _digest(values), "rules": rules.digest},
        version=installed_version(),
    )


def settle(
    parameter: Parameter, said: Bounds, estimate: Estimate | None, given: float | None
) -> SettledParameter:
    """Settle one parameter: given, else estimated, else set by a rule; then clipped by bounds."""
    settled_by: SettledBy = "none"
    value: float | None = None
    deciding: str | None = None
    contradictions = list(said.contradictions)
    if given is not None:
        value, settled_by, deciding = given, "given", "given"
        _, broken = said.clip(given)
        if broken is not None and broken.value is not None:
            contradictions.append(
                f"the given {given:g} is against {broken.rule.id}: {broken.value:g}"
            )
    else:
        if estimate is not None:
            value, settled_by, deciding = estimate.value, "statistics", "statistics"
        elif said.default is not None:
            value, settled_by = said.default, "rule"
            deciding = f"set {said.defaults[0].rule.id}"
        elif said.lowest or said.highest:  # a bound alone is better than no value
            edge = (said.lowest or said.highest)[0]
            value, settled_by, deciding = edge.value, "rule", None
        if value is not None:
            value, moved_by = said.clip(value)
            if moved_by is not None:
                side = "at_least" if moved_by in said.lowest else "at_most"
                settled_by, deciding = "rule", f"{side} {moved_by.rule.id}"
    if value is not None:
        if not isfinite(value):
            msg = f"{parameter.name}: {value} is not a number that a step can use"
            raise EngineError(msg)
        value = float(round(value)) if parameter.whole else float(value)
    return SettledParameter(
        parameter=parameter,
        value=value,
        settled_by=settled_by,
        estimate=estimate,
        given=given,
        evidence=_evidence(said, estimate, given, deciding),
        contradictions=tuple(contradictions),
        could_not_say=tuple(f.rule.id for f in said.could_not_say),
    )


def _evidence(
    said: Bounds, estimate: Estimate | None, given: float | None, deciding: str | None
) -> tuple[ParameterEvidence, ...]:
    """Return what was said: the user first, then the statistics, then the rules."""
    evidence = []
    if given is not None:
        evidence.append(
            ParameterEvidence(
                source="given",
                name="given",
                does="choose",
                value=given,
                text="Given by the user.",
                decided=deciding == "given",
            )
        )
    if estimate is not None:
        evidence.append(
            ParameterEvidence(
                source="statistics",
                name="statistics",
                does="estimate",
                value=estimate.value,
                text=estimate.text,
                decided=deciding == "statistics",
            )
        )
    for group, does in DOES.items():
        for finding in getattr(said, group):
            evidence.append(_of_rule(finding, does, deciding))
    return tuple(evidence)


def _of_rule(finding: Finding, does: str, deciding: str | None) -> ParameterEvidence:
    """Return what one rule that fired says."""
    assert finding.value is not None
    return ParameterEvidence(
        source="rule",
        name=finding.rule.id,
        does=does,
        value=finding.value,
        text=finding.sentence,
        decided=deciding == f"{does} {finding.rule.id}",
    )


def _table(kind: ParameterKind, subject: str, answers: Mapping[str, Answer]) -> FeatureTable:
    """Return the one-row table that the rules are asked about."""
    names = tuple(kind.units())
    numbers = [_number(answers.get(name, Absent("not settled yet"))) for name in names]
    absent = {}
    for name, number in zip(names, numbers, strict=True):
        if number is None:
            answer = answers.get(name, Absent("not settled yet"))
            absent[subject, name] = answer.reason if isinstance(answer, Absent) else "not a number"
    values = np.array([[np.nan if n is None else n for n in numbers]])
    return FeatureTable(
        subjects=(subject,), features=names, units=kind.units(), values=values, absent=absent
    )


def _number(answer: Answer) -> float | None:
    """Return the value of an answer, ``None`` where it is absent or not finite."""
    match answer:
        case Absent():
            return None
        case Given(value) | value:
            return float(value) if isfinite(value) else None


def _digest(values: Mapping[str, float]) -> str:
    """Return the hexadecimal SHA-256 of the facts."""
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()
