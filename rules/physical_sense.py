"""Whether a threshold can be meant: the sign of lengths, fractions from 0 to 1, mistaken units."""

from __future__ import annotations

from cryoverdict.rules.dimension import quantity
from cryoverdict.rules.expression import Arithmetic, Expression, Name, comparisons, names
from cryoverdict.rules.rule import Rule

# What is counted in these is never negative.
LENGTHS = ("A", "um", "px", "count")
FULL_TURN_DEG = 360.0
FRACTION = "_fraction"
# A value this many times larger or smaller was meant in another unit, as 3 for 30,000 Å.
LARGEST_FACTOR = 1000.0


def override_fault(rule: Rule, name: str, value: float) -> str:
    """Return what is wrong with a new value for a threshold of a rule; nothing where it is sound.

    A length of a rule that was written for positive ones must be one; a number with a unit stays
    within a factor of 1000, beyond which it was meant in another unit.
    """
    threshold = rule.thresholds[name]
    unit, shipped = threshold.unit, threshold.value
    told = f"{name} is {quantity(value, unit)}"
    if unit in LENGTHS and shipped > 0 and not value > 0:
        return f"{told}; accepted is a number above 0 (it is {quantity(shipped, unit)} as shipped)"
    if unit == "1" and shipped > 0 and value < 0:
        return f"{told}; accepted is 0 or more (it is {quantity(shipped, unit)} as shipped)"
    if unit == "deg" and abs(value) > FULL_TURN_DEG:
        return f"{told}; accepted is -360° to 360°"
    if unit in LENGTHS and shipped > 0:
        factor = max(value / shipped, shipped / value)
        if factor > LARGEST_FACTOR:
            return (
                f"{told}, {factor:.0f} times off the shipped {quantity(shipped, unit)}; give it in "
                f"{unit}, or switch the rule off with enabled: false"
            )
    return fraction_fault(rule, name, value)


def fraction_fault(rule: Rule, name: str, value: float) -> str:
    """Return what is wrong with a threshold for a fraction; nothing where it is from 0 to 1."""
    if 0 <= value <= 1:
        return ""
    for compared in comparisons(rule.condition):
        for one, other in ((compared.left, compared.right), (compared.right, compared.left)):
            if isinstance(one, Name) and one.name == name and _is_fraction(other):
                measured = " + ".join(names(other))
                return f"{name} is {value:g}, and {measured} a fraction; accepted is 0 to 1"
    return ""


def _is_fraction(node: Expression) -> bool:
    """Say whether a number is a fraction of something, or a sum of such."""
    match node:
        case Name():
            return node.name.endswith(FRACTION)
        case Arithmetic(operator="+"):
            return _is_fraction(node.left) and _is_fraction(node.right)
        case _:
            return False
