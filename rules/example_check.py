"""Whether a rule answers its own examples as its author says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isclose, nan

import numpy as np

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.data_set_statistics import DataSetStatistics, fraction_of, measure_statistics
from cryoverdict.rules.evaluation import Evaluation, Numbers
from cryoverdict.rules.expression import Expression, Statistic, names, text
from cryoverdict.rules.rule import Example, Rule
from cryoverdict.rules.rule_error import Fault

WORDS = {True: "yes", False: "no", None: "could not say"}


def example_faults(rule: Rule) -> list[Fault]:
    """Return one fault for each example that the rule, with its author's numbers, answers wrong."""
    faults = []
    original = authored(rule)
    for example in rule.examples:
        answer, value = ask(original, example)
        message = ""
        if answer is not example.answer:
            message = f"{rule.id} says {WORDS[answer]}, its author {WORDS[example.answer]}"
        elif example.expected_value is not None and not (
            value is not None and isclose(value, example.expected_value, rel_tol=1e-6)
        ):
            message = f"{rule.id} gives {value}, its author {example.expected_value:g}"
        if message:
            origin = example.origin
            faults.append(
                Fault(file=origin.file, line=origin.line, column=origin.column, message=message)
            )
    return faults


def passes(rule: Rule) -> bool:
    """Return whether a rule answers all its examples as told."""
    return not example_faults(rule)


def authored(rule: Rule) -> Rule:
    """Return a rule with the thresholds its author wrote, for which its examples hold."""
    thresholds = {
        name: replace(threshold, value=rule.authored[name])
        for name, threshold in rule.thresholds.items()
    }
    return replace(rule, thresholds=thresholds)


def ask(rule: Rule, example: Example) -> tuple[bool | None, float | None]:
    """Return what a rule says of an example, and the value that a parameter rule gives."""
    from cryoverdict.rules.judgement import Judgement

    finding = Judgement(
        rule=rule, table=_table(rule, example), evaluation=_evaluation(rule, example)
    ).findings()[0]
    return finding.fired, finding.value


def _table(rule: Rule, example: Example) -> FeatureTable:
    """Return the table of one subject that an example stands for."""
    features = tuple(sorted(rule.units))
    values = np.array([[example.values.get(name, nan) for name in features]])
    absent = {
        ("example", name): "not in the example" for name in features if name not in example.values
    }
    return FeatureTable(
        subjects=("example",), features=features, units=rule.units, values=values, absent=absent
    )


def _evaluation(rule: Rule, example: Example) -> Evaluation:
    """Return what evaluates a rule for an example, with the statistics that it tells."""
    numbers = rule.numbers
    measured = _statistics(rule, example, rule.statistics)

    def column(name: str) -> Numbers:
        """Return the example's value of a feature."""
        return np.array([example.values.get(name, nan)])

    def statistic(node: Statistic) -> Numbers:
        """Return a statistic as the example tells it, else from its small data set."""
        if text(node) in example.statistics:
            return np.array([example.statistics[text(node)]])
        return measured.of(node, argument, 1, fraction_of(node, numbers))

    def argument(node: Expression) -> Numbers:
        """Return the example's own value of what a robust z is taken of."""
        span = evaluation.span(node)
        return np.where(span.exact, span.low, nan)

    evaluation = Evaluation(size=1, thresholds=numbers, column=column, statistic=statistic)
    return evaluation


def _statistics(rule: Rule, example: Example, nodes: Iterable[Statistic]) -> DataSetStatistics:
    """Return the statistics of an example's data set, which is the whole of what they see."""
    size = max((len(column) for column in example.data_set.values()), default=0)
    if not size:
        return DataSetStatistics(values={})

    def column(name: str) -> Numbers:
        """Return a column of the data set, unknown where it is not given."""
        return np.array(
            [nan if v is None else v for v in example.data_set.get(name, [None] * size)]
        )

    wanted = [
        (node, fraction_of(node, rule.numbers))
        for node in nodes
        if set(names(node)) - set(rule.thresholds) <= set(example.data_set)
    ]
    return measure_statistics(wanted, column, size)
