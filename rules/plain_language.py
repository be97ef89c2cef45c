"""A rule told in plain language, with every number it uses and where that comes from."""

from __future__ import annotations

from collections.abc import Mapping

from cryoverdict.rules.dimension import quantity
from cryoverdict.rules.effect import describe_effect
from cryoverdict.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Compare,
    Condition,
    Expression,
    Function,
    Name,
    Negative,
    Not,
    Number,
    Statistic,
    text,
)
from cryoverdict.rules.rule import Rule, Threshold

_VERBS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "exactly"}
_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "/"}


def explain(rule: Rule, meanings: Mapping[str, str] | None = None) -> str:
    """Return several lines: condition, effect, numbers with their spread, grounds, false alarms.

    ``meanings`` says of features in a sentence what they measure.
    """
    lines = [f"{rule.id} ({rule.status}): {rule.title}", ""]
    lines += [f"  when      {text(rule.condition)}"]
    lines += [f"  that is   {in_words(rule.condition, rule.thresholds)}"]
    lines += [f"  then      {describe_effect(rule.effect)}"]
    if rule.points_to:
        lines += [f"  sign of   {', '.join(rule.points_to)}"]
    lines += [f"  because   {rule.because.template}"]
    lines += [f"  changed   {change}" for change in rule.changes]
    lines += _section("numbers", [_number(n, t) for n, t in rule.thresholds.items()])
    known = meanings or {}
    told = [f"{name}: {known[name]}" for name in rule.units if name in known]
    lines += _section("measurements", told)
    lines += _section("false alarms", rule.false_alarms)
    lines += _section("references", rule.references)
    return "\n".join(lines)


def _section(title: str, entries: list[str] | tuple[str, ...]) -> list[str]:
    """Return a titled list, or nothing where it is empty."""
    return ["", f"  {title}", *(f"    - {entry}" for entry in entries)] if entries else []


def _number(name: str, threshold: Threshold) -> str:
    """Return a threshold with what others use."""
    value = quantity(threshold.value, threshold.unit)
    return f"{name} = {value} ({threshold.source}); others: {'; '.join(threshold.spread)}"


def in_words(condition: Condition, thresholds: Mapping[str, Threshold]) -> str:
    """Return a condition as a clause, thresholds with their values.

    >>> in_words(Compare(left=Name(name="x"), operator="<", right=Number(value=0.0)), {})
    'x is below 0'
    """
    match condition:
        case Compare():
            left, right = _words(condition.left, thresholds), _words(condition.right, thresholds)
            return f"{left} is {_VERBS[condition.operator]} {right}"
        case AllOf() if not condition.parts:
            return "always"
        case AllOf() | AnyOf():
            joint = " and " if isinstance(condition, AllOf) else " or "
            parts = (
                in_words(part, thresholds)
                if isinstance(part, Compare | Not)
                else f"({in_words(part, thresholds)})"
                for part in condition.parts
            )
            return joint.join(parts)
        case Not():
            return f"it is not so that {in_words(condition.part, thresholds)}"


def _words(node: Expression, thresholds: Mapping[str, Threshold]) -> str:
    """Return a number in words."""
    match node:
        case Number():
            return f"{node.value:g}"
        case Name() if node.name in thresholds:
            threshold = thresholds[node.name]
            return f"{node.name} ({quantity(threshold.value, threshold.unit)})"
        case Name():
            return node.name
        case Negative():
            return f"minus {_words(node.operand, thresholds)}"
        case Arithmetic():
            left, right = _words(node.left, thresholds), _words(node.right, thresholds)
            return f"({left} {_SIGNS[node.operator]} {right})"
        case Function(function="abs"):
            return f"the size of {_words(node.arguments[0], thresholds)}"
        case Function():
            which = "smallest" if node.function == "min" else "largest"
            return f"the {which} of {', '.join(_words(a, thresholds) for a in node.arguments)}"
        case Statistic():
            return _statistic(node, thresholds)


def _statistic(node: Statistic, thresholds: Mapping[str, Threshold]) -> str:
    """Return a data-set statistic in words."""
    if node.argument is None:
        return "the size of the data set"
    of = _words(node.argument, thresholds)
    if node.fraction is not None:
        return f"the data set's quantile of {of} at {_words(node.fraction, thresholds)}"
    words = {
        "robust_z": f"the robust z of {of} within the data set",
        "median": f"the data set's median of {of}",
        "mad": f"the data set's median absolute deviation of {of}",
        "count": f"the number in the data set that have {of}",
    }
    return words[node.function]
