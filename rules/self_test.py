"""Whether rules hold what their authors promise, and whether the authors would notice if not."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.rules.example_check import ask, authored, example_faults
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.rule import Rule
from cryoverdict.rules.rule_error import Fault
from cryoverdict.rules.rule_set import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEffect:
    """A rule with a site's numbers, and how many of its author's examples it answers otherwise.

    The examples say what the author's numbers do; where none of them notices a change, or all do,
    the site may look at it again.
    """

    rule: str
    changes: tuple[str, ...]
    examples: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """How many rules, examples and changes were tried, what overrides change, what went wrong."""

    rules: int
    examples: int
    changes: int
    overrides: tuple[OverrideEffect, ...]
    faults: tuple[Fault, ...]


def self_test(rules: RuleSet) -> SelfTest:
    """Ask every rule its examples, and every example whether it notices a changed rule."""
    every = (*rules.rules, *rules.idle)
    return SelfTest(
        rules=len(every),
        examples=sum(len(rule.examples) for rule in every),
        changes=sum(len(list(mutants(rule))) for rule in every),
        overrides=tuple(override_effect(rule) for rule in every if rule.changes),
        faults=tuple(fault for rule in every for fault in rule_faults(rule)),
    )


def override_effect(rule: Rule) -> OverrideEffect:
    """Return what a site's numbers change of a rule's answers to its author's examples."""
    answers = [(ask(rule, e), ask(authored(rule), e)) for e in rule.examples]
    return OverrideEffect(
        rule=rule.id,
        changes=rule.changes,
        examples=len(answers),
        changed=sum(now != before for now, before in answers),
    )


def rule_faults(rule: Rule) -> list[Fault]:
    """Return the examples that a rule answers wrong; if none, the changes that none notices."""
    wrong = example_faults(rule)
    if wrong:
        return wrong
    origin = rule.origin
    return [
        Fault(
            file=origin.file,
            line=origin.line,
            column=origin.column,
            message=f"no example of {rule.id} notices {mutant.change}; add one that does",
        )
        for mutant in surviving_mutants(rule)
    ]
