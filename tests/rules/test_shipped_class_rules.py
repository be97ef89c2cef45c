"""The contract of the shipped rules on class averages and on particles of good classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.kinds.keep_particles import KEEP_PARTICLES
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.rules.effect import Flag, LogOdds, Reject
from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.expression import comparisons, statistics
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.rule import DEFECTS, Rule
from cryoverdict.rules.rule_loader import load_rules, shipped_folder

CLASSES = load_rules(SELECT_CLASSES.id, features=SELECT_CLASSES.units())
PARTICLES = load_rules(KEEP_PARTICLES.id, features=KEEP_PARTICLES.units())
RULES = (*CLASSES.rules, *PARTICLES.rules)
every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])


@every_rule
def test_a_rule_answers_its_examples_and_they_notice_any_change(rule: Rule) -> None:
    assert [str(fault) for fault in example_faults(rule)] == []
    assert len(list(mutants(rule))) >= 5 * len(comparisons(rule.condition))
    assert [mutant.change for mutant in surviving_mutants(rule)] == []
    assert {example.answer for example in rule.examples} == {True, False, None}


@every_rule
def test_a_rule_is_filed_under_its_id_and_written_for_readers(rule: Rule) -> None:
    assert Path(rule.origin.file) == shipped_folder(rule.decision) / f"{rule.id}.yaml"
    assert rule.because.template.endswith(".")
    assert rule.because.places
    assert not rule.title.endswith(".")
    for threshold in rule.thresholds.values():
        assert len(" ".join(threshold.spread)) > 20


@every_rule
def test_only_extremes_decide_alone_and_weights_are_moderate(rule: Rule) -> None:
    if isinstance(rule.effect, Reject):
        assert rule.status == "stable"
        assert rule.points_to
        assert statistics(rule.condition) == ()
    if isinstance(rule.effect, LogOdds):
        assert 0.2 <= abs(rule.effect.value) <= 4


def test_every_defect_of_classes_has_a_rule_and_the_kind_knows_it() -> None:
    pointed = {name for rule in CLASSES.rules for name in rule.points_to}
    assert pointed == set(DEFECTS["select-classes"]) == set(SELECT_CLASSES.defects)


def test_there_are_gates_weights_for_and_against_and_flags() -> None:
    effects = [rule.effect for rule in CLASSES.rules]
    assert len(effects) >= 20
    assert sum(isinstance(e, Reject) for e in effects) >= 4
    assert sum(isinstance(e, Flag) for e in effects) >= 3
    assert sum(isinstance(e, LogOdds) and e.value > 0 for e in effects) >= 5
