"""Rows of the list, the head of the page, and details: the numbers of decisions, unchanged."""

from __future__ import annotations

from math import log
from typing import Any

import pytest

from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.detail import TableIndex, detail_of
from cryoverdict.reports.measurements import measurements_of, values_of
from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.rows import Row, check_ledger, main_reason, row_of
from cryoverdict.reports.rule_list import rule_lines
from cryoverdict.reports.summary import summary_of


def evidence(source: str, name: str, log_odds: float, text: str) -> dict[str, Any]:
    return {"source": source, "name": name, "log_odds": log_odds, "text": text}


def test_reason_is_the_gate_else_what_weighs_most_towards_the_outcome() -> None:
    told = [
        evidence("rule", "a", -1.0, "weak"),
        evidence("model", "b", 3.0, "for"),
        evidence("rule", "c", -2.0, "strong"),
    ]
    assert main_reason({"outcome": "reject", "evidence": told}) == "strong"
    assert main_reason({"outcome": "keep", "evidence": told}) == "for"
    gate = [*told, evidence("gate", "d", -0.1, "alone")]
    assert main_reason({"outcome": "reject", "evidence": gate}) == "alone"
    assert main_reason({"outcome": "keep", "evidence": told[:1]}) == ""


def test_an_outcome_that_a_page_does_not_know_is_refused(data_set: Any) -> None:
    with pytest.raises(ReportError, match="its outcome is perhaps; accepted is keep or reject"):
        row_of(data_set.decisions[0] | {"outcome": "perhaps"}, pictured=False)


def test_ledger_of_another_run_is_refused() -> None:
    rows = [Row(subject="a", outcome="keep"), Row(subject="b", outcome="error")]
    check_ledger(rows, {"bins": {"kept": 1, "error": 1}})
    with pytest.raises(ReportError, match="counts 2 as kept, the decisions 1"):
        check_ledger(rows, {"bins": {"kept": 2, "error": 1}})
    with pytest.raises(ReportError, match="counts 0 as error, the decisions 1"):
        check_ledger(rows, {"bins": {"kept": 1}})


def test_summary_counts_and_says() -> None:
    rows = [
        Row(subject="a", outcome="keep", grade="great", review=True),
        Row(subject="b", outcome="keep", grade="decent"),
        Row(subject="c", outcome="reject", defects=("film", "drift"), review=True),
        Row(subject="d", outcome="error"),
    ]
    summary = summary_of(rows, {"drift": 1, "film": 1})
    assert summary.outcomes == (
        ("keep", "kept", 2),
        ("reject", "rejected", 1),
        ("error", "error", 1),
    )
    assert summary.grades == (("decent", 1), ("great", 1))
    assert summary.sentence == (
        "2 of 4 micrographs kept (50.0 %), 1 rejected (drift 1; film 1), 1 could not be read, "
        "2 flagged for review."
    )


def test_prior_and_evidence_add_up_to_the_probability(data_set: Any) -> None:
    index = TableIndex.of(data_set.table)
    for decision in data_set.decisions:
        detail = detail_of(decision, index)
        p = decision["favourable_probability"]
        total = decision["prior_log_odds"] + sum(e["log_odds"] for e in decision["evidence"])
        assert detail["log_odds"] == pytest.approx(total, abs=1e-12)
        assert detail["log_odds"] == pytest.approx(log(p / (1 - p)), abs=1e-9)
        assert detail["log_odds_probability"] == pytest.approx(p, abs=1e-12)


def test_a_sum_that_is_not_the_stored_probability_is_kept_apart(data_set: Any) -> None:
    wrong = data_set.decisions[0] | {"favourable_probability": 0.5}
    detail = detail_of(wrong, TableIndex.of(data_set.table))
    assert detail["favourable_probability"] == 0.5
    right = data_set.decisions[0]["favourable_probability"]
    assert detail["log_odds_probability"] == pytest.approx(right)


def test_details_hold_values_reasons_and_givens(data_set: Any) -> None:
    table: FeatureTable = data_set.table
    subject = next(s for s, name in table.absent if name == "ice_ratio")
    measured = TableIndex.of(table).measured(subject)
    place = table.features.index("ice_ratio")
    assert measured["values"][place] is None
    assert measured["absent"] == {str(place): table.absent[subject, "ice_ratio"]}
    assert measured["given"] == [table.features.index("motion_total_a")]
    assert [v for v in measured["values"] if v is not None] == list(table.row(subject).values())
    assert TableIndex.of(table).measured("unknown") == {"values": [], "absent": {}, "given": []}


def test_measurements_count_what_is_there_by_outcome(data_set: Any) -> None:
    table: FeatureTable = data_set.table
    rows = [row_of(d, pictured=False) for d in data_set.decisions]
    values, kept = values_of([*rows, Row(subject="x", outcome="error")], TableIndex.of(table))
    assert kept.tolist() == [d["outcome"] == "keep" for d in data_set.decisions]
    made = {m.name: m for m in measurements_of(table, data_set.features, values, kept)}
    absent = [s for s, name in table.absent if name == "ice_ratio"]
    ice = made["ice_ratio"]
    assert (ice.measured, ice.given, ice.absent) == (230 - len(absent), 0, len(absent))
    assert ice.reason == table.absent[absent[0], "ice_ratio"]
    assert (made["motion_total_a"].measured, made["motion_total_a"].given) == (0, 230)
    outcome = {d["subject"]: d["outcome"] for d in data_set.decisions}
    assert ice.spread is not None
    assert sum(ice.spread.rejected) == sum(
        outcome[s] == "reject" and s not in absent for s in table.subjects
    )


def test_a_rule_nobody_described_is_listed_all_the_same() -> None:
    rows = [
        Row(subject="a", outcome="keep", fired=("new", "old")),
        Row(subject="b", outcome="keep"),
    ]
    lines = rule_lines([{"id": "old", "title": "Old", "fired": 1}], rows)
    assert [(line.place, line.id, line.title, line.fired) for line in lines] == [
        (0, "old", "Old", 1),
        (1, "new", "", 1),
    ]
