"""What a lesson says of its micrographs: their yields, the model of them, where rules disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.learning.finished_run import FinishedRun
from cryoverdict.engine.learning.particle_lesson import ParticleLesson
from cryoverdict.engine.learning.yield_model import FOLDS, Array, YieldModel
from cryoverdict.features.table import FeatureTable

# Derived labels may move a decision, never make it: at most so much log-odds either way.
MOST_LOG_ODDS = 1.5
EVIDENCE = "learnt-from-the-good-stack"
SUREST = 0.98


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yields:
    """Good and picked of each micrograph that taught, and the model of their share.

    ``subjects`` and ``run`` name them; ``held_out`` is the share that models without the
    micrograph expect, ``covered`` the part of the micrographs whose number of good particles lies
    in their 95 % interval, ``gain`` the correlation of expected and seen share.
    """

    model: YieldModel
    subjects: tuple[str, ...]
    run: tuple[str, ...]
    good: Array
    picked: Array
    worth: Array
    covered: float
    gain: float

    def card(self) -> dict[str, Any]:
        """Return what a reader must know of it."""
        helps = self.gain > 0.0
        return {
            "micrographs": len(self.subjects),
            "good": int(self.good.sum()),
            "picked": int(self.picked.sum()),
            "dispersion": round(self.model.dispersion, 5),
            "covered": round(self.covered, 4),
            "correlation": round(self.gain, 4),
            "says": "expected and seen shares go together on micrographs held out"
            if helps
            else "on micrographs held out it says nothing of the share: every one is as usual",
        }


def fitted_yields(runs: Sequence[FinishedRun], lesson: ParticleLesson) -> Yields | None:
    """Return the yields of a lesson's micrographs; ``None`` for too few of them."""
    tables = [FeatureTable.read(run.folder / "judged" / "features.parquet") for run in runs]
    rows, names, where = [], [], []
    for run, table in zip(runs, tables, strict=True):
        for subject in table.subjects:
            mine = (lesson.run == run.name) & (lesson.micrograph == subject)
            if mine.any():
                rows.append((float(lesson.good[mine].sum()), float(mine.sum())))
                names.append(subject)
                where.append(run.name)
    chosen = [
        t.select(s for s, r in zip(names, where, strict=True) if r == run.name)
        for run, t in zip(runs, tables, strict=True)
    ]
    if not rows:
        return None
    features = chosen[0].features
    values = np.vstack([t.values for t in chosen if len(t.subjects)])
    good, picked = np.array(rows).T
    try:
        model = YieldModel.fit(values, features, good, picked)
    except EngineError:
        return None
    share, low, high = held_out(values, features, good, picked)
    seen = good / picked
    varies = float(share.std()) > 1e-9 and float(seen.std()) > 1e-9
    return Yields(
        model=model,
        subjects=tuple(names),
        run=tuple(where),
        good=good,
        picked=picked,
        worth=model.forecast(values).worth,
        covered=float(((good >= low) & (good <= high)).mean()),
        gain=float(np.corrcoef(share, seen)[0, 1]) if varies else 0.0,
    )


def learnt_evidence(model: YieldModel, table: FeatureTable) -> dict[str, Evidence]:
    """Return for each micrograph what was learnt from the good stack, as evidence for keeping it.

    The log-odds that its share of good particles is worth the work, against those of a micrograph
    as usual as its measurements are: none at all; capped at `MOST_LOG_ODDS`.
    """
    values = model.values_of(table)
    usual = np.full((1, values.shape[1]), np.nan)
    neutral = _log_odds(model.forecast(usual).worth)[0]
    forecast = model.forecast(values)
    found = np.clip(_log_odds(forecast.worth) - neutral, -MOST_LOG_ODDS, MOST_LOG_ODDS)
    return {
        subject: Evidence(
            source="model",
            name=EVIDENCE,
            log_odds=float(found[i]),
            value=float(forecast.share[i]),
            unit="1",
            text=(
                f"Learnt from the good stack: {forecast.share[i]:.0%} of its picks are expected to "
                f"be good ({forecast.low[i]:.0%} to {forecast.high[i]:.0%})."
            ),
        )
        for i, subject in enumerate(table.subjects)
    }


def disagreements(runs: Sequence[FinishedRun], yields: Yields) -> list[tuple[str, ...]]:
    """Return the micrographs on which rules and learnt yield differ most, one row each.

    Micrograph, run, what the decision thought, what was learnt, good and picked.
    """
    told = {
        (run.name, d.subject): d.explanation.favourable_probability
        for run in runs
        for d in read_decisions(run.folder / "judged" / "decisions.jsonl")
    }
    rows = []
    for i, (subject, run) in enumerate(zip(yields.subjects, yields.run, strict=True)):
        keep = told.get((run, subject))
        if keep is None:
            continue
        worth = float(yields.worth[i])
        apart = abs(float(_log_odds(np.array([keep]))[0] - _log_odds(np.array([worth]))[0]))
        rows.append((apart, subject, run, keep, worth, yields.good[i], yields.picked[i]))
    rows.sort(key=lambda row: (-row[0], row[1]))
    return [(s, r, f"{k:.4f}", f"{w:.4f}", f"{g:.0f}", f"{p:.0f}") for _, s, r, k, w, g, p in rows]


def held_out(
    values: Array, features: Sequence[str], good: Array, picked: Array
) -> tuple[Array, Array, Array]:
    """Return expected share and 95 % interval of the good of micrographs left out of the fit."""
    share, low, high = (np.full(len(good), np.nan) for _ in range(3))
    fold = np.arange(len(good)) % min(FOLDS, len(good))
    for k in np.unique(fold):
        seen, out = fold != k, fold == k
        try:
            model = YieldModel.fit(values[seen], features, good[seen], picked[seen])
        except EngineError:
            share[out], low[out], high[out] = good.sum() / picked.sum(), 0.0, picked[out]
            continue
        share[out] = model.forecast(values[out]).share
        low[out], high[out] = model.intervals(values[out], picked[out])
    return share, low, high


def _log_odds(probability: Array) -> Array:
    """Return log-odds, of none surer than `SUREST`."""
    held = np.clip(probability, 1.0 - SUREST, SUREST)
    return np.asarray(np.log(held / (1.0 - held)), np.float64)
