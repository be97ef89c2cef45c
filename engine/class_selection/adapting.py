"""A threshold that follows the run: where all classes are poor, less is asked of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.decision import Decision
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation
from cryoverdict.engine.judge import Judge

NAME = "threshold-of-run"
# However poor a run, a class that is junk by ten to one is not kept for it.
LOWEST_THRESHOLD = 0.15


def run_threshold(log_odds: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the probability from which a class of this run is kept, at most one half.

    The selection with the highest expected F1 (harmonic mean of the share of good particles that
    are kept and the share of kept ones that are good) keeps what is more probable than half of
    that F1 (Lipton, Elkan and Naryanaswamy, ECML 2014). ``weights`` are the classes' particles.
    """
    p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -50.0, 50.0)))
    good = weights * p
    if not good.sum() > 0:
        return 0.5
    order = np.argsort(-p, kind="stable")
    found = np.cumsum(good[order])
    scores = 2.0 * found / (np.cumsum(weights[order]) + good.sum())
    return float(np.clip(scores.max() / 2.0, LOWEST_THRESHOLD, 0.5))


def shift_of(threshold: float) -> float:
    """Return what to add to log-odds so that 0 is at a threshold."""
    return float(np.log((1.0 - threshold) / threshold))


def adapted_judge(judge: Judge, shift: float) -> Judge:
    """Return the judge with its starting point moved, so that all it does agrees."""
    favourable = judge.model.favourable
    moved = replace(favourable, intercept=favourable.intercept + shift)
    return replace(judge, model=replace(judge.model, favourable=moved))


def told_apart(decisions: Iterable[Decision], judge: Judge, threshold: float) -> Iterator[Decision]:
    """Yield decisions of an adapted judge with the shift as evidence of its own.

    The sum stays; prior and model digest are again those of the model as it ships.
    """
    shift = shift_of(threshold)
    text = (
        f"In this run a class is kept from a probability of {threshold:.0%}: there the expected "
        "balance of good particles kept and junk kept is best."
    )
    for decision in decisions:
        if not shift:
            yield decision
            continue
        old = decision.explanation
        moved = Evidence(source="model", name=NAME, log_odds=shift, text=text, value=threshold)
        yield replace(
            decision,
            explanation=Explanation(
                prior_log_odds=old.prior_log_odds - shift,
                evidence=(*old.evidence, moved),
                gates=old.gates,
                could_not_say=old.could_not_say,
            ),
            digests={**decision.digests, "model": judge.model.digest},
        )
