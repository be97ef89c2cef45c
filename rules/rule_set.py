"""The rules of one kind of decision, ready to be asked about a table."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.data_set_statistics import (
    DataSetStatistics,
    Numbers,
    fraction_of,
    measure_statistics,
)
from cryoverdict.rules.finding import Finding
from cryoverdict.rules.judgement import Judgement
from cryoverdict.rules.rule import DecisionKind, Rule
from cryoverdict.rules.rule_error import Fault, RuleError

# Of each subject what kind of thing it is; only subjects of one kind can be compared.
Kinds = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules in the order of their ids, shipped ones and a site's, overrides applied.

    ``idle`` rules take no part: a site switched them off, or they are deprecated.
    """

    decision: DecisionKind
    rules: tuple[Rule, ...]
    idle: tuple[Rule, ...] = ()

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the content of the rules that take part, overrides included."""
        content = [self.decision, [rule.record() for rule in self.rules]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by its id, idle ones too; raises `RuleError` where there is none."""
        for rule in (*self.rules, *self.idle):
            if rule.id == rule_id:
                return rule
        from cryoverdict.rules.nearest import suggestion

        known = [rule.id for rule in (*self.rules, *self.idle)]
        msg = f"there is no such rule for {self.decision}{suggestion(rule_id, known)}"
        raise RuleError([Fault(file=rule_id, message=msg)])

    def statistics(self, table: FeatureTable, *, among: str = "") -> DataSetStatistics:
        """Return the data-set statistics that the rules ask for, taken over one table.

        ``among`` says in words what the table holds, where it is a part of what was given.
        """

        def column(name: str) -> Numbers:
            """Return a feature, unknown everywhere where the table lacks it."""
            if name in table.features:
                return table.column(name)
            return np.full(len(table.subjects), np.nan)

        nodes = [
            (node, fraction_of(node, rule.numbers))
            for rule in self.rules
            for node in rule.statistics
        ]
        return measure_statistics(nodes, column, len(table.subjects), among)

    def statistics_by_kind(
        self, table: FeatureTable, kinds: Kinds | None = None
    ) -> dict[str, DataSetStatistics]:
        """Return the statistics of each kind of subject, which are never taken across kinds."""
        parts = parts_by_kind(table, kinds)
        return {
            kind: self.statistics(part, among=_among(part, kind) if len(parts) > 1 else "")
            for kind, part in parts.items()
        }

    def answers(
        self, table: FeatureTable, *, statistics: DataSetStatistics | None = None
    ) -> NDArray[np.int8]:
        """Return ``(rules, subjects)``: 1 where a rule fired, -1 where not, 0 for could not say."""
        data_set = statistics or self.statistics(table)
        answers = np.empty((len(self.rules), len(table.subjects)), dtype=np.int8)
        for i, rule in enumerate(self.rules):
            answers[i] = Judgement.of(rule, table, data_set).truth()
        return answers

    def findings(
        self, table: FeatureTable, *, statistics: DataSetStatistics | None = None
    ) -> dict[str, tuple[Finding, ...]]:
        """Return what every rule says of every subject, in the order of `rules`.

        ``statistics`` are those of the data set where ``table`` is only a part of it, such as one
        subject that is judged again with a changed value; else they are taken over ``table``.
        Raises `RuleError` where the table counts a feature in another unit than the rules.
        """
        data_set = statistics or self.statistics(table)
        with _no_collection():
            columns = [Judgement.of(rule, table, data_set).findings() for rule in self.rules]
        if not columns:
            return dict.fromkeys(table.subjects, ())
        return dict(zip(table.subjects, zip(*columns, strict=True), strict=True))

    def findings_by_kind(
        self, table: FeatureTable, kinds: Kinds | None = None
    ) -> dict[str, tuple[Finding, ...]]:
        """Return `findings`, each subject compared with those of its own kind alone."""
        statistics = self.statistics_by_kind(table, kinds)
        found: dict[str, tuple[Finding, ...]] = {}
        for kind, part in parts_by_kind(table, kinds).items():
            found |= self.findings(part, statistics=statistics[kind])
        return {subject: found[subject] for subject in table.subjects}


def parts_by_kind(table: FeatureTable, kinds: Kinds | None) -> dict[str, FeatureTable]:
    """Return the rows of each kind, in the order of the table; without kinds there is one."""
    if not kinds:
        return {"": table}
    members: dict[str, list[str]] = {}
    for subject in table.subjects:
        members.setdefault(kinds[subject], []).append(subject)
    if len(members) == 1:
        return dict.fromkeys(members, table)
    return {kind: table.select(subjects) for kind, subjects in members.items()}


def _among(part: FeatureTable, kind: str) -> str:
    """Return in words which subjects a part of a list holds."""
    size = len(part.subjects)
    return f"{size} micrograph{'s' * (size != 1)} of the same kind ({kind})"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold back the search for reference cycles while millions of small objects are made.

    None of them is in a cycle, and looking takes as long as making them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
