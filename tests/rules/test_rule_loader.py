"""The loader: every fault of every file, each at its line and column, with what is accepted."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cryoverdict.rules.effect import AtLeast, Flag, LogOdds, Reject
from cryoverdict.rules.expression import text
from cryoverdict.rules.rule_error import Fault, RuleError
from cryoverdict.rules.rule_loader import load_rules
from cryoverdict.rules.self_test import self_test

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf


def test_a_rule_is_read_as_it_stands(shelf: Shelf) -> None:
    shelf.ship("poor-resolution", shelf.text(more="points_to: [bad_ctf]"))
    (rule,) = shelf.load().rules
    assert (rule.id, rule.title, rule.status) == ("poor-resolution", "Poor resolution", "stable")
    assert text(rule.condition) == "resolution_a > limit"
    assert rule.effect == LogOdds(-1.5)
    assert rule.points_to == ("bad_ctf",)
    assert rule.units == {"resolution_a": "A"}
    limit = rule.thresholds["limit"]
    assert (limit.value, limit.unit, limit.spread, limit.source) == (
        6.0,
        "A",
        ("4 to 10",),
        "a paper",
    )
    assert [(e.answer, dict(e.values)) for e in rule.examples] == [
        (True, {"resolution_a": 6.05}),
        (False, {"resolution_a": 6.0}),
    ]
    assert str(rule.origin).endswith("poor-resolution.yaml:1:5")


@pytest.mark.parametrize(("effect", "read"), [("reject", Reject()), ("flag", Flag())])
def test_effects_in_one_word(shelf: Shelf, effect: str, read: object) -> None:
    shelf.ship("poor-resolution", shelf.text(effect=effect))
    assert shelf.load().rules[0].effect == read


# Each fault: what is written, and the beginning of the line that is reported.
FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "unknown feature": (
        {"when": "resolutoin_a > limit"},
        "poor-resolution.yaml:7:7: resolutoin_a is neither a feature nor a threshold of the rule; "
        "did you mean resolution_a?",
    ),
    "unknown feature further on": (
        {"when": "resolution_a > limit and scoer < 0"},
        "poor-resolution.yaml:7:32: scoer is neither",
    ),
    "other unit": (
        {"thresholds": "limit: {value: 6, unit: um, spread: wide, source: a paper}"},
        "poor-resolution.yaml:7:7: resolution_a is in Å, limit in µm; both need the same unit",
    ),
    "other unit in arithmetic": (
        {"when": "resolution_a + score > limit"},
        "poor-resolution.yaml:7:7: resolution_a is in Å, score in pure numbers",
    ),
    "other unit after a product": (
        {"when": "resolution_a * defocus_a > limit"},
        "poor-resolution.yaml:7:7: resolution_a * defocus_a is in Å²",
    ),
    "a robust z has no unit": (
        {"when": "robust_z(resolution_a) > limit"},
        "poor-resolution.yaml:7:7: robust_z(resolution_a) is in pure numbers",
    ),
    "unused threshold": (
        {
            "thresholds": "limit: &a {value: 6, unit: A, spread: x, source: y}\n"
            "other: {value: 6, unit: A, spread: x, source: y}"
        },
        "poor-resolution.yaml:7:3: the threshold other is not used",
    ),
    "threshold called like a feature": (
        {
            "thresholds": "limit: {value: 6, unit: A, spread: x, source: y}\n"
            "score: {value: 6, unit: '1', spread: x, source: y}"
        },
        "poor-resolution.yaml:7:3: the threshold score is called like a feature",
    ),
    "bare number": (
        {"when": "resolution_a > 6"},
        "poor-resolution.yaml:7:22: the bare number 6; accepted are 0, 1 and 2",
    ),
    "bare one to compare with": (
        {"when": "resolution_a > limit and score > 1"},
        "poor-resolution.yaml:7:40: the bare number 1; only 0 needs no name",
    ),
    "a comparison of nothing": (
        {"when": "resolution_a > limit and limit > 0"},
        "poor-resolution.yaml:7:32: limit > 0 looks at no feature",
    ),
    "asked twice": (
        {"when": "resolution_a > limit or not limit >= resolution_a"},
        "poor-resolution.yaml:7:35: limit >= resolution_a is asked twice",
    ),
    "a statistic of a threshold": (
        {"when": "resolution_a > median(limit)"},
        "poor-resolution.yaml:7:29: median of limit; accepted are features",
    ),
    "a statistic of a statistic": (
        {"when": "resolution_a > median(mad(resolution_a)) + limit"},
        "poor-resolution.yaml:7:29: median of mad(resolution_a)",
    ),
    "a fraction above one": (
        {"when": "resolution_a > quantile(resolution_a, 2) + limit"},
        "poor-resolution.yaml:7:45: the fraction 2 of a quantile",
    ),
    "an effect in the wrong word": (
        {"effect": "rejects"},
        "poor-resolution.yaml:8:9: effect is 'rejects'; accepted is reject, flag, {log_odds",
    ),
    "an effect of the wrong key": (
        {"effect": "{log_odd: 1}"},
        "poor-resolution.yaml:8:9: effect is a mapping; accepted is reject, flag, {log_odds",
    ),
    "too strong": (
        {"effect": "{log_odds: 11}"},
        "poor-resolution.yaml:8:20: effect.log_odds is 11; accepted is input should be less",
    ),
    "no weight": (
        {"effect": "{log_odds: 0}"},
        "poor-resolution.yaml:8:9: log-odds 0 say nothing",
    ),
    "a parameter in a decision about subjects": (
        {"effect": "{set: {parameter: box_a, value: limit, unit: A}}"},
        "poor-resolution.yaml:8:9: an effect that reject-micrographs has no use for",
    ),
    "an experimental gate": (
        {"effect": "reject", "status": "experimental"},
        "poor-resolution.yaml:8:9: an experimental rule decides alone",
    ),
    "an unknown place in the sentence": (
        {"because": "It is {resolution}."},
        "poor-resolution.yaml:9:18: resolution is neither a feature nor a threshold",
    ),
    "a statistic in the sentence that the rule does not ask": (
        {"because": "It is {robust_z(resolution_a)}."},
        "poor-resolution.yaml:9:18: robust_z(resolution_a) is not in the condition",
    ),
    "an open brace": (
        {"because": "It is {resolution_a."},
        "poor-resolution.yaml:9:10: a brace without its partner",
    ),
    "a defect of another decision": (
        {"more": "points_to: [bad_cft]"},
        "poor-resolution.yaml:15:13: bad_cft as a defect; did you mean bad_ctf?",
    ),
    "praise and defect": (
        {"effect": "{log_odds: 1}", "more": "points_to: [film]"},
        "poor-resolution.yaml:15:12: the rule speaks for the subject and points to a defect",
    ),
    "an example of nothing that is read": (
        {"examples": "fires: [{resolution_a: 7, score: 1}]\nsilent: [{resolution_a: 5}]"},
        "poor-resolution.yaml:13:29: the rule does not read score",
    ),
    "no silent example": (
        {"examples": "fires: [{resolution_a: 7}]"},
        "poor-resolution.yaml:13:3: no example under silent",
    ),
    "an example in words": (
        {"examples": "fires: [{resolution_a: high}]\nsilent: [{resolution_a: 5}]"},
        "poor-resolution.yaml:13:26: examples.fires.0.resolution_a is 'high'; accepted is a number",
    ),
    "unknown key": (
        {"more": "becuase: x"},
        "poor-resolution.yaml:15:1: the key becuase; did you mean because?",
    ),
    "unknown key further down": (
        {"thresholds": "limit: {value: 6, unit: A, spred: x, spread: y, source: z}"},
        "poor-resolution.yaml:6:30: the key spred; did you mean spread?",
    ),
    "duplicate key": (
        {"more": "title: Another"},
        "poor-resolution.yaml:15:1: the key title stands twice, first in line 2",
    ),
    "lacking key": (
        {"thresholds": "limit: {value: 6, unit: A, spread: x}"},
        "poor-resolution.yaml:6:3: thresholds.limit lacks the key source",
    ),
    "a number in text": (
        {"thresholds": "limit: {value: 1e3, unit: A, spread: x, source: y}"},
        "poor-resolution.yaml:6:18: thresholds.limit.value is '1e3'; accepted is a number, such as",
    ),
    "octal": (
        {"thresholds": "limit: {value: 010, unit: A, spread: x, source: y}"},
        "poor-resolution.yaml:6:18: 010 is not a plain decimal number",
    ),
    "base 60": (
        {"thresholds": "limit: {value: 1:30, unit: A, spread: x, source: y}"},
        "poor-resolution.yaml:6:18: 1:30 is not a plain decimal number",
    ),
    "not a number": (
        {"thresholds": "limit: {value: .nan, unit: A, spread: x, source: y}"},
        "poor-resolution.yaml:6:18: .nan is not a plain decimal number",
    ),
    "unit without quotes": (
        {"thresholds": "limit: {value: 6, unit: 1, spread: x, source: y}"},
        "poor-resolution.yaml:6:27: thresholds.limit.unit is 1; accepted is '1', 'A', 'um'",
    ),
    "id in capitals": (
        {"rule_id": "Poor_Resolution"},
        "poor-resolution.yaml:1:5: id is 'Poor_Resolution'; accepted is a name in kebab-case",
    ),
    "unknown decision": (
        {"decision": "reject-micrograph"},
        "poor-resolution.yaml:3:11: decision is 'reject-micrograph'; accepted is",
    ),
    "unsafe tag": (
        {"more": "points_to: !!python/object/apply:os.system [ls]"},
        "poor-resolution.yaml:15:12: the tag tag:yaml.org,2002:python/object/apply:os.system",
    ),
    "alias": (
        {"more": "points_to: &a [film]\nreplaces: *a"},
        "poor-resolution.yaml:15:12: an anchor is used again by an alias",
    ),
    "not YAML": (
        {"more": "points_to: [film"},
        "poor-resolution.yaml:",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_where_it_stands_with_what_is_accepted(shelf: Shelf, name: str) -> None:
    parts, expected = FAULTS[name]
    shelf.ship("poor-resolution", shelf.text(**parts))
    lines = shelf.faults()
    assert any(line.startswith(expected) for line in lines), lines
    assert len(lines) == 1, lines


def test_all_faults_of_all_files_are_told_at_once_in_the_order_of_the_places(
    shelf: Shelf,
) -> None:
    shelf.ship("a", shelf.text(rule_id="a", when="resolution > limit", more="poinst_to: [film]"))
    shelf.ship("b", shelf.text(rule_id="b", when="resolution > limit and scores < 0"))
    shelf.ship("c", "- a list")
    shelf.ship("d", "a: 1\nb: [\n")
    starts = [line.split(": ")[0] for line in shelf.faults()]
    assert starts == ["a.yaml:15:1", "b.yaml:7:7", "b.yaml:7:30", "c.yaml:1:1", "d.yaml:3:1"]


def test_the_place_is_right_in_folded_and_quoted_text(shelf: Shelf) -> None:
    folded = ">-\n  resolution_a > limit\n  and   scoer < 0"
    shelf.ship("folded", shelf.text(rule_id="folded", when=folded))
    shelf.ship("quoted", shelf.text(rule_id="quoted", when="'scoer < 0 or resolution_a > limit'"))
    places = [line.split(": ")[0] for line in shelf.faults()]
    assert places == ["folded.yaml:9:9", "quoted.yaml:7:8"]


def test_the_place_counts_characters_and_not_bytes(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(rule_id="a", because="Die Auflösung in Å ist {resolutoin_a}."))
    assert shelf.faults()[0].startswith("a.yaml:9:35: resolutoin_a")


def test_the_same_id_twice_is_refused_and_says_how_to_change_a_rule(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    path = shelf.ship("b", shelf.text())
    (line,) = shelf.faults()
    assert line.startswith("b.yaml:1:5: the rule poor-resolution is defined already in ")
    assert "write override: poor-resolution" in line
    assert path.exists()


def test_a_file_in_another_encoding_is_refused(shelf: Shelf) -> None:
    shelf.ship("a", "x: 1").write_bytes(b"title: \xff\xfe")
    assert shelf.faults()[0].startswith("a.yaml: cannot be read ('utf-8' codec")


def test_rules_of_other_decisions_are_left_aside_but_their_structure_is_checked(
    shelf: Shelf,
) -> None:
    other = shelf.text(rule_id="other", decision="select-classes", when="size_a > limit")
    shelf.lay("other", other)
    assert shelf.load().rules == ()
    shelf.lay("other", other.replace("title:", "titel:"))
    assert any("the key titel; did you mean title?" in line for line in shelf.faults())


def test_a_layer_without_rule_files_is_a_fault(shelf: Shelf) -> None:
    with pytest.raises(RuleError, match=r"no rule files; accepted is a folder with \.yaml files"):
        shelf.load(shelf.site)


def test_a_deprecated_rule_takes_no_part(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(status="deprecated"))
    rules = shelf.load()
    assert rules.rules == ()
    assert [rule.id for rule in rules.idle] == ["poor-resolution"]


def test_a_parameter_rule_is_read_with_the_unit_of_its_value(shelf: Shelf) -> None:
    content = shelf.text(
        rule_id="box",
        decision="picking",
        when="always",
        thresholds="factor: {value: 1.5, unit: '1', spread: x, source: y}",
        effect="{at_least: {parameter: box_a, value: factor * diameter_a, unit: A}}",
        examples="fires: [{diameter_a: 100, expected_value: 150}]",
        because="A box holds the particle.",
    )
    shelf.lay("box", content)
    rules = load_rules("picking", [shelf.site], features={"diameter_a": "A"})
    effect = rules.rules[0].effect
    assert isinstance(effect, AtLeast)
    assert (effect.parameter, text(effect.value), effect.unit) == (
        "box_a",
        "factor * diameter_a",
        "A",
    )
    shelf.lay("box", content.replace("unit: A}}", "unit: px}}"))
    with pytest.raises(RuleError, match="factor \\* diameter_a is in Å, box_a in px"):
        load_rules("picking", [shelf.site], features={"diameter_a": "A"})


def test_a_rule_error_survives_the_way_between_processes() -> None:
    import copy

    error = RuleError(
        [Fault(file="a", line=2, column=1, message="x"), Fault(file="a", message="y")]
    )
    assert copy.copy(error).faults == error.faults
    assert str(error) == "a: y\na:2:1: x"


def test_the_digest_follows_the_content_and_not_the_file(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    digest = shelf.load().digest
    shelf.ship("a", "# a comment\n" + shelf.text())
    assert shelf.load().digest == digest
    shelf.ship("a", shelf.text().replace("value: 6,", "value: 6.5,").replace("6.05", "6.55"))
    assert shelf.load().digest != digest
    json.dumps(shelf.load().rules[0].record())


def test_files_are_found_below_the_layer_whatever_their_suffix(shelf: Shelf) -> None:
    inner: Path = shelf.site / "inner"
    inner.mkdir()
    (inner / "a.yml").write_text(shelf.text())
    (inner / "notes.txt").write_text("not a rule")
    assert [rule.id for rule in shelf.load().rules] == ["poor-resolution"]


def test_the_examples_in_the_documentation_are_read(shelf: Shelf) -> None:
    import cryoverdict.rules as room

    rule, change = (_indented(block) for block in (room.__doc__ or "").split("::\n\n")[1:])
    shelf.lay("rule", rule)
    shelf.lay("change", change)
    rules = load_rules("reject-micrographs", [shelf.site], features={"ctf_resolution_a": "A"})
    assert rules.rules[0].changes == (
        "poor_resolution is 8 instead of 6 (we work with tilted grids)",
    )
    assert self_test(rules).faults == ()


def _indented(block: str) -> str:
    """Return the indented lines at the beginning of a text."""
    return "\n".join(takewhile(lambda line: line.startswith("  "), block.splitlines()))
