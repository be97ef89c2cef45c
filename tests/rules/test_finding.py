"""What rules say of a table: answers, comparisons, what is missing, sentences, speed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.finding import Comparison
from cryoverdict.rules.rule_error import RuleError

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf

SCORE = "limit: {value: 6, unit: A, spread: x, source: y}\n"
SCORE += "least: {value: 0.1, unit: '1', spread: x, source: y}"
FAR_EXAMPLES = "fires: [{robust_z(resolution_a): 3.01}]\nsilent: [{robust_z( resolution_a ): 3}]"


def ship_outlier(shelf: Shelf, because: str) -> None:
    """Ship a rule that fires beyond three robust deviations of the resolution."""
    shelf.ship(
        "a",
        shelf.text(
            when="robust_z(resolution_a) > far",
            thresholds="far: {value: 3, unit: '1', spread: x, source: y}",
            because=because,
            examples=FAR_EXAMPLES,
        ),
    )


def test_a_finding_holds_the_comparisons_it_made(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(when="resolution_a > limit and score < least", thresholds=SCORE))
    table = shelf.table(resolution_a=[7.0, 7.0, 5.0, None], score=[0.05, None, None, 0.05])
    found = {subject: findings[0] for subject, findings in shelf.load().findings(table).items()}
    assert {subject: finding.fired for subject, finding in found.items()} == {
        "a": True,
        "b": None,
        "c": False,
        "d": None,
    }
    assert found["b"].comparisons == (
        Comparison(
            text="resolution_a > limit",
            left=7.0,
            operator=">",
            right=6.0,
            unit="A",
            answer=True,
        ),
        Comparison(text="score < least", left=None, operator="<", right=0.1, unit="1", answer=None),
    )
    assert found["b"].missing == ("score",)
    assert found["d"].missing == ("resolution_a",)
    assert found["c"].missing == ()


def test_the_sentence_shows_values_with_units(shelf: Shelf) -> None:
    because = "At {resolution_a} over {limit}, {score:%} fit, {angle_deg} turned, {defocus_a}."
    shelf.ship("a", shelf.text(because=because))
    table = shelf.table(resolution_a=[7.25, 5.0, None], score=[0.123] * 3, angle_deg=[45.0] * 3)
    sentences = [f[0].sentence for f in shelf.load().findings(table).values()]
    assert sentences == [
        "At 7.25 Å over 6 Å, 12.3 % fit, 45° turned, an unknown value.",
        "No: Poor resolution",
        "Could not say: resolution_a is absent (no resolution_a)",
    ]


def test_a_position_in_the_data_set_is_compared_and_told(shelf: Shelf) -> None:
    ship_outlier(shelf, "It lies {robust_z(resolution_a)} deviations off.")
    rules = shelf.load()
    column = [4.0, 1.0, 3.0, 2.0, 8.0, 5.0, 6.0, 7.0, 40.0, None]
    found = [f[0] for f in rules.findings(shelf.table(resolution_a=column)).values()]
    assert [finding.fired for finding in found] == [False] * 8 + [True, None]
    assert found[8].comparisons[0].left == pytest.approx(35 / 1.4826 / 2)
    assert found[8].sentence == "It lies 11.8 deviations off."
    assert found[9].missing == ("resolution_a",)
    few = [f[0] for f in rules.findings(shelf.table(resolution_a=column[:7])).values()]
    assert {finding.missing for finding in few} == {("robust_z(resolution_a)",)}
    assert few[0].sentence.startswith("Could not say: robust_z(resolution_a) is absent (too few")


def test_one_subject_is_judged_again_within_the_statistics_of_its_data_set(shelf: Shelf) -> None:
    ship_outlier(shelf, "Far off.")
    rules = shelf.load()
    table = shelf.table(resolution_a=[4.0, 1.0, 3.0, 2.0, 8.0, 5.0, 6.0, 7.0, 40.0])
    statistics = rules.statistics(table)
    for value, fired in ((40.0, True), (13.89, False), (13.90, True)):
        changed = rules.findings(shelf.table(resolution_a=[value]), statistics=statistics)
        assert changed["a"][0].fired is fired


def test_a_feature_that_the_table_lacks_could_not_be_judged(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    table = FeatureTable(subjects=("m",), features=(), units={}, values=np.empty((1, 0)), absent={})
    finding = shelf.load().findings(table)["m"][0]
    assert (finding.fired, finding.missing) == (None, ("resolution_a",))
    assert finding.sentence == "Could not say: resolution_a is absent (not measured)"


def test_a_table_in_another_unit_is_refused(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    table = FeatureTable(
        subjects=("m",),
        features=("resolution_a",),
        units={"resolution_a": "um"},
        values=np.ones((1, 1)),
        absent={},
    )
    with pytest.raises(RuleError, match="resolution_a is in um in the table and in A for the rule"):
        shelf.load().findings(table)


def test_answers_are_the_findings_in_numbers(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text(rule_id="a"))
    shelf.ship(
        "b",
        shelf.text(
            rule_id="b",
            when="resolution_a < limit",
            examples=("fires: [{resolution_a: 5.95}]\nsilent: [{resolution_a: 6}]"),
        ),
    )
    answers = shelf.load().answers(shelf.table(resolution_a=[7.0, 5.0, None]))
    assert answers.tolist() == [[1, -1, 0], [-1, 1, 0]]


def test_no_rules_say_nothing(shelf: Shelf) -> None:
    assert shelf.load().findings(shelf.table(resolution_a=[7.0])) == {"a": ()}


def test_forty_rules_over_five_thousand_subjects_take_about_a_second(shelf: Shelf) -> None:
    for i in range(40):
        shelf.ship(
            f"r{i}",
            shelf.text(
                rule_id=f"r{i}",
                when="robust_z(resolution_a) > far and score < least",
                thresholds=SCORE.replace("limit: {value: 6, unit: A", "far: {value: 3, unit: '1'"),
                because="At {resolution_a}.",
                examples=(
                    "fires: [{robust_z(resolution_a): 3.01, score: 0.099}]\n"
                    "silent: [{robust_z(resolution_a): 3, score: 0.099}]"
                ),
            ),
        )
    rules = shelf.load()
    size = 5_000
    rng = np.random.default_rng(1)
    values = rng.normal(size=(size, len(shelf.units)))
    values[rng.random(values.shape) < 0.02] = np.nan
    subjects = tuple(f"m{i}" for i in range(size))
    holes = np.argwhere(np.isnan(values))
    table = FeatureTable(
        subjects=subjects,
        features=tuple(shelf.units),
        units=shelf.units,
        values=values,
        absent={(subjects[i], tuple(shelf.units)[j]): "none" for i, j in holes},
    )
    start = time.process_time()
    found = rules.findings(table)
    assert time.process_time() - start < 6
    expected = sum(finding.fired is True for finding in found["m0"])
    assert expected in (0, 40)
    assert len(found) == size


def test_subjects_are_compared_with_their_own_kind_alone(shelf: Shelf) -> None:
    ship_outlier(shelf, "Far off.")
    rules = shelf.load()
    counts = [4.0, 1.0, 3.0, 2.0, 8.0, 5.0, 6.0, 7.0, 40.0]
    pictures = [value + 1000 for value in counts]
    mixed = [value for pair in zip(pictures, counts, strict=True) for value in pair]
    table = shelf.table(resolution_a=[*mixed, 9.0])
    kinds = dict(zip(table.subjects, ["picture", "count"] * 9 + ["other"], strict=True))
    found = rules.findings_by_kind(table, kinds)
    assert tuple(found) == table.subjects
    fired = {subject: f[0].fired for subject, f in found.items()}
    assert [fired[s] for s in table.subjects] == [False] * 16 + [True, True, None]
    among = "9 micrographs of the same kind (picture)"
    assert found[table.subjects[16]][0].sentence == f"Far off. Compared with {among}."
    assert "1 micrograph of the same kind (other)" in found[table.subjects[18]][0].sentence
    statistics = rules.statistics_by_kind(table, kinds)
    assert statistics["count"].values["median(resolution_a)"] == 5.0
    assert statistics["picture"].values["median(resolution_a)"] == 1005.0


def test_one_kind_is_the_whole_data_set_and_is_not_spoken_of(shelf: Shelf) -> None:
    shelf.ship("a", shelf.text())
    rules = shelf.load()
    table = shelf.table(resolution_a=[7.0, 5.0])
    assert rules.findings_by_kind(table, {"a": "MRC", "b": "MRC"}) == rules.findings(table)
    assert rules.findings_by_kind(table) == rules.findings(table)


def test_a_sentence_tells_no_absurd_number_of_deviations(shelf: Shelf) -> None:
    ship_outlier(shelf, "It lies {robust_z(resolution_a)} deviations off.")
    table = shelf.table(resolution_a=[4.0, 1.0, 3.0, 2.0, 8.0, 5.0, 6.0, 7.0, 4e6])
    finding = shelf.load().findings(table)[table.subjects[-1]][0]
    assert finding.sentence == "It lies more than 50 deviations off."
