"""Asking one rule about all subjects of a table at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.data_set_statistics import DataSetStatistics, fraction_of
from cryoverdict.rules.evaluation import ANSWERS, UNKNOWN, YES, Evaluation, Numbers, Truth
from cryoverdict.rules.expression import (
    Arithmetic,
    Compare,
    Expression,
    Function,
    Name,
    Negative,
    Statistic,
    comparisons,
    text,
    walk,
)
from cryoverdict.rules.expression_parser import parse_expression
from cryoverdict.rules.finding import Comparison, Finding
from cryoverdict.rules.rule import Rule
from cryoverdict.rules.rule_error import Fault, RuleError
from cryoverdict.rules.sentence import DEVIATIONS
from cryoverdict.rules.unit_check import unit_of

NO_STATISTIC = "too few values in the data set, or no variation among them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One rule with the numbers of one table and of the data set it is judged in.

    ``among`` says which micrographs are that data set, where they are not all that were given.
    """

    rule: Rule
    table: FeatureTable
    evaluation: Evaluation
    among: str = ""

    @classmethod
    def of(cls, rule: Rule, table: FeatureTable, statistics: DataSetStatistics) -> Judgement:
        """Join a rule and a table; raises `RuleError` where they disagree about a unit."""
        size = len(table.subjects)
        numbers = rule.numbers
        faults = [
            f"{name} is in {table.units[name]} in the table and in {unit} for the rule {rule.id}"
            for name, unit in rule.units.items()
            if table.units.get(name, unit) != unit
        ]
        if faults:
            file = str(rule.origin)
            message = "; ".join(faults) + "; measure again with this version"
            raise RuleError([Fault(file=file, message=message)])

        def column(name: str) -> Numbers:
            """Return a feature of the table, unknown everywhere where the table lacks it."""
            return table.column(name) if name in table.features else np.full(size, nan)

        def statistic(node: Statistic) -> Numbers:
            """Return a statistic of the data set for each subject of the table."""
            return statistics.of(node, argument, size, fraction_of(node, numbers))

        def argument(node: Expression) -> Numbers:
            """Return the subjects' own values of what a robust z is taken of."""
            span = evaluation.span(node)
            return np.where(span.exact, span.low, nan)

        evaluation = Evaluation(size=size, thresholds=numbers, column=column, statistic=statistic)
        return cls(rule=rule, table=table, evaluation=evaluation, among=statistics.among)

    def truth(self) -> Truth:
        """Return 1, 0 or -1 for each subject; a parameter rule needs its value to say yes."""
        truth = self.evaluation.truth(self.rule.condition)
        if self.rule.value is None:
            return truth
        exact = self.evaluation.span(self.rule.value).exact
        return np.where((truth == YES) & ~exact, UNKNOWN, truth).astype(np.int8)

    def findings(self) -> list[Finding]:
        """Return the finding of each subject, in the order of the table."""
        truth = self.truth()
        compared = self._comparisons()
        missing = self._missing(truth)
        sentences = self._sentences(truth, missing)
        values = self._values()
        rule = self.rule
        return [
            Finding(
                rule=rule,
                fired=ANSWERS[answer],
                comparisons=made,
                missing=missing.get(i, ()),
                sentence=sentences[i],
                value=values[i] if answer == 1 else None,
            )
            for i, (answer, made) in enumerate(zip(truth.tolist(), compared, strict=True))
        ]

    def _comparisons(self) -> Iterator[tuple[Comparison, ...]]:
        """Yield the comparisons of each subject."""
        nodes = comparisons(self.rule.condition)
        if not nodes:
            return iter([()] * self.evaluation.size)
        return zip(*(self._compared(node) for node in nodes), strict=True)

    def _compared(self, node: Compare) -> list[Comparison]:
        """Return one comparison for each subject."""
        words, operator = text(node), node.operator
        unit = self._unit(node.left) or self._unit(node.right) or "1"
        answers = self.evaluation.truth(node).tolist()
        left, right = self._side(node.left), self._side(node.right)
        return [
            Comparison(
                text=words, left=a, operator=operator, right=b, unit=unit, answer=ANSWERS[answer]
            )
            for a, b, answer in zip(left, right, answers, strict=True)
        ]

    def _side(self, node: Expression) -> list[float | None]:
        """Return a number for each subject, ``None`` where it is not known."""
        span = self.evaluation.span(node)
        return [v if e else None for v, e in zip(span.low.tolist(), span.exact, strict=True)]

    def _values(self) -> list[float | None]:
        """Return what a parameter rule comes to, for each subject."""
        value = self.rule.value
        return [None] * self.evaluation.size if value is None else self._side(value)

    def _unit(self, node: Expression) -> str | None:
        """Return the unit of a part of the rule; ``None`` where it fits any."""
        return unit_of(node, self.rule.all_units)

    def _missing(self, truth: Truth) -> dict[int, tuple[str, ...]]:
        """Return for each subject that could not be judged what kept the rule from it.

        The answer depends only on which parts are unknown, so it is found once for each pattern.
        """
        rows = np.flatnonzero(truth == UNKNOWN)
        if rows.size == 0:
            return {}
        patterns = np.stack([states[rows] for states in self._states()], axis=1)
        known: dict[bytes, tuple[str, ...]] = {}
        missing: dict[int, tuple[str, ...]] = {}
        for row, pattern in zip(rows.tolist(), patterns, strict=True):
            code = pattern.tobytes()
            if code not in known:
                known[code] = self._missing_of(row)
            missing[row] = known[code]
        return missing

    def _missing_of(self, row: int) -> tuple[str, ...]:
        """Return what is missing for one subject: for the condition, else for the value."""
        if self.rule.value is not None and self.evaluation.truth(self.rule.condition)[row] == YES:
            return self.evaluation.missing(self.rule.value, row)
        return self.evaluation.missing(self.rule.condition, row)

    def _states(self) -> list[NDArray[np.int8]]:
        """Return what each comparison says, and of each number whether it is known."""
        states: list[NDArray[np.int8]] = []
        for node in (n for top in self.rule.nodes for n in walk(top)):
            if isinstance(node, Compare):
                states.append(self.evaluation.truth(node))
            elif isinstance(node, Name | Statistic | Negative | Arithmetic | Function):
                states.append(self.evaluation.span(node).exact.astype(np.int8))
        return states

    def _sentences(self, truth: Truth, missing: dict[int, tuple[str, ...]]) -> list[str]:
        """Return what a report prints: why where it fired, what is missing where it cannot say."""
        rule = self.rule
        sentences = [f"No: {rule.title}"] * self.evaluation.size
        compared = f" Compared with {self.among}." if self.among and rule.statistics else ""
        places: dict[str, tuple[Numbers, str]] = {}
        for place in rule.because.places:
            node = parse_expression(place.expression)
            span = self.evaluation.span(node)
            values = np.where(span.exact, span.low, nan)
            deviations = isinstance(node, Statistic) and node.function == "robust_z"
            unit = DEVIATIONS if deviations else self._unit(node) or "1"
            places[place.expression] = (values, unit)
        for row in np.flatnonzero(truth == YES).tolist():
            shown = {name: (float(values[row]), unit) for name, (values, unit) in places.items()}
            sentences[row] = rule.because.filled(shown.__getitem__) + compared
        for row, lacking in missing.items():
            sentences[row] = f"Could not say: {self._reasons(row, lacking)}"
        return sentences

    def _reasons(self, row: int, lacking: tuple[str, ...]) -> str:
        """Return the missing names with the reason of each."""
        subject = self.table.subjects[row]
        return "; ".join(
            f"{name} is absent ({self.table.absent.get((subject, name), self._why(name))})"
            for name in lacking
        )

    def _why(self, name: str) -> str:
        """Return why a name that the table does not speak of is missing."""
        if name in self.rule.units:
            return "not measured"
        if "(" not in name:
            return "no finite number"
        return f"{NO_STATISTIC}: {self.among}" if self.among else NO_STATISTIC
