"""The contract of every shipped parameter rule, of every registered kind of parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.cwl.commands.rules import DECISIONS
from cryoverdict.engine.kinds import EVIDENCE_KINDS, KINDS, PARAMETER_KINDS
from cryoverdict.engine.parameter_kind import ParameterKind
from cryoverdict.rules.effect import AtLeast, AtMost, Flag, Set
from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.expression import ALWAYS
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.plain_language import explain
from cryoverdict.rules.rule import Rule
from cryoverdict.rules.rule_loader import load_rules, shipped_folder

LOADED = {kind.id: load_rules(kind.id, features=kind.units()) for kind in PARAMETER_KINDS}
RULES = [(kind, rule) for kind in PARAMETER_KINDS for rule in (*LOADED[kind.id].rules,)]
every_rule = pytest.mark.parametrize(("kind", "rule"), RULES, ids=[r.id for _, r in RULES])
every_kind = pytest.mark.parametrize("kind", PARAMETER_KINDS, ids=lambda k: str(k.id))


@every_rule
def test_a_rule_answers_its_own_examples(kind: ParameterKind, rule: Rule) -> None:
    assert [str(fault) for fault in example_faults(rule)] == []


@every_rule
def test_a_changed_rule_fails_its_own_examples(kind: ParameterKind, rule: Rule) -> None:
    changes = list(mutants(rule))
    assert len(changes) >= 2 * len(rule.thresholds)
    assert [mutant.change for mutant in surviving_mutants(rule)] == []


@every_rule
def test_a_rule_shows_what_happens_without_what_it_reads(kind: ParameterKind, rule: Rule) -> None:
    if rule.units:
        assert None in {example.answer for example in rule.examples}


@every_rule
def test_a_rule_is_filed_under_its_id_and_written_for_readers(
    kind: ParameterKind, rule: Rule
) -> None:
    assert Path(rule.origin.file) == shipped_folder(kind.id) / f"{rule.id}.yaml"
    assert rule.because.template.endswith(".")
    assert rule.because.places, "the sentence shows no value"
    assert not rule.title.endswith(".")
    assert len(rule.title) <= 80
    for threshold in rule.thresholds.values():
        assert len(" ".join(threshold.spread)) > 20, "no spread worth the name"
    assert rule.title in explain(rule)


@every_rule
def test_a_rule_settles_a_parameter_of_its_kind_in_its_unit(
    kind: ParameterKind, rule: Rule
) -> None:
    # A rule may only read parameters settled before its own: the others are never known to it.
    order = [p.name for p in kind.parameters]
    units = {p.name: p.unit for p in kind.parameters}
    assert isinstance(rule.effect, Set | AtLeast | AtMost | Flag)
    if isinstance(rule.effect, Flag):
        return
    assert rule.effect.unit == units[rule.effect.parameter]
    later = order[order.index(rule.effect.parameter) :]
    assert set(rule.units) & set(later) == set()


@every_kind
def test_every_kind_has_rules_and_no_two_of_them_set_the_same_thing_always(
    kind: ParameterKind,
) -> None:
    rules = LOADED[kind.id].rules
    assert len(rules) >= 12
    always = [
        rule.effect.parameter
        for rule in rules
        if isinstance(rule.effect, Set) and rule.condition == ALWAYS
    ]
    assert sorted(set(always)) == sorted(always)


def test_the_rules_command_knows_every_registered_kind() -> None:
    registered = [
        *(kind.id for kind in KINDS),
        *(kind.id for kind in PARAMETER_KINDS),
        *(kind.id for kind in EVIDENCE_KINDS),
    ]
    assert registered == list(DECISIONS)
