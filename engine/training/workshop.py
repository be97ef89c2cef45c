"""Train a kind's models on labelled sets and write them down with their evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.evaluation import (
    Quality,
    Scores,
    baselines,
    held_out_log_odds,
    quality,
    truth_of,
)
from cryoverdict.engine.training.labelled_set import LabelledSet
from cryoverdict.engine.training.training import (
    defect_truth,
    field_weights,
    grade_truth,
    train_kind,
)
from cryoverdict.rules.rule_loader import load_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The quality of every target on data sets left out, and of simpler judges beside it."""

    data: str
    targets: dict[str, Quality]
    baselines: dict[str, Quality]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "data": self.data,
            "targets": {name: q.to_dict() for name, q in self.targets.items()},
            "baselines": {name: q.to_dict() for name, q in self.baselines.items()},
        }

    def facts(self) -> dict[str, str]:
        """Return one line a target for a person to read."""
        return {"data": self.data} | {
            name: (
                f"AUC {q.auc[0]:.3f} ({q.auc[1]:.3f} to {q.auc[2]:.3f}), "
                f"right {q.accuracy[0]:.3f}, "
                f"calibration error {q.calibration_error:.3f}, n {q.rows}"
            )
            for name, q in (self.targets | self.baselines).items()
        }


def train_and_evaluate(
    kind: DecisionKind,
    sets: Sequence[LabelledSet],
    output: Path,
    *,
    rule_layers: Sequence[Path],
    folds: int,
    seed: int,
    tick: Callable[[object], None],
) -> Evaluation:
    """Write ``KIND.json`` (fitted on all sets) and ``evaluation.json`` (by data sets left out)."""
    output.mkdir(parents=True, exist_ok=True)
    rules = load_rules(kind.id, rule_layers, features=kind.units())
    recipe = Recipe(seed=seed)
    scores = held_out_log_odds(kind, rules, sets, folds=folds, recipe=recipe, done=tick)
    truths = {
        kind.favourable: truth_of(sets, lambda x: x.favourable),
        kind.grades[0]: truth_of(sets, grade_truth(kind.grades[0])),
        **{d: truth_of(sets, defect_truth(d)) for d in kind.defects},
    }
    has, good = truths[kind.favourable]
    labels = [s.labels[subject] for s in sets for subject in s.table.subjects]
    weight = {kind.favourable: field_weights(labels)}
    groups = len({s.name for s in sets})
    evaluation = Evaluation(
        data=f"{groups} data sets, {len(good)} rows, each judged by models that had not seen it",
        targets={t: _judged(x, *truths[t], weight.get(t)) for t, x in scores.items()},
        baselines={
            n: _judged(x, has, good, weight[kind.favourable])
            for n, x in baselines(rules, sets).items()
        },
    )
    model = train_kind(
        kind, rules, sets, recipe=recipe, card=card(kind, sets, evaluation, rules.digest)
    )
    tick(model)
    model.write(output / f"{kind.id}.json")
    (output / "evaluation.json").write_text(
        json.dumps(evaluation.to_dict(), indent=1, sort_keys=True) + "\n"
    )
    return evaluation


def _judged(
    scores: Scores, has: NDArray[np.bool_], truth: NDArray[np.bool_], weight: Scores | None
) -> Quality:
    """Return the quality on the rows that have a truth, and a model that could be fitted."""
    found = np.isfinite(scores[has])
    counted = None if weight is None else weight[has][found]
    return quality(scores[has][found], truth[found], counted)


def card(
    kind: DecisionKind, sets: Sequence[LabelledSet], evaluation: Evaluation, rules: str
) -> dict[str, Any]:
    """Return what a reader must know of a model: what it learnt from, how good, its limits."""
    names = sorted({s.name for s in sets})
    simulated = [n for n in names if n.startswith("simulated_")]
    observed = len(names) - len(simulated)
    rows = sum(len(s.table.subjects) for s in sets)
    return {
        "kind": kind.id,
        "learnt_from": (
            f"The model was fitted on {rows} rows of {len(names)} data sets: {len(simulated)} "
            f"simulated, {observed} observed."
        ),
        "limits": (
            "Simulated sessions are not real ones: where a real data set differs from all of them, "
            "decisions are flagged for review."
            if simulated
            else "The labels are one site's own."
        ),
        "data_sets": names,
        "feature_tables": sorted(s.table.digest for s in sets),
        "rules": rules,
        "evaluation": evaluation.to_dict(),
    }
