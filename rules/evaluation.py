"""What a condition says of each subject: yes, no, or could not say.

Three-valued logic after Kleene: a missing number makes its comparison unknown, and an unknown
comparison makes the condition unknown only where its answer could still turn it. To be exact a
number is kept as a span from ``low`` to ``high``: a measured value has both equal, a missing one
reaches from minus to plus infinity, and ``max(3, missing)`` from 3 upwards, which is enough to
say that it is above 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

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
    Node,
    Not,
    Number,
    Statistic,
    text,
)

Numbers = NDArray[np.float64]
Truth = NDArray[np.int8]
YES, UNKNOWN, NO = np.int8(1), np.int8(0), np.int8(-1)
ANSWERS: Mapping[int, bool | None] = {1: True, 0: None, -1: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Between which numbers the value of each subject lies; ``(subjects,)`` float64 each."""

    low: Numbers
    high: Numbers

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Where the value is known."""
        return np.equal(self.low, self.high)


def known(values: Numbers) -> Span:
    """Return the span of measured values; what is not finite is unknown."""
    finite = np.isfinite(values)
    return Span(low=np.where(finite, values, -np.inf), high=np.where(finite, values, np.inf))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Evaluates the nodes of one rule over the subjects of one table, each node once.

    ``column`` returns a feature, ``statistic`` a data-set statistic, both ``(subjects,)`` with NaN
    for what is missing; ``thresholds`` are the rule's named numbers.
    """

    size: int
    thresholds: Mapping[str, float]
    column: Callable[[str], Numbers]
    statistic: Callable[[Statistic], Numbers]
    _memory: dict[Node, Span] = field(default_factory=dict, repr=False, compare=False)

    def span(self, node: Expression) -> Span:
        """Return between which numbers an expression lies."""
        if node not in self._memory:
            with np.errstate(all="ignore"):
                self._memory[node] = self._span(node)
        return self._memory[node]

    def _span(self, node: Expression) -> Span:
        """Compute a span; arithmetic that has no finite result is unknown."""
        match node:
            case Number():
                return known(np.full(self.size, node.value))
            case Name() if node.name in self.thresholds:
                return known(np.full(self.size, self.thresholds[node.name]))
            case Name():
                return known(self.column(node.name))
            case Statistic():
                return known(self.statistic(node))
            case Negative():
                inner = self.span(node.operand)
                return Span(low=-inner.high, high=-inner.low)
            case Function(function="abs"):
                inner = self.span(node.arguments[0])
                size = np.abs(inner.low)
                return Span(
                    low=np.where(inner.exact, size, 0.0), high=np.where(inner.exact, size, np.inf)
                )
            case Function():
                pick = np.minimum if node.function == "min" else np.maximum
                spans = [self.span(argument) for argument in node.arguments]
                return Span(
                    low=pick.reduce([s.low for s in spans]),
                    high=pick.reduce([s.high for s in spans]),
                )
            case Arithmetic():
                return self._arithmetic(node)

    def _arithmetic(self, node: Arithmetic) -> Span:
        """Compute a sum or a product; a product with an unknown factor is unknown."""
        left, right = self.span(node.left), self.span(node.right)
        match node.operator:
            case "+":
                low, high = left.low + right.low, left.high + right.high
            case "-":
                low, high = left.low - right.high, left.high - right.low
            case "*":
                low = high = left.low * right.low
            case _:
                low = high = left.low / right.low
        exact = left.exact & right.exact
        if node.operator in "*/":
            low = np.where(exact, low, np.nan)
        overflow = exact & ~np.isfinite(low)
        lost = overflow | np.isnan(low)
        return Span(low=np.where(lost, -np.inf, low), high=np.where(lost, np.inf, high))

    def truth(self, node: Condition) -> Truth:
        """Return 1, 0 or -1 for each subject: yes, could not say, no."""
        match node:
            case Compare():
                return self._compare(node)
            case AllOf():
                always: Truth = np.full(self.size, YES, dtype=np.int8)
                return reduce(np.minimum, map(self.truth, node.parts), always)
            case AnyOf():
                never: Truth = np.full(self.size, NO, dtype=np.int8)
                return reduce(np.maximum, map(self.truth, node.parts), never)
            case Not():
                return (-self.truth(node.part)).astype(np.int8)

    def _compare(self, node: Compare) -> Truth:
        """Compare two spans: yes or no where no value in them could say otherwise."""
        left, right = self.span(node.left), self.span(node.right)
        match node.operator:
            case "<":
                yes, no = left.high < right.low, left.low >= right.high
            case "<=":
                yes, no = left.high <= right.low, left.low > right.high
            case ">":
                yes, no = left.low > right.high, left.high <= right.low
            case ">=":
                yes, no = left.low >= right.high, left.high < right.low
            case _:
                yes = left.exact & right.exact & (left.low == right.low)
                no = (left.high < right.low) | (left.low > right.high)
        answers: Truth = np.where(yes, YES, np.where(no, NO, UNKNOWN)).astype(np.int8)
        return answers

    def missing(self, node: Node, subject: int) -> tuple[str, ...]:
        """Return what keeps a node from being known for one subject (its row), each name once."""
        return tuple(dict.fromkeys(self._missing(node, subject)))

    def _missing(self, node: Node, subject: int) -> list[str]:
        """Collect names below those parts whose answer is open."""
        match node:
            case AllOf() | AnyOf():
                parts = [part for part in node.parts if self.truth(part)[subject] == UNKNOWN]
                return [name for part in parts for name in self._missing(part, subject)]
            case Not():
                return self._missing(node.part, subject)
            case Compare():
                return self._missing(node.left, subject) + self._missing(node.right, subject)
            case Number():
                return []
            case _ if self.span(node).exact[subject]:
                return []
            case Name():
                return [node.name]
            case Statistic():
                own = node.argument if node.function == "robust_z" else None
                lacking = self._missing(own, subject) if own is not None else []
                return lacking or [text(node)]
            case Negative():
                return self._missing(node.operand, subject)
            case Function():
                return [n for part in node.arguments for n in self._missing(part, subject)]
            case Arithmetic():
                lacking = self._missing(node.left, subject) + self._missing(node.right, subject)
                return lacking or [text(node)]
