"""A judge that follows the run: its threshold, and what is known of its particles already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.decision import Decision
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation
from cryoverdict.engine.judge import Judge

THRESHOLD, PASSED = "threshold-of-run", "passed-before"
# However poor a run, a class that is junk by ten to one is not kept for it.
LOWEST_THRESHOLD = 0.15
# No selection is surer than this of what it kept.
HIGHEST_SHARE = 0.95


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


def threshold_evidence(threshold: float) -> Evidence | None:
    """Return what to add to log-odds so that 0 is at a threshold; nothing at one half."""
    if threshold == 0.5:
        return None
    return Evidence(
        source="model",
        name=THRESHOLD,
        log_odds=float(np.log((1.0 - threshold) / threshold)),
        text=(
            f"In this run a class is kept from a probability of {threshold:.0%}: there the "
            "expected balance of good particles kept and junk kept is best."
        ),
        value=threshold,
    )


def passed_evidence(share: float) -> Evidence:
    """Return what it says that particles were kept before, a ``share`` of them good as expected.

    The judge is fitted for classes of which half are good (`training.GOOD_SHARE`); among particles
    that passed a selection the odds are those of the share (Saerens, Latinne and Decaestecker 2002,
    Neural Computation 14:21).
    """
    known = float(np.clip(share, 0.5, HIGHEST_SHARE))
    return Evidence(
        source="model",
        name=PASSED,
        log_odds=float(np.log(known / (1.0 - known))),
        text=(
            f"Its particles were kept by the selection before, which expects {known:.0%} of them "
            "to be good."
        ),
        value=known,
    )


def adapted_judge(judge: Judge, shift: float) -> Judge:
    """Return the judge with its starting point moved, so that all it does agrees."""
    favourable = judge.model.favourable
    moved = replace(favourable, intercept=favourable.intercept + shift)
    return replace(judge, model=replace(judge.model, favourable=moved))


def told_apart(
    decisions: Iterable[Decision], judge: Judge, shifts: Sequence[Evidence]
) -> Iterator[Decision]:
    """Yield decisions of an adapted judge with what moved it as evidence of its own.

    The sum stays; prior and model digest are again those of the model as it ships.
    """
    moved = sum(e.log_odds for e in shifts)
    for decision in decisions:
        if not shifts:
            yield decision
            continue
        old = decision.explanation
        yield replace(
            decision,
            explanation=Explanation(
                prior_log_odds=old.prior_log_odds - moved,
                evidence=(*old.evidence, *shifts),
                gates=old.gates,
                could_not_say=old.could_not_say,
            ),
            digests={**decision.digests, "model": judge.model.digest},
        )
