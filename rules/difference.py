"""What an edit of the rules changes: which rules answer otherwise, and for which subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.effect import Effect
from cryoverdict.rules.evaluation import ANSWERS
from cryoverdict.rules.rule_set import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding that differs: a rule, a subject, and what the rule said before and after.

    A rule that takes no part says no. ``reweighed`` is true where a rule fires in both, with
    another effect.
    """

    rule: str
    subject: str
    before: bool | None
    after: bool | None
    reweighed: bool = False


def diff(before: RuleSet, after: RuleSet, table: FeatureTable) -> tuple[Change, ...]:
    """Return the findings that differ between two rule sets, by rule and then by subject."""
    changes: list[Change] = []
    old, new = _by_id(before, table), _by_id(after, table)
    silent = np.full(len(table.subjects), -1, dtype=np.int8)
    for rule_id in sorted(old.keys() | new.keys()):
        old_effect, was = old.get(rule_id, (None, silent))
        new_effect, now = new.get(rule_id, (None, silent))
        reweighed = (was == 1) & (now == 1) & (old_effect != new_effect)
        for i in np.flatnonzero((was != now) | reweighed).tolist():
            changes.append(
                Change(
                    rule=rule_id,
                    subject=table.subjects[i],
                    before=ANSWERS[int(was[i])],
                    after=ANSWERS[int(now[i])],
                    reweighed=bool(reweighed[i]),
                )
            )
    return tuple(changes)


def _by_id(rules: RuleSet, table: FeatureTable) -> dict[str, tuple[Effect, NDArray[np.int8]]]:
    """Return the effect and the answers of each rule."""
    answers = rules.answers(table)
    return {rule.id: (rule.effect, row) for rule, row in zip(rules.rules, answers, strict=True)}
