"""The contract of every shipped rule: it answers its examples, and they notice any change."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from cryoverdict.features.families import micrograph_features
from cryoverdict.rules.effect import Flag, LogOdds, Reject
from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.expression import comparisons, statistics
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.plain_language import explain
from cryoverdict.rules.rule import DEFECTS, Rule
from cryoverdict.rules.rule_file import rule_schema
from cryoverdict.rules.rule_loader import load_rules, shipped_folder

UNITS = {feature.name: feature.unit for feature in micrograph_features()}
SHIPPED = load_rules("reject-micrographs", features=UNITS)
RULES = (*SHIPPED.rules, *SHIPPED.idle)
every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])


@every_rule
def test_a_rule_answers_its_own_examples(rule: Rule) -> None:
    assert [str(fault) for fault in example_faults(rule)] == []


@every_rule
def test_a_changed_comparison_fails_the_rules_own_examples(rule: Rule) -> None:
    tried = list(mutants(rule))
    assert len(tried) >= 5 * len(comparisons(rule.condition))
    assert [mutant.change for mutant in surviving_mutants(rule)] == []


@every_rule
def test_a_rule_shows_what_happens_without_its_measurement(rule: Rule) -> None:
    assert None in {example.answer for example in rule.examples}


@every_rule
def test_a_rule_is_filed_under_its_id_and_written_for_readers(rule: Rule) -> None:
    path = Path(rule.origin.file)
    assert path == shipped_folder("reject-micrographs") / f"{rule.id}.yaml"
    assert rule.because.template.endswith(".")
    assert rule.because.places, "the sentence shows no value"
    assert not rule.title.endswith(".")
    assert len(rule.title) <= 80
    for threshold in rule.thresholds.values():
        assert len(" ".join(threshold.spread)) > 20, "no spread worth the name"
    assert rule.title in explain(rule)


@every_rule
def test_only_extremes_and_broken_input_decide_alone(rule: Rule) -> None:
    if isinstance(rule.effect, Reject):
        assert rule.status == "stable"
        assert rule.points_to
        assert statistics(rule.condition) == (), "a gate may not depend on the rest of the data set"


@every_rule
def test_weights_are_moderate_and_a_rule_against_points_to_a_defect(rule: Rule) -> None:
    if isinstance(rule.effect, LogOdds):
        assert 0.2 <= abs(rule.effect.value) <= 4
        assert bool(rule.points_to) == (rule.effect.value < 0)


def test_the_number_of_rules_and_the_mix_of_effects() -> None:
    assert len(SHIPPED.rules) >= 30
    kinds = [type(rule.effect) for rule in SHIPPED.rules]
    assert min(kinds.count(Reject), kinds.count(LogOdds), kinds.count(Flag)) >= 4


def test_every_defect_has_a_rule_that_points_to_it() -> None:
    pointed = {name for rule in SHIPPED.rules for name in rule.points_to}
    assert pointed == set(DEFECTS["reject-micrographs"])


def test_a_fit_resolution_never_speaks_for_a_micrograph() -> None:
    # More than 99 % of the micrographs of some bad sessions fit to better than 4 Å.
    for rule in SHIPPED.rules:
        if isinstance(rule.effect, LogOdds) and rule.effect.value > 0:
            assert "ctf_resolution_a" not in rule.units


def test_the_published_schema_is_the_one_of_the_models() -> None:
    published = (files("cryoverdict.rules") / "rule.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == rule_schema()


@every_rule
def test_a_rule_file_fits_the_published_schema_by_its_keys(rule: Rule) -> None:
    keys = yaml.safe_load(Path(rule.origin.file).read_text(encoding="utf-8")).keys()
    entry = rule_schema()["$defs"]["RuleEntry"]
    assert set(entry["required"]) <= keys <= set(entry["properties"])


def test_the_digest_is_the_same_for_the_same_rules() -> None:
    again = load_rules("reject-micrographs", features=UNITS)
    assert again.digest == SHIPPED.digest
    assert again.rules == SHIPPED.rules
