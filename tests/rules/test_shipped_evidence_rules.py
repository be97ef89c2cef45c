"""The contract of the shipped rules that add evidence to a decision taken before."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.kinds import EVIDENCE_KINDS
from cryoverdict.engine.kinds.micrograph_yield import EvidenceKind
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.plain_language import explain
from cryoverdict.rules.rule import Rule
from cryoverdict.rules.rule_loader import load_rules, shipped_folder

RULES = [
    (kind, rule)
    for kind in EVIDENCE_KINDS
    for rule in load_rules(kind.id, features=kind.units()).rules
]
every_rule = pytest.mark.parametrize(("kind", "rule"), RULES, ids=[r.id for _, r in RULES])


@every_rule
def test_a_rule_answers_its_examples_which_notice_any_change(
    kind: EvidenceKind, rule: Rule
) -> None:
    assert [str(fault) for fault in example_faults(rule)] == []
    assert list(mutants(rule))
    assert [mutant.change for mutant in surviving_mutants(rule)] == []
    assert None in {example.answer for example in rule.examples}


@every_rule
def test_a_rule_weighs_moderately_and_points_to_a_defect_of_its_kind(
    kind: EvidenceKind, rule: Rule
) -> None:
    assert Path(rule.origin.file) == shipped_folder(kind.id) / f"{rule.id}.yaml"
    assert isinstance(rule.effect, LogOdds | Reject)
    if isinstance(rule.effect, LogOdds):
        assert 0.2 <= abs(rule.effect.value) <= 4
        assert bool(rule.points_to) == (rule.effect.value < 0 and bool(kind.defects))
    assert set(rule.points_to) <= set(kind.defects)
    assert rule.because.places
    assert rule.title in explain(rule)


@pytest.mark.parametrize("kind", EVIDENCE_KINDS, ids=lambda k: str(k.id))
def test_every_defect_has_a_rule_that_points_to_it(kind: EvidenceKind) -> None:
    pointed = {name for k, rule in RULES if k is kind for name in rule.points_to}
    assert pointed == set(kind.defects)
