"""Rules with one thing changed, to see whether their own examples notice.

A rule whose examples pass as well with ``>`` turned to ``>=`` has not said what happens at its
threshold. Each mutant changes one comparison, one ``and``, ``or`` or ``not``, one sign or
function of the arithmetic, or one threshold by `THRESHOLD_STEP` of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from cryoverdict.rules.effect import ParameterEffect
from cryoverdict.rules.example_check import authored, passes
from cryoverdict.rules.expression import (
    COMPARISONS,
    AllOf,
    AnyOf,
    Arithmetic,
    Compare,
    Condition,
    Expression,
    Function,
    Negative,
    Node,
    Not,
    Statistic,
    text,
)
from cryoverdict.rules.rule import Rule

THRESHOLD_STEP = 0.02
_SWAPPED = {"+": "-", "-": "+", "*": "/", "/": "*", "min": "max", "max": "min"}
AnyNode = TypeVar("AnyNode", bound=Node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A rule with one change, described in words."""

    change: str
    rule: Rule


def surviving_mutants(rule: Rule) -> list[Mutant]:
    """Return the changes that the rule's own examples do not notice."""
    return [mutant for mutant in mutants(authored(rule)) if passes(mutant.rule)]


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Yield the rule with each single change."""
    for condition in _changed_conditions(rule.condition):
        yield Mutant(change=f"when: {text(condition)}", rule=replace(rule, condition=condition))
    effect = rule.effect
    if isinstance(effect, ParameterEffect):
        for value in _changed_expressions(effect.value):
            changed = replace(rule, effect=replace(effect, value=value))
            yield Mutant(change=f"value: {text(value)}", rule=changed)
    for name, threshold in rule.thresholds.items():
        step = THRESHOLD_STEP * abs(threshold.value) or THRESHOLD_STEP
        for number in (threshold.value - step, threshold.value + step):
            thresholds = {**rule.thresholds, name: replace(threshold, value=number)}
            changed = replace(
                rule, thresholds=thresholds, authored={n: t.value for n, t in thresholds.items()}
            )
            yield Mutant(change=f"{name}: {number:g}", rule=changed)


def _changed_conditions(node: Condition) -> Iterator[Condition]:
    """Yield a condition with each single change."""
    match node:
        case Compare():
            for operator in COMPARISONS:
                if operator != node.operator:
                    yield replace(node, operator=operator)
            yield Not(part=node)
            for left in _changed_expressions(node.left):
                yield replace(node, left=left)
            for right in _changed_expressions(node.right):
                yield replace(node, right=right)
        case Not():
            yield node.part
            for part in _changed_conditions(node.part):
                yield Not(part=part)
        case AllOf() | AnyOf():
            other = AnyOf if isinstance(node, AllOf) else AllOf
            if node.parts:
                yield other(parts=node.parts)
            for i, part in enumerate(node.parts):
                if len(node.parts) > 1:
                    yield replace(node, parts=_without(node.parts, i))
                for changed in _changed_conditions(part):
                    yield replace(node, parts=_with(node.parts, i, changed))


def _changed_expressions(node: Expression) -> Iterator[Expression]:
    """Yield an expression with each single change of its arithmetic."""
    match node:
        case Negative():
            yield node.operand
            for operand in _changed_expressions(node.operand):
                yield replace(node, operand=operand)
        case Arithmetic():
            yield replace(node, operator=_SWAPPED[node.operator])
            for left in _changed_expressions(node.left):
                yield replace(node, left=left)
            for right in _changed_expressions(node.right):
                yield replace(node, right=right)
        case Function():
            if node.function == "abs":
                yield node.arguments[0]
            else:
                yield replace(node, function=_SWAPPED[node.function])
            for i, argument in enumerate(node.arguments):
                for changed in _changed_expressions(argument):
                    yield replace(node, arguments=_with(node.arguments, i, changed))
        case Statistic(function="robust_z") if node.argument is not None:
            yield node.argument


def _with(parts: tuple[AnyNode, ...], at: int, part: AnyNode) -> tuple[AnyNode, ...]:
    """Return parts with one exchanged."""
    return (*parts[:at], part, *parts[at + 1 :])


def _without(parts: tuple[AnyNode, ...], at: int) -> tuple[AnyNode, ...]:
    """Return parts with one left out."""
    return cast("tuple[AnyNode, ...]", (*parts[:at], *parts[at + 1 :]))
