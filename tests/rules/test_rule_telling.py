"""Rules in plain language, the comparison of rule sets, and bounds of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cryoverdict.rules.bounds import Bounds, bounds
from cryoverdict.rules.difference import Change, diff
from cryoverdict.rules.dimension import Dimension, quantity, symbol
from cryoverdict.rules.plain_language import explain
from cryoverdict.rules.rule_loader import load_rules

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf


def test_a_rule_is_told_with_its_numbers_and_what_others_use(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(more="points_to: [bad_ctf]"))
    shelf.lay("ours", "override: poor-resolution\nthresholds: {limit: 8}\nreason: tilted")
    told = explain(shelf.load().rules[0], {"resolution_a": "Where the fit ends."})
    assert (
        told
        == """poor-resolution (stable): Poor resolution

  when      resolution_a > limit
  that is   resolution_a is above limit (8 Å)
  then      1.5 log-odds against keeping
  sign of   bad_ctf
  because   The resolution is {resolution_a}, worse than {limit}.
  changed   limit is 8 instead of 6 (tilted)

  numbers
    - limit = 8 Å (a paper); others: 4 to 10

  measurements
    - resolution_a: Where the fit ends.

  false alarms
    - tilted specimens

  references
    - a paper"""
    )


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("robust_z(score) > 0", "the robust z of score within the data set is above 0"),
        ("score < 0 and angle_deg >= 0", "score is below 0 and angle_deg is at least 0"),
        (
            "score < 0 and (angle_deg > 0 or not defocus_a <= 0)",
            "score is below 0 and (angle_deg is above 0 or it is not so that defocus_a is at most "
            "0)",
        ),
        (
            "max(abs(score), score / 2) == 0",
            "the largest of the size of score, (score / 2) is exactly 0",
        ),
        (
            "count(score) < count()",
            "the number in the data set that have score is below the size of the data set",
        ),
        ("median(-score) < 0", "the data set's median of minus score is below 0"),
    ],
)
def test_conditions_in_words(shelf: Shelf, when: str, words: str) -> None:
    shelf.ship(
        "a",
        shelf.text(
            when=when,
            thresholds="",
            because="So.",
            examples="fires: [{}]\nsilent: [{}]",
        ),
    )
    assert f"  that is   {words}\n" in explain(shelf.load().rules[0])


def test_an_edit_is_told_by_the_findings_it_changes(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    before = shelf.load()
    shelf.lay("ours", "override: poor-resolution\nthresholds: {limit: 8}\nlog_odds: -2")
    shelf.lay(
        "new",
        shelf.text(
            rule_id="another",
            when="resolution_a < limit",
            examples="fires: [{resolution_a: 5}]\nsilent: [{resolution_a: 6}]",
        ),
    )
    table = shelf.table(resolution_a=[5.0, 7.0, 9.0, None])
    assert diff(before, shelf.load(), table) == (
        Change(rule="another", subject="a", before=False, after=True),
        Change(rule="another", subject="d", before=False, after=None),
        Change(rule="poor-resolution", subject="b", before=True, after=False),
        Change(rule="poor-resolution", subject="c", before=True, after=True, reweighed=True),
    )
    assert diff(before, before, table) == ()


def parameter(shelf: Shelf, name: str, effect: str, value: str, when: str = "always") -> None:
    """Write a rule about the box."""
    shelf.lay(
        name,
        shelf.text(
            rule_id=name,
            decision="picking",
            when=when,
            thresholds=f"factor: {{value: {value}, unit: '1', spread: x, source: y}}",
            effect=f"{{{effect}: {{parameter: box_a, value: factor * diameter_a, unit: A}}}}",
            examples="fires: [{diameter_a: 1}]\nsilent: [{diameter_a: 0}]",
            because="So.",
        ),
    )


def settled(shelf: Shelf, diameter: float | None) -> Bounds:
    """Return the bounds of the box for a particle."""
    rules = load_rules("picking", [shelf.site], features={"diameter_a": "A"})
    import numpy as np

    from cryoverdict.features.table import FeatureTable

    table = FeatureTable(
        subjects=("s",),
        features=("diameter_a",),
        units={"diameter_a": "A"},
        values=np.array([[np.nan if diameter is None else diameter]]),
        absent={("s", "diameter_a"): "no picks"} if diameter is None else {},
    )
    return bounds(rules.findings(table)["s"], "box_a")


def test_bounds_clip_and_name_the_rule_that_did(shelf: Shelf) -> None:
    parameter(shelf, "default", "set", "1.4")
    parameter(shelf, "low", "at_least", "1.2")
    parameter(shelf, "lower", "at_least", "1.1")
    parameter(shelf, "high", "at_most", "2.0")
    box = settled(shelf, 100.0)
    assert box.default == pytest.approx(140.0)
    assert box.contradictions == ()
    value, by = box.clip(50.0)
    assert value == pytest.approx(120.0)
    assert by is not None
    assert by.rule.id == "low"
    value, by = box.clip(300.0)
    assert value == pytest.approx(200.0)
    assert by is not None
    assert by.rule.id == "high"
    assert box.clip(150.0) == (150.0, None)


def test_contradictory_bounds_are_reported_and_raise_nothing(shelf: Shelf) -> None:
    parameter(shelf, "first", "set", "1.4")
    parameter(shelf, "second", "set", "1.5")
    parameter(shelf, "low", "at_least", "2.0")
    parameter(shelf, "high", "at_most", "1.5")
    box = settled(shelf, 100.0)
    assert box.contradictions == (
        "first sets 140 and second sets 150",
        "low asks at least 200 and high at most 150",
    )
    assert box.clip(180.0)[0] == pytest.approx(200.0)
    assert box.clip(300.0)[0] == pytest.approx(200.0)


def test_a_bound_whose_value_is_missing_could_not_say(shelf: Shelf) -> None:
    parameter(shelf, "low", "at_least", "1.2")
    box = settled(shelf, None)
    assert box.lowest == ()
    assert [(f.rule.id, f.missing) for f in box.could_not_say] == [("low", ("diameter_a",))]
    assert box.clip(5.0) == (5.0, None)


def test_units_multiply_and_cancel() -> None:
    angstrom, pixel = Dimension.of("A"), Dimension.of("px")
    assert angstrom.times(pixel, -1).unit == "A/px"
    assert angstrom.times(angstrom).unit == "A^2"
    assert angstrom.times(angstrom, -1) == Dimension()
    assert Dimension().times(angstrom, -1).unit == "1/A"
    assert symbol("A^2/px") == "Å²/px"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "1", "0"),
        (6.0, "A", "6 Å"),
        (12345.6, "A", "12300 Å"),
        (0.0001234, "1", "0.000123"),
        (1234567.0, "count", "1230000 counts"),
        (-4.56789, "1", "-4.57"),
        (90.0, "deg", "90°"),
        (1.5e-9, "1", "1.5e-09"),
    ],
)
def test_a_quantity_is_shown_to_three_digits(value: float, unit: str, shown: str) -> None:
    assert quantity(value, unit) == shown
