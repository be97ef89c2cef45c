"""Settling parameters: who is followed, what is clipped, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_decision import Estimate, ParameterDecision
from cryoverdict.engine.parameter_kind import Fact, Parameter, ParameterKind
from cryoverdict.engine.settling import settle_all
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.rules import rule_loader
from cryoverdict.rules.rule_loader import load_rules
from cryoverdict.rules.rule_set import RuleSet

KIND = ParameterKind(
    id="picking",
    facts=(Fact(name="seen_a", unit="A", meaning="Size seen in the images."),),
    parameters=(
        Parameter(name="diameter_a", unit="A", meaning="Particle diameter."),
        Parameter(name="spacing_a", unit="A", meaning="Least distance of two picks."),
        Parameter(name="most", unit="1", meaning="Most picks in a micrograph.", whole=True),
    ),
)


def rule(rule_id: str, effect: str, number: float, unit: str) -> str:
    """Return the text of a rule with the threshold ``number``."""
    example = "seen_a: 100" + ", diameter_a: 100" * ("diameter_a *" in effect)
    return f"""
id: {rule_id}
title: A rule
decision: picking
status: stable
thresholds:
  number: {{value: {number}, unit: "{unit}", spread: 'one group', source: a paper}}
when: seen_a > 0
effect: {effect}
because: 'The size is {{seen_a}}.'
references: [a paper]
false_alarms: [none known]
examples:
  fires: [{{{example}}}]
  silent: [{{seen_a: 0}}]
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuleSet:
    """Return a bound of the diameter, a spacing made of it with a cap, and a count."""
    monkeypatch.setattr(rule_loader, "shipped_folder", lambda decision: tmp_path / decision)
    folder = tmp_path / "picking"
    folder.mkdir()
    texts = {
        "wide-enough": ("{at_least: {parameter: diameter_a, value: number, unit: A}}", 60, "A"),
        "spacing": (
            "{set: {parameter: spacing_a, value: diameter_a * number, unit: A}}",
            0.5,
            "1",
        ),
        "spacing-cap": ("{at_most: {parameter: spacing_a, value: number, unit: A}}", 80, "A"),
        "count": ('{set: {parameter: most, value: number, unit: "1"}}', 2.6, "1"),
    }
    for name, (effect, number, unit) in texts.items():
        (folder / f"{name}.yaml").write_text(rule(name, effect, number, unit), encoding="utf-8")
    return load_rules("picking", (), features=KIND.units())


def settled(
    rules: RuleSet,
    seen: Answer = 100.0,
    given: dict[str, float] | None = None,
    diameter: float = 100,
) -> ParameterDecision:
    """Return the decision where the data say ``diameter``."""
    estimate = Estimate(value=diameter, low=diameter - 5, high=diameter + 5, text="Measured.")
    return settle_all(
        KIND,
        rules,
        subject="mics.star",
        facts={"seen_a": seen},
        estimates={"diameter_a": estimate},
        given=given,
    )


def test_the_estimate_is_followed_and_later_rules_build_on_it(rules: RuleSet) -> None:
    decision = settled(rules)
    assert decision.outcome == {"diameter_a": 100.0, "spacing_a": 50.0, "most": 3.0}
    assert [p.settled_by for p in decision.parameters] == ["statistics", "rule", "rule"]
    assert not decision.review


def test_a_bound_moves_the_estimate_and_is_named_as_the_one_that_decided(rules: RuleSet) -> None:
    diameter = settled(rules, diameter=40.0).parameters[0]
    assert (diameter.value, diameter.settled_by) == (60.0, "rule")
    assert [(e.name, e.does, e.decided) for e in diameter.evidence] == [
        ("statistics", "estimate", False),
        ("wide-enough", "at_least", True),
    ]
    assert settled(rules, diameter=180.0).outcome["spacing_a"] == 80.0


def test_the_user_is_followed_against_a_rule_and_the_rule_is_reported(rules: RuleSet) -> None:
    decision = settled(rules, given={"diameter_a": 50.0})
    assert decision.outcome["diameter_a"] == 50.0
    assert decision.outcome["spacing_a"] == 25.0
    assert decision.review_reasons == ("the given 50 is against wide-enough: 60",)
    assert decision.parameters[0].estimate is not None  # both are shown


def test_what_is_not_known_keeps_a_rule_from_speaking_and_is_no_value(rules: RuleSet) -> None:
    decision = settled(rules, seen=Absent("no image"))
    assert decision.outcome == {"diameter_a": 100.0, "spacing_a": None, "most": None}
    assert decision.parameters[1].could_not_say == ("spacing", "spacing-cap")
    assert decision.facts == {}


def test_a_decision_survives_its_record(rules: RuleSet) -> None:
    decision = settled(rules, given={"spacing_a": 120.0})
    assert ParameterDecision.from_dict(decision.to_dict()) == decision


def test_an_unknown_parameter_is_refused(rules: RuleSet) -> None:
    with pytest.raises(EngineError, match="there is no parameter size_a; it has diameter_a, most"):
        settled(rules, given={"size_a": 3.0})
