"""A site's layers: what they change, what they cannot, and what is written down of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.rule_error import RuleError
from cryoverdict.rules.rule_loader import load_rules

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf


@pytest.fixture
def stocked(shelf: Shelf) -> Shelf:
    """Return a shelf with one shipped rule."""
    shelf.ship("poor-resolution", shelf.text())
    return shelf


def test_a_threshold_is_changed_without_copying_the_rest(stocked: Shelf) -> None:
    before = stocked.load()
    stocked.lay("ours", "override: poor-resolution\nthresholds: {limit: 8}\nreason: tilted")
    after = stocked.load()
    rule = after.rules[0]
    assert rule.numbers == {"limit": 8.0}
    assert rule.changes == ("limit is 8 instead of 6 (tilted)",)
    assert rule.thresholds["limit"].source == "a paper"
    assert after.digest != before.digest
    table = stocked.table(resolution_a=[7.0, 9.0])
    assert [f[0].fired for f in before.findings(table).values()] == [True, True]
    assert [f[0].fired for f in after.findings(table).values()] == [False, True]


def test_the_authors_examples_still_hold_after_an_override(stocked: Shelf) -> None:
    stocked.lay("ours", "override: poor-resolution\nthresholds: {limit: 8}")
    assert example_faults(stocked.load().rules[0]) == []


def test_a_rule_is_switched_off_and_weighed_anew(stocked: Shelf) -> None:
    stocked.lay("ours", "override: poor-resolution\nlog_odds: -3")
    assert stocked.load().rules[0].effect == LogOdds(-3.0)
    stocked.lay("ours", "override: poor-resolution\nenabled: false")
    rules = stocked.load()
    assert rules.rules == ()
    assert [rule.id for rule in rules.idle] == ["poor-resolution"]


def test_a_later_layer_wins(stocked: Shelf) -> None:
    group = stocked.site.parent / "group"
    group.mkdir()
    (group / "a.yaml").write_text("override: poor-resolution\nthresholds: {limit: 7}")
    stocked.lay("ours", "override: poor-resolution\nthresholds: {limit: 8}")
    assert stocked.load(group, stocked.site).rules[0].numbers == {"limit": 8.0}
    assert stocked.load(stocked.site, group).rules[0].numbers == {"limit": 7.0}


def test_a_rule_is_replaced_only_when_it_says_so(stocked: Shelf) -> None:
    stocked.lay("mine", stocked.text(effect="reject", more="replaces: poor-resolution"))
    rules = stocked.load().rules
    assert [(rule.id, rule.effect) for rule in rules] == [("poor-resolution", Reject())]
    stocked.lay(
        "mine", stocked.text(rule_id="worse", effect="reject", more="replaces: poor-resolution")
    )
    assert [rule.id for rule in stocked.load().rules] == ["worse"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "override: poor-resolutoin\nenabled: false",
            "ours.yaml:1:11: there is no rule poor-resolutoin; did you mean poor-resolution?",
        ),
        (
            "override: poor-resolution\nthresholds: {limt: 8}",
            "ours.yaml:2:14: poor-resolution has no threshold limt; did you mean limit?",
        ),
        (
            "override: poor-resolution\nthresholds: {limit: high}",
            "ours.yaml:2:21: thresholds.limit is 'high'; accepted is a number",
        ),
        (
            "override: poor-resolution\nthreshold: {limit: 8}",
            "ours.yaml:2:1: the key threshold; did you mean thresholds?",
        ),
        ("override: poor-resolution", "ours.yaml:1:1: changes nothing; accepted are enabled"),
        (
            "override: poor-resolution\nlog_odds: 0",
            "ours.yaml:2:11: log-odds 0 say nothing; to switch the rule off",
        ),
        (
            "override: poor-resolution\nenabled: 'off'",
            "ours.yaml:2:10: enabled is 'off'; accepted is true or false",
        ),
    ],
)
def test_an_override_that_cannot_be_is_refused(stocked: Shelf, content: str, expected: str) -> None:
    stocked.lay("ours", content)
    (line,) = stocked.faults()
    assert line.startswith(expected)


def test_the_weight_of_a_gate_cannot_be_changed(shelf: Shelf) -> None:
    shelf.ship("poor-resolution", shelf.text(effect="reject"))
    shelf.lay("ours", "override: poor-resolution\nlog_odds: -3")
    (line,) = shelf.faults()
    assert line.startswith("ours.yaml:2:1: poor-resolution has no log_odds to change; replace")


def test_two_overrides_of_one_rule_in_one_layer_are_refused(stocked: Shelf) -> None:
    stocked.lay("a", "override: poor-resolution\nlog_odds: -3")
    stocked.lay("b", "override: poor-resolution\nthresholds: {limit: 7}")
    (line,) = stocked.faults()
    assert line.startswith("b.yaml:1:11: poor-resolution is overridden in ")


def test_a_site_rule_may_be_overridden_in_its_own_layer_whatever_the_file_order(
    shelf: Shelf,
) -> None:
    shelf.lay("a-change", "override: poor-resolution\nthresholds: {limit: 7}")
    shelf.lay("b-rule", shelf.text())
    assert shelf.load().rules[0].numbers == {"limit": 7.0}


def test_a_fraction_stays_a_fraction(shelf: Shelf) -> None:
    shelf.ship(
        "worst-tenth",
        shelf.text(
            rule_id="worst-tenth",
            when="resolution_a > quantile(resolution_a, share)",
            thresholds="share: {value: 0.9, unit: '1', spread: x, source: y}",
            because="It is among the worst.",
        ),
    )
    shelf.lay("ours", "override: worst-tenth\nthresholds: {share: 90}")
    assert shelf.faults()[0].startswith("ours.yaml:2:21: the fraction share is 90; accepted is 0")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("-8", "limit is -8 Å; accepted is a number above 0 (it is 6 Å as shipped)"),
        ("0", "limit is 0 Å; accepted is a number above 0"),
        ("0.004", "limit is 0.004 Å, 1500 times off the shipped 6 Å; give it in A, or switch"),
        ("60000", "limit is 60000 Å, 10000 times off"),
        ("0.01", ""),
        ("5000", ""),
    ],
)
def test_a_length_makes_physical_sense(stocked: Shelf, value: str, fault: str) -> None:
    stocked.lay("ours", f"override: poor-resolution\nthresholds: {{limit: {value}}}")
    if not fault:
        assert stocked.load().rules[0].numbers == {"limit": float(value)}
        return
    (line,) = stocked.faults()
    assert line.startswith(f"ours.yaml:2:21: {fault}")


@pytest.mark.parametrize(
    ("shipped", "value", "fault"),
    [
        ("0.5", "-0.1", "least is -0.1; accepted is 0 or more (it is 0.5 as shipped)"),
        ("-0.5", "0.1", ""),
        ("0.5", "0", ""),
        ("0.5", "1000", ""),
    ],
)
def test_a_pure_number_keeps_its_sign_where_that_is_positive(
    shelf: Shelf, shipped: str, value: str, fault: str
) -> None:
    shelf.ship(
        "low",
        shelf.text(
            rule_id="low",
            when="score < least",
            thresholds=f"least: {{value: {shipped}, unit: '1', spread: x, source: y}}",
            because="Low.",
            examples="fires: [{score: -9}]\nsilent: [{score: 9}]",
        ),
    )
    shelf.lay("ours", f"override: low\nthresholds: {{least: {value}}}")
    if not fault:
        assert shelf.load().rules[0].numbers == {"least": float(value)}
        return
    assert shelf.faults() == [f"ours.yaml:2:21: {fault}"]


@pytest.mark.parametrize("value", ["45", "-0.5"])
def test_a_fraction_of_the_area_lies_between_0_and_1(tmp_path: Path, value: str) -> None:
    (tmp_path / "ours.yaml").write_text(
        f"override: contamination-some\nthresholds: {{tolerated: {value}}}"
    )
    with pytest.raises(RuleError) as caught:
        load_rules("reject-micrographs", [tmp_path], features=REJECT_MICROGRAPHS.units())
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == (2, 25)
    assert "accepted is 0" in fault.message


def test_an_angle_is_at_most_a_full_turn(shelf: Shelf) -> None:
    shelf.ship(
        "turned",
        shelf.text(
            rule_id="turned",
            when="angle_deg > most",
            thresholds="most: {value: 45, unit: deg, spread: x, source: y}",
            because="Turned.",
            examples="fires: [{angle_deg: 46}]\nsilent: [{angle_deg: 45}]",
        ),
    )
    shelf.lay("ours", "override: turned\nthresholds: {most: 450}")
    assert shelf.faults() == ["ours.yaml:2:20: most is 450°; accepted is -360° to 360°"]
