"""The self-test of rules: an example that is wrong, and a change that no example notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cryoverdict.rules.example_check import example_faults
from cryoverdict.rules.mutation import mutants, surviving_mutants
from cryoverdict.rules.self_test import self_test

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf

PAIR = "limit: {value: 6, unit: A, spread: x, source: y}\n"
PAIR += "least: {value: 0.1, unit: '1', spread: x, source: y}"


def changes(shelf: Shelf, **parts: str) -> set[str]:
    """Return the changes of a rule that its examples do not notice."""
    shelf.ship("a", shelf.text(**parts))
    (rule,) = shelf.load().rules
    assert example_faults(rule) == []
    return {mutant.change for mutant in surviving_mutants(rule)}


def test_boundary_examples_notice_every_change(shelf: Shelf) -> None:
    assert changes(shelf) == set()


def test_a_coarse_example_misses_the_threshold_and_the_sign_of_equality(shelf: Shelf) -> None:
    examples = "fires: [{resolution_a: 9}]\nsilent: [{resolution_a: 5}]"
    assert changes(shelf, examples=examples) == {
        "when: resolution_a >= limit",
        "limit: 5.88",
        "limit: 6.12",
    }


def test_each_part_of_a_conjunction_needs_its_own_silent_example(shelf: Shelf) -> None:
    weak = (
        "fires: [{resolution_a: 6.05, score: 0.099}]\n"
        "silent: [{resolution_a: 6, score: 0.1}, {resolution_a: 6, score: 0.099}]"
    )
    survivors = changes(
        shelf, when="resolution_a > limit and score < least", thresholds=PAIR, examples=weak
    )
    assert "when: resolution_a > limit" in survivors
    strong = weak[:-1] + ", {resolution_a: 6.05, score: 0.1}]"
    assert (
        changes(
            shelf, when="resolution_a > limit and score < least", thresholds=PAIR, examples=strong
        )
        == set()
    )


def test_every_kind_of_change_is_tried(shelf: Shelf) -> None:
    shelf.ship(
        "a",
        shelf.text(
            when="max(resolution_a - defocus_a, limit) > limit or not -score < least * 2",
            thresholds=PAIR,
            examples="fires: [{score: -1}]\nsilent: [{resolution_a: 1, defocus_a: 1, score: 9}]",
        ),
    )
    (rule,) = shelf.load().rules
    tried = {mutant.change for mutant in mutants(rule)}
    assert {
        "when: max(resolution_a - defocus_a, limit) > limit and not -score < least * 2",
        "when: max(resolution_a - defocus_a, limit) > limit",
        "when: not -score < least * 2",
        "when: max(resolution_a - defocus_a, limit) > limit or -score < least * 2",
        "when: max(resolution_a - defocus_a, limit) <= limit or not -score < least * 2",
        "when: not max(resolution_a - defocus_a, limit) > limit or not -score < least * 2",
        "when: min(resolution_a - defocus_a, limit) > limit or not -score < least * 2",
        "when: max(resolution_a + defocus_a, limit) > limit or not -score < least * 2",
        "when: max(resolution_a - defocus_a, limit) > limit or not score < least * 2",
        "when: max(resolution_a - defocus_a, limit) > limit or not -score < least / 2",
        "limit: 6.12",
        "least: 0.098",
    } <= tried


def test_an_example_that_is_answered_otherwise_is_told_with_its_place(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(examples="fires: [{resolution_a: 6}]\nsilent: [{}]"))
    (rule,) = shelf.load().rules
    told = [f"{fault.line}:{fault.column} {fault.message}" for fault in example_faults(rule)]
    assert told == [
        "13:11 poor-resolution says no, its author yes",
        "14:12 poor-resolution says could not say, its author no",
    ]


def test_an_example_may_bring_a_small_data_set(shelf: Shelf) -> None:
    column = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]"
    parts = {
        "when": "resolution_a > quantile(resolution_a, share)",
        "thresholds": "share: {value: 0.9, unit: '1', spread: x, source: y}",
        "because": "Among the worst.",
    }
    examples = (
        f"fires: [{{resolution_a: 10.01, data_set: {{resolution_a: {column}}}}}]\n"
        f"silent: [{{resolution_a: 10, data_set: {{resolution_a: {column}}}}}]\n"
        "could_not_say: [{resolution_a: 10, data_set: {resolution_a: [1, 2, null]}}]"
    )
    assert changes(shelf, **parts, examples=examples) == set()
    flipped = examples.replace("10.01", "9.99")
    shelf.ship("a", shelf.text(**parts, examples=flipped))
    assert len(example_faults(shelf.load().rules[0])) == 1


@pytest.mark.parametrize(("expected", "faults"), [("150", 0), ("151", 1)])
def test_a_parameter_rule_is_held_to_its_value(shelf: Shelf, expected: str, faults: int) -> None:
    from cryoverdict.rules.rule_loader import load_rules

    shelf.lay(
        "box",
        shelf.text(
            rule_id="box",
            decision="picking",
            when="always",
            thresholds="factor: {value: 1.5, unit: '1', spread: x, source: y}",
            effect="{at_least: {parameter: box_a, value: factor * diameter_a, unit: A}}",
            examples=f"fires: [{{diameter_a: 100, expected_value: {expected}}}]\n"
            "could_not_say: [{}]",
            because="A box holds the particle.",
        ),
    )
    rules = load_rules("picking", [shelf.site], features={"diameter_a": "A"})
    assert len(self_test(rules).faults) == faults


def test_the_self_test_counts_what_it_tried(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    done = self_test(shelf.load())
    assert (done.rules, done.examples, done.changes, done.faults) == (1, 2, 7, ())
    shelf.ship("a", shelf.text(examples="fires: [{resolution_a: 9}]\nsilent: [{resolution_a: 5}]"))
    messages = [fault.message for fault in self_test(shelf.load()).faults]
    assert "no example of poor-resolution notices limit: 5.88; add one that does" in messages
