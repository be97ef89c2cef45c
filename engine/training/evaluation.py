"""How good a kind's models are on data sets they have not seen, beside simpler judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import rules_sum, train_kind
from cryoverdict.rules.effect import Reject
from cryoverdict.rules.rule_set import RuleSet

Scores = NDArray[np.float64]
BINS = 10
BOOTSTRAPS = 200
CTF_CUT = "ctf_resolution_a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well log-odds agree with the truth, each number with its 95 % bootstrap interval."""

    rows: int
    accuracy: tuple[float, float, float]
    auc: tuple[float, float, float]
    calibration_error: float
    good_kept_at_95_rejected: float

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "rows": self.rows,
            "accuracy": [round(v, 4) for v in self.accuracy],
            "auc": [round(v, 4) for v in self.auc],
            "calibration_error": round(self.calibration_error, 4),
            "good_kept_at_95_rejected": round(self.good_kept_at_95_rejected, 4),
        }


def held_out_log_odds(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    folds: int,
    recipe: Recipe,
    done: Callable[[object], None] = lambda _: None,
) -> dict[str, Scores]:
    """Return for each target the log-odds that models give data sets left out of their training.

    The rows are those of the sets, in order. With as many folds as groups it is
    leave-one-data-set-out. Gates count, as they do in a decision.
    """
    groups = sorted({s.name for s in sets})
    fold_of = {name: i % folds for i, name in enumerate(groups)}
    rows = [len(s.table.subjects) for s in sets]
    ends = np.cumsum([0, *rows])
    scores: dict[str, Scores] = {}
    for fold in range(min(folds, len(groups))):
        inside = [s for s in sets if fold_of[s.name] != fold]
        model = train_kind(kind, rules, inside, recipe=recipe, card={})
        for i, held in enumerate(sets):
            if fold_of[held.name] != fold:
                continue
            for target, values in target_log_odds(model, rules, held).items():
                scores.setdefault(target, np.full(ends[-1], np.nan))[ends[i] : ends[i + 1]] = values
        done(fold)
    return scores


def target_log_odds(model: KindModel, rules: RuleSet, labelled: LabelledSet) -> dict[str, Scores]:
    """Return the log-odds of the favourable outcome, the better grade and each defect."""
    values = model.values(labelled.table)
    favourable = model.favourable.log_odds(values, rules_sum(rules, [labelled], None))
    gates = np.array([isinstance(r.effect, Reject) for r in rules.rules], dtype=bool)
    shut = (rules.answers(labelled.table)[gates] == 1).any(axis=0)
    scores = {model.favourable.target: np.where(shut, np.minimum(favourable, -6.0), favourable)}
    if model.grade is not None:
        scores[model.grade.target] = model.grade.log_odds(values, np.zeros(len(values)))
    for name, defect in model.defects.items():
        scores[name] = defect.log_odds(values, rules_sum(rules, [labelled], name))
    return scores


def baselines(rules: RuleSet, sets: Sequence[LabelledSet]) -> dict[str, Scores]:
    """Return what simpler judges say: the rules alone, and a cut on the CTF's resolution alone.

    The CTF judge is the cut at 6 Å that RELION's schemes use, as a score that falls with the
    resolution; where there is no CTF it does not know and scores 0.
    """
    resolution = np.concatenate([s.table.column(CTF_CUT) for s in sets])
    return {
        "rules alone": rules_sum(rules, sets, None),
        "CTF resolution alone": np.nan_to_num(6.0 - resolution, nan=0.0),
    }


def quality(
    log_odds: Scores, truth: NDArray[np.bool_], weight: Scores | None = None, *, seed: int = 0
) -> Quality:
    """Return how good ``log_odds`` are; the bootstrap draws rows.

    ``weight`` says how much a row counts for accuracy and calibration, all the same by default.
    """
    weights = np.ones(len(truth)) if weight is None else weight
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(truth), len(truth)) for _ in range(BOOTSTRAPS)]
    draws = [d for d in draws if 0 < truth[d].sum() < len(d)]

    def spread(of: Callable[[NDArray[np.intp]], float]) -> tuple[float, float, float]:
        """Return a number over all rows and its 95 % interval over the draws."""
        drawn = [of(d) for d in draws]
        low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
        return of(np.arange(len(truth))), float(low), float(high)

    return Quality(
        rows=len(truth),
        accuracy=spread(
            lambda d: float(np.average((log_odds[d] >= 0) == truth[d], weights=weights[d]))
        ),
        auc=spread(lambda d: area_under_roc(log_odds[d], truth[d])),
        calibration_error=calibration_error(log_odds, truth, weights),
        good_kept_at_95_rejected=recall_at_rejection(log_odds, truth, 0.95),
    )


def area_under_roc(score: Scores, truth: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve (Mann–Whitney), ties counted half."""
    from scipy.stats import rankdata

    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration_error(log_odds: Scores, truth: NDArray[np.bool_], weight: Scores) -> float:
    """Return the expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500, 500)))
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    error = 0.0
    for b in np.unique(which):
        inside = which == b
        predicted = float(np.average(p[inside], weights=weight[inside]))
        seen = float(np.average(truth[inside], weights=weight[inside]))
        error += float(weight[inside].sum() / weight.sum()) * abs(predicted - seen)
    return error


def recall_at_rejection(log_odds: Scores, truth: NDArray[np.bool_], rejected: float) -> float:
    """Return the share of good rows kept by the threshold that rejects ``rejected`` of the bad."""
    if truth.all() or not truth.any():
        return float("nan")
    threshold = np.quantile(log_odds[~truth], rejected)
    return float((log_odds[truth] > threshold).mean())


def truth_of(
    sets: Sequence[LabelledSet], known: Callable[[Label], bool | None]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows have a truth, and that truth for those rows."""
    answers = [known(s.labels[subject]) for s in sets for subject in s.table.subjects]
    has = np.array([a is not None for a in answers])
    return has, np.array([bool(a) for a in answers])[has]
