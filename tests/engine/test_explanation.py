"""The explanation is the computation: what it shows adds up to what was decided."""

from __future__ import annotations

from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoverdict.engine.decision import Decision, read_decisions, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import (
    GATE_LOG_ODDS,
    CouldNotSay,
    Explanation,
    gated,
    logistic,
)

log_odds = st.floats(-8, 8, allow_nan=False)


def evidence(values: list[float], source: str = "rule") -> tuple[Evidence, ...]:
    return tuple(
        Evidence(source="rule", name=f"{source}-{i}", log_odds=v, text="because")
        for i, v in enumerate(values)
    )


@given(prior=log_odds, values=st.lists(log_odds, max_size=6), gates=st.integers(0, 3))
def test_prior_and_evidence_are_the_logit_of_the_probability(
    prior: float, values: list[float], gates: int
) -> None:
    explanation = gated(prior, evidence(values), evidence([0.0] * gates, "gate"))
    total = explanation.prior_log_odds + sum(e.log_odds for e in explanation.evidence)
    p = explanation.favourable_probability
    assert p == pytest.approx(logistic(total), rel=1e-12)
    if 1e-6 < p < 1.0 - 1e-6:
        assert total == pytest.approx(log(p) - log(1.0 - p), abs=1e-6)
    assert len(explanation.gates) == gates


@given(prior=log_odds, values=st.lists(log_odds, max_size=6))
def test_a_gate_closes_whatever_the_evidence_says(prior: float, values: list[float]) -> None:
    shut = gated(prior, evidence(values), evidence([0.0], "gate"))
    assert shut.log_odds <= GATE_LOG_ODDS + 1e-9
    assert not shut.favourable
    assert all(e.log_odds <= 0.0 for e in shut.evidence if e.source == "gate")


def test_the_threshold_itself_is_favourable() -> None:
    assert Explanation(prior_log_odds=1.0, evidence=evidence([-1.0])).favourable


@given(st.floats(-700, 700))
def test_logistic_is_a_probability_and_symmetric(x: float) -> None:
    assert 0.0 <= logistic(x) <= 1.0
    assert logistic(x) + logistic(-x) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_evidence_that_cannot_be_added_is_refused(bad: float) -> None:
    with pytest.raises(EngineError, match="not finite"):
        Evidence(source="rule", name="r", log_odds=bad, text="t")


@given(prior=log_odds, values=st.lists(log_odds, max_size=6), gates=st.integers(0, 2))
def test_replaying_a_stored_explanation_gives_the_stored_outcome(
    tmp_path_factory: pytest.TempPathFactory, prior: float, values: list[float], gates: int
) -> None:
    explanation = gated(
        prior,
        evidence(values),
        evidence([0.0] * gates, "gate"),
        (CouldNotSay(rule="r", missing=("x_a",)),),
    )
    decision = Decision(
        kind="reject-micrographs",
        subject="mics/ä <b>.mrc",
        outcome="keep" if explanation.favourable else "reject",
        explanation=explanation,
        digests={"rules": "0"},
        version="1",
    )
    path: Path = tmp_path_factory.mktemp("replay") / "decisions.jsonl"
    write_decisions(path, [decision])
    (stored,) = read_decisions(path)
    assert stored == decision
    assert ("keep" if stored.explanation.favourable else "reject") == stored.outcome
    assert stored.probability >= 0.5


def test_a_broken_record_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text('{"kind": "x"}\n')
    with pytest.raises(EngineError, match=r"decisions\.jsonl:1: not a decision \(it lacks"):
        read_decisions(path)
