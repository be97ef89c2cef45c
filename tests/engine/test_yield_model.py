"""The beta-binomial yield of micrographs: its intervals, its caution, its evidence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.explanation import Explanation
from cryoverdict.engine.learning.learnt_evidence import with_learnt
from cryoverdict.engine.learning.micrograph_yields import MOST_LOG_ODDS, learnt_evidence
from cryoverdict.engine.learning.yield_model import YieldModel
from cryoverdict.features.table import FeatureTable

NAMES = tuple(f"f{i}" for i in range(30))


def session(seed: int, count: int, *, slope: float = 0.8) -> tuple[np.ndarray, ...]:
    """Micrographs whose share of good picks hangs on what 30 measurements show with noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 4))
    loading = np.random.default_rng(seed + 1000).normal(size=(4, 30))
    values = hidden @ loading + 2.0 * rng.normal(size=(count, 30))
    mean = 1.0 / (1.0 + np.exp(-(0.8 + slope * hidden[:, 0])))
    picked = rng.integers(20, 150, count).astype(float)
    total = 1.0 / 0.05 - 1.0
    share = rng.beta(mean * total, (1.0 - mean) * total)
    return values, rng.binomial(picked.astype(int), share).astype(float), picked, mean


def test_intervals_cover_what_they_say() -> None:
    covered = []
    for seed in range(12):
        values, good, picked, _ = session(seed, 80)
        model = YieldModel.fit(values[:40], NAMES, good[:40], picked[:40])
        low, high = model.intervals(values[40:], picked[40:])
        covered.append(float(((good[40:] >= low) & (good[40:] <= high)).mean()))
    assert 0.90 <= np.mean(covered) <= 0.98


def test_forecast_goes_with_the_truth_and_dispersion_with_the_scatter() -> None:
    values, good, picked, mean = session(3, 120)
    model = YieldModel.fit(values[:60], NAMES, good[:60], picked[:60])
    forecast = model.forecast(values[60:])
    assert np.corrcoef(forecast.share, mean[60:])[0, 1] > 0.7
    assert 0.02 < model.dispersion < 0.2
    assert (forecast.low < forecast.share).all()
    assert (forecast.share < forecast.high).all()


def test_measurements_that_say_nothing_leave_every_micrograph_as_usual() -> None:
    values, good, picked, _ = session(5, 80, slope=0.0)
    model = YieldModel.fit(values[:40], NAMES, good[:40], picked[:40])
    share = model.forecast(values[40:]).share
    assert share.std() < 0.06
    assert share.mean() == pytest.approx(good[:40].sum() / picked[:40].sum(), abs=0.08)


def test_same_micrographs_same_model_and_it_reads_back() -> None:
    values, good, picked, _ = session(1, 40)
    models = [YieldModel.fit(values, NAMES, good, picked) for _ in range(2)]
    texts = [json.dumps(m.to_dict(), sort_keys=True) for m in models]
    assert texts[0] == texts[1]
    again = YieldModel.from_dict(json.loads(texts[0]))
    np.testing.assert_array_equal(again.forecast(values).share, models[0].forecast(values).share)


def test_few_micrographs_teach_nothing() -> None:
    values, good, picked, _ = session(1, 8)
    picked[0] = good[0] = 0.0
    with pytest.raises(EngineError, match="7 micrographs with picks"):
        YieldModel.fit(values, NAMES, good, picked)


def test_evidence_is_nothing_for_a_usual_micrograph_and_capped_for_any() -> None:
    values, good, picked, mean = session(2, 60, slope=2.5)
    model = YieldModel.fit(values, NAMES, good, picked)
    rows = np.vstack([model.standardisation.centre, values])
    table = FeatureTable(
        subjects=tuple(str(i) for i in range(len(rows))),
        features=NAMES,
        units=dict.fromkeys(NAMES, "1"),
        values=rows,
        absent={},
    )
    found = learnt_evidence(model, table)
    odds = np.array([found[s].log_odds for s in table.subjects])
    assert abs(odds[0]) < 0.3
    assert np.abs(odds).max() == pytest.approx(MOST_LOG_ODDS)
    assert np.corrcoef(odds[1:], mean)[0, 1] > 0.5


def decision(subject: str, log_odds: float, gates: tuple[str, ...] = ()) -> Decision:
    explanation = Explanation(prior_log_odds=log_odds, evidence=(), gates=gates)
    return Decision(
        kind="reject-micrographs",
        subject=subject,
        outcome="keep" if explanation.favourable else "reject",
        explanation=explanation,
        digests={},
        version="",
    )


@pytest.mark.parametrize("correlation", [0.5, -0.2])
def test_learnt_yield_moves_decisions_unless_gated_or_useless(
    tmp_path: Path, correlation: float
) -> None:
    values, good, picked, _ = session(2, 60, slope=2.5)
    model = YieldModel.fit(values, NAMES, good, picked)
    for name in ("references.safetensors", "networks.safetensors"):
        (tmp_path / name).write_bytes(b"")
    card = {"yields": {"correlation": correlation}}
    record = {"format": 1, "yields": model.to_dict(), "card": card}
    (tmp_path / "model.json").write_text(json.dumps(record))
    worst = int(np.argmin(model.forecast(values).share))
    table = FeatureTable(
        subjects=("open", "shut"),
        features=NAMES,
        units=dict.fromkeys(NAMES, "1"),
        values=values[[worst, worst]],
        absent={},
    )
    # The judge's sums are NumPy's.
    before = [decision("open", np.float64(0.5)), decision("shut", np.float64(0.5), ("a-gate",))]
    after = list(with_learnt(before, tmp_path, table))
    write_decisions(tmp_path / "decisions.jsonl", after)
    assert after[1] == before[1]
    if correlation < 0.0:
        assert after[0] == before[0]
        return
    explanation = after[0].explanation
    assert explanation.log_odds == pytest.approx(0.5 - MOST_LOG_ODDS, abs=0.3)
    assert (after[0].outcome, after[0].review) == ("reject", True)
    assert "Learnt from the good stack" in explanation.evidence[-1].text
