"""Whether the two sides of a comparison are counted in the same unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from cryoverdict.rules.dimension import Dimension, symbol
from cryoverdict.rules.expression import (
    Arithmetic,
    Compare,
    Expression,
    Function,
    Name,
    Negative,
    Node,
    Number,
    Statistic,
    text,
    walk,
)

PURE = Dimension()
Report = Callable[[int, str], None]


def check_units(node: Node, units: Mapping[str, str], report: Report) -> None:
    """Report, with its offset, each comparison of a condition that joins different units."""
    for compared in walk(node):
        if isinstance(compared, Compare):
            left = dimension_of(compared.left, units, report)
            right = dimension_of(compared.right, units, report)
            _common(compared.left, left, compared.right, right, report)


def unit_of(node: Expression, units: Mapping[str, str]) -> str | None:
    """Return the unit of an expression whose units are sound; ``None`` fits any, as a bare 0."""
    dimension = dimension_of(node, units, lambda at, message: None)
    return dimension.unit if dimension else None


def dimension_of(node: Expression, units: Mapping[str, str], report: Report) -> Dimension | None:
    """Return the dimension of an expression, ``None`` where it fits any.

    ``units`` gives the unit of each name; a name it lacks fits any, as it is reported elsewhere.
    """

    def of(inner: Expression) -> Dimension | None:
        """Return the dimension of a part."""
        return dimension_of(inner, units, report)

    match node:
        case Number():
            return PURE if node.value else None
        case Name():
            return Dimension.of(units[node.name]) if node.name in units else None
        case Negative():
            return of(node.operand)
        case Function():
            return reduce(
                lambda a, b: (b[0], _common(a[0], a[1], b[0], b[1], report)),
                [(part, of(part)) for part in node.arguments],
            )[1]
        case Arithmetic(operator="+" | "-"):
            return _common(node.left, of(node.left), node.right, of(node.right), report)
        case Arithmetic():
            left, right = of(node.left), of(node.right)
            if left is None or right is None:
                return None
            return left.times(right, sign=1 if node.operator == "*" else -1)
        case Statistic():
            return _statistic(node, units, report)


def _statistic(node: Statistic, units: Mapping[str, str], report: Report) -> Dimension | None:
    """Return the dimension of a statistic: its argument's, or a pure number."""
    inner = dimension_of(node.argument, units, report) if node.argument is not None else PURE
    if node.fraction is not None:
        fraction = dimension_of(node.fraction, units, report)
        if fraction not in (None, PURE):
            found = symbol(fraction.unit) if fraction else ""
            report(node.fraction.at, f"a fraction in {found}; accepted is a pure number, 0 to 1")
    return PURE if node.function in ("robust_z", "count") else inner


def _common(
    left: Expression,
    left_dimension: Dimension | None,
    right: Expression,
    right_dimension: Dimension | None,
    report: Report,
) -> Dimension | None:
    """Return what two numbers have in common, and report where that is nothing."""
    if left_dimension is None or right_dimension is None:
        return left_dimension or right_dimension
    if left_dimension != right_dimension:
        report(
            left.at,
            f"{text(left)} is in {_named(left_dimension)}, {text(right)} in "
            f"{_named(right_dimension)}; both need the same unit (none is converted)",
        )
    return left_dimension


def _named(dimension: Dimension) -> str:
    """Return a unit as an error names it."""
    return symbol(dimension.unit) or 'pure numbers ("1")'
