"""The words of the rule language: a small tree of frozen nodes, nothing that could be executed.

A condition is made of comparisons joined by ``and``, ``or``, ``not``; a comparison has numbers on
both sides: names of features and thresholds, data-set statistics, arithmetic. ``at`` is the
offset of a node in its text, for error messages; it does not take part in equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A bare 0, 1 or 2; every other number is a threshold, with a name, a unit and a source."""

    value: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A feature, or a threshold of the rule."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A number that speaks of the whole data set.

    ``function`` is one of `STATISTICS`; ``argument`` is absent only in ``count()``;
    ``fraction`` is the second argument of ``quantile``.
    """

    function: str
    argument: Expression | None = None
    fraction: Name | Number | None = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    """The number with the other sign."""

    operand: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Two numbers joined by ``+ - * /``."""

    operator: str
    left: Expression
    right: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """``abs`` of one number, ``min`` or ``max`` of several, each for the subject alone."""

    function: str
    arguments: tuple[Expression, ...]
    at: int = field(default=0, compare=False)


Expression = Number | Name | Statistic | Negative | Arithmetic | Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Two numbers compared by ``< <= > >= ==``."""

    left: Expression
    operator: str
    right: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Conditions joined by ``and``; without parts it is ``always``."""

    parts: tuple[Condition, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Conditions joined by ``or``."""

    parts: tuple[Condition, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The opposite of a condition."""

    part: Condition
    at: int = field(default=0, compare=False)


Condition = Compare | AllOf | AnyOf | Not
Node = Expression | Condition

STATISTICS = ("robust_z", "median", "mad", "quantile", "count")
FUNCTIONS = ("abs", "min", "max")
COMPARISONS = ("<", "<=", ">", ">=", "==")
ALWAYS = AllOf(parts=())


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below one."""
    match node:
        case Number() | Name():
            return ()
        case Statistic():
            return tuple(n for n in (node.argument, node.fraction) if n is not None)
        case Negative():
            return (node.operand,)
        case Arithmetic() | Compare():
            return (node.left, node.right)
        case Function():
            return node.arguments
        case AllOf() | AnyOf():
            return node.parts
        case Not():
            return (node.part,)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def comparisons(condition: Condition) -> tuple[Compare, ...]:
    """Return the comparisons of a condition, from left to right."""
    return tuple(node for node in walk(condition) if isinstance(node, Compare))


def names(node: Node) -> tuple[str, ...]:
    """Return the feature and threshold names in a node, each once, from left to right."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, Name)))


def statistics(node: Node) -> tuple[Statistic, ...]:
    """Return the data-set statistics in a node, each once, from left to right."""
    return tuple(dict.fromkeys(n for n in walk(node) if isinstance(n, Statistic)))


_STRENGTH = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7}


def text(node: Node) -> str:
    """Return the canonical text of a node: single blanks, and only the parentheses it needs."""
    return _text(node)[0]


def _text(node: Node) -> tuple[str, int]:
    """Return the text with the strength by which its outermost word binds."""
    match node:
        case Number():
            return f"{node.value:g}", 9
        case Name():
            return node.name, 9
        case Statistic():
            return f"{node.function}({', '.join(text(n) for n in children(node))})", 9
        case Function():
            return f"{node.function}({', '.join(text(n) for n in node.arguments)})", 9
        case Negative():
            return "-" + _held(node.operand, _STRENGTH["sign"]), _STRENGTH["sign"]
        case Arithmetic():
            strength = _STRENGTH[node.operator]
            left, right = _held(node.left, strength), _held(node.right, strength + 1)
            return f"{left} {node.operator} {right}", strength
        case Compare():
            strength = _STRENGTH["compare"]
            left, right = _held(node.left, strength + 1), _held(node.right, strength + 1)
            return f"{left} {node.operator} {right}", strength
        case AllOf() if not node.parts:
            return "always", 9
        case AllOf():
            return _joined(node.parts, "and"), _STRENGTH["and"]
        case AnyOf():
            return _joined(node.parts, "or"), _STRENGTH["or"]
        case Not():
            return "not " + _held(node.part, _STRENGTH["not"]), _STRENGTH["not"]


def _held(node: Node, strength: int) -> str:
    """Return the text of a node, in parentheses where it binds less than its surroundings."""
    inner, own = _text(node)
    return inner if own >= strength else f"({inner})"


def _joined(parts: tuple[Condition, ...], word: str) -> str:
    """Return conditions joined by ``and`` or ``or``; a nested one of the same kind is held."""
    return f" {word} ".join(_held(part, _STRENGTH[word] + 1) for part in parts)
