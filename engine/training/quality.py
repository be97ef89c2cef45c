"""How well log-odds agree with the truth: accuracy, ROC, calibration, recall, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Interval = tuple[float, float, float]
BINS = 10
BOOTSTRAPS = 200
# With fewer data sets than this the bootstrap draws rows instead.
FEWEST_GROUPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """One bin of a reliability curve: the mean probability told, the share that came true."""

    told: float
    seen: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well log-odds agree with the truth, each number with its 95 % bootstrap interval.

    ``good_kept_at_95_rejected`` is the recall of good rows by the threshold that rejects 95 % of
    the bad ones.
    """

    rows: int
    good: int
    accuracy: Interval
    auc: Interval
    calibration_error: Interval
    good_kept_at_95_rejected: Interval
    reliability: tuple[Reliability, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form, without what could not be told."""
        told: dict[str, Any] = {"rows": self.rows, "good": self.good}
        for name in ("accuracy", "auc", "calibration_error", "good_kept_at_95_rejected"):
            value, low, high = getattr(self, name)
            told[name] = [None if np.isnan(v) else round(v, 4) for v in (value, low, high)]
        told["reliability"] = [
            {"told": round(b.told, 4), "seen": round(b.seen, 4), "rows": b.rows}
            for b in self.reliability
        ]
        return told

    def sentence(self) -> str:
        """Return one line for a person."""
        auc, low, high = self.auc
        area = "" if np.isnan(auc) else f"AUC {auc:.3f} ({low:.3f} to {high:.3f}), "
        right, low, high = self.accuracy
        return (
            f"{area}right {right:.3f} ({low:.3f} to {high:.3f}), "
            f"calibration error {self.calibration_error[0]:.3f}, n {self.rows}"
        )


def quality(
    log_odds: Scores,
    truth: NDArray[np.bool_],
    weight: Scores | None = None,
    group: NDArray[np.str_] | None = None,
    *,
    seed: int = 0,
) -> Quality:
    """Return how good ``log_odds`` are.

    ``weight`` says how much a row counts for accuracy and calibration, all the same by default.
    The bootstrap draws whole groups (data sets) where ``group`` tells at least eight apart.
    """
    weights = np.ones(len(truth)) if weight is None else weight
    draws = [d for d in _draws(len(truth), group, seed) if 0 < truth[d].sum() < len(d)]

    def spread(of: Callable[[NDArray[np.intp]], float]) -> Interval:
        """Return a number over all rows and its 95 % interval over the draws."""
        drawn = [of(d) for d in draws]
        low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
        return of(np.arange(len(truth))), float(low), float(high)

    return Quality(
        rows=len(truth),
        good=int(truth.sum()),
        accuracy=spread(
            lambda d: float(np.average((log_odds[d] >= 0) == truth[d], weights=weights[d]))
        ),
        auc=spread(lambda d: area_under_roc(log_odds[d], truth[d])),
        calibration_error=spread(lambda d: calibration_error(log_odds[d], truth[d], weights[d])),
        good_kept_at_95_rejected=spread(lambda d: recall_at_rejection(log_odds[d], truth[d], 0.95)),
        reliability=reliability_curve(log_odds, truth, weights),
    )


def _draws(rows: int, group: NDArray[np.str_] | None, seed: int) -> list[NDArray[np.intp]]:
    """Return the rows of each bootstrap draw."""
    rng = np.random.default_rng(seed)
    names = np.unique(group) if group is not None else np.zeros(0)
    if group is None or len(names) < FEWEST_GROUPS:
        return [rng.integers(0, rows, rows) for _ in range(BOOTSTRAPS)]
    members = [np.flatnonzero(group == name) for name in names]
    return [
        np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        for _ in range(BOOTSTRAPS)
    ]


def area_under_roc(score: Scores, truth: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve (Mann–Whitney), ties counted half."""
    from scipy.stats import rankdata

    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def reliability_curve(
    log_odds: Scores, truth: NDArray[np.bool_], weight: Scores
) -> tuple[Reliability, ...]:
    """Return the bins of equal width that have rows, from the least probable on."""
    p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500, 500)))
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    return tuple(
        Reliability(
            told=float(np.average(p[which == b], weights=weight[which == b])),
            seen=float(np.average(truth[which == b], weights=weight[which == b])),
            rows=int((which == b).sum()),
        )
        for b in np.unique(which)
    )


def calibration_error(log_odds: Scores, truth: NDArray[np.bool_], weight: Scores) -> float:
    """Return the expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500, 500)))
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    share = np.bincount(which, weight, BINS)
    told = np.bincount(which, weight * p, BINS)
    seen = np.bincount(which, weight * truth, BINS)
    return float(np.abs(told - seen).sum() / share.sum())


def recall_at_rejection(log_odds: Scores, truth: NDArray[np.bool_], rejected: float) -> float:
    """Return the share of good rows kept by the threshold that rejects ``rejected`` of the bad."""
    if truth.all() or not truth.any():
        return float("nan")
    threshold = np.quantile(log_odds[~truth], rejected)
    return float((log_odds[truth] > threshold).mean())
