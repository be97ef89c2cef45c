"""Fit the judge of class averages, and say how good it is on runs that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.held_out import target_log_odds
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.quality import Quality, Scores, quality
from cryoverdict.engine.training.training import (
    Parts,
    defect_truth,
    field_weights,
    grade_truth,
    rules_sum,
    train_favourable,
    train_kind,
)
from cryoverdict.rules.rule_loader import load_rules
from cryoverdict.rules.rule_set import RuleSet

# Stronger than for micrographs: the classes of a run are alike, so that rows count for less.
PRIOR_PRECISION, ROUNDS = 20.0, 120
SIMULATED = "simulated_"
WITHOUT_EMBEDDING = "model without embedding"
DEFECT_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEvaluation:
    """The quality of every target on runs left out, by presentation, and of simpler judges."""

    data: str
    targets: dict[str, Quality]
    presentations: dict[str, Quality]
    baselines: dict[str, Quality]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "data": self.data,
            "targets": {name: q.to_dict() for name, q in self.targets.items()},
            "presentations": {name: q.to_dict() for name, q in self.presentations.items()},
            "baselines": {name: q.to_dict() for name, q in self.baselines.items()},
        }

    def facts(self) -> dict[str, str]:
        """Return one line a judged target for a person to read."""
        lines = {**self.targets, **self.presentations, **self.baselines}
        return {"data": self.data} | {name: q.sentence() for name, q in lines.items()}


def train_classes(
    sets: Sequence[LabelledSet],
    output: Path,
    *,
    rule_layers: Sequence[Path],
    folds: int | None,
    seed: int,
    tick: Callable[[object], None],
) -> ClassEvaluation:
    """Write ``select-classes.json`` (fitted on all sets) and ``evaluation.json`` (runs left out).

    ``folds`` parts the runs are dealt into; ``None`` leaves out one run at a time.
    """
    output.mkdir(parents=True, exist_ok=True)
    kind = SELECT_CLASSES
    rules = load_rules(kind.id, rule_layers, features=kind.units())
    recipe = Recipe(prior_precision=PRIOR_PRECISION, rounds=ROUNDS, seed=seed)
    runs = len({s.name for s in sets})
    scores, learnt = _held_out(rules, sets, folds=folds or runs, recipe=recipe, done=tick)
    labels = [s.labels[subject] for s in sets for subject in s.table.subjects]
    weight = field_weights(labels)
    truths = {
        kind.favourable: _truth(labels, lambda x: x.favourable),
        kind.grades[0]: _truth(labels, grade_truth(kind.grades[0])),
        **{d: _truth(labels, defect_truth(d)) for d in kind.defects},
    }
    has, good = truths[kind.favourable]
    group = np.array([s.name for s in sets for _ in s.table.subjects])
    shown = np.array([_presentation(x) for s in sets for x in s.table.subjects])
    favourable = scores[kind.favourable]
    evaluation = ClassEvaluation(
        data=f"{runs} runs, {len(good)} class averages, each judged by models that had not seen it",
        targets={
            t: _judged(x, *truths[t], weight if t == kind.favourable else None, group)
            for t, x in scores.items()
        },
        presentations={
            f"{kind.favourable}, {p}": quality(
                favourable[shown == p], good[shown == p], weight[shown == p], group[shown == p]
            )
            for p in sorted(set(shown) - {""})
        },
        baselines={
            name: _judged(x, has, good, weight, group)
            for name, x in (learnt | _simpler(rules, sets)).items()
        },
    )
    model = train_kind(kind, rules, sets, recipe=recipe, card=_card(sets, evaluation, rules.digest))
    tick(model)
    model.write(output / f"{kind.id}.json")
    (output / "evaluation.json").write_text(
        json.dumps(evaluation.to_dict(), indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    return evaluation


def _presentation(subject: str) -> str:
    """Return how a simulated class was shown; nothing for an observed one."""
    parts = subject.split("/")
    return parts[1] if subject.startswith(SIMULATED) and len(parts) > 2 else ""


def _simpler(rules: RuleSet, sets: Sequence[LabelledSet]) -> dict[str, Scores]:
    """Return what simpler judges say: the rules alone, size alone, resolution alone.

    Resolution is scored as RELION's class ranker weighs it, the best of the run over a class's
    own, squared; where a run gives none the score is 0.
    """
    size = np.concatenate([s.table.column("population_ratio") for s in sets])
    ratio = np.concatenate([s.table.column("resolution_ratio") for s in sets])
    return {
        "rules alone": rules_sum(rules, sets, None),
        "population alone": np.nan_to_num(np.log(np.maximum(size, 1e-3) / 0.5), nan=0.0),
        "resolution alone": np.nan_to_num(1.0 / np.square(ratio) - 0.5, nan=0.0),
    }


def _held_out(
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    folds: int,
    recipe: Recipe,
    done: Callable[[object], None],
) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Return the log-odds of each target, and of each simpler judge that learns.

    All are by models that had not seen the run; NaN where there is no model.
    """
    groups = sorted({s.name for s in sets})
    ends = np.cumsum([0, *(len(s.table.subjects) for s in sets)])

    def judged(parts: int, fit: Callable[[Sequence[LabelledSet]], KindModel]) -> dict[str, Scores]:
        """Let models judge what they have not seen, the runs dealt into some parts."""
        scores: dict[str, Scores] = {}
        fold_of = {name: i % parts for i, name in enumerate(groups)}
        for fold in range(min(parts, len(groups))):
            model = fit([s for s in sets if fold_of[s.name] != fold])
            for i, held in enumerate(sets):
                if fold_of[held.name] != fold:
                    continue
                for target, values in target_log_odds(model, rules, held).items():
                    filled = scores.setdefault(target, np.full(ends[-1], np.nan))
                    filled[ends[i] : ends[i + 1]] = values
            done(fold)
        return scores

    def favourable(*, embedding: bool) -> dict[str, Scores]:
        """Judge the favourable outcome alone."""
        parts = Parts(embedding=embedding, company=recipe.company)
        return judged(
            folds,
            lambda seen: train_favourable(SELECT_CLASSES, rules, seen, recipe=recipe, parts=parts),
        )

    # Grades and defects are many models: five parts tell enough of them.
    scores = judged(
        min(folds, DEFECT_FOLDS),
        lambda seen: train_kind(SELECT_CLASSES, rules, seen, recipe=recipe, card={}),
    )
    if folds > DEFECT_FOLDS:
        scores |= favourable(embedding=True)
    if not any(s.table.embeddings for s in sets):
        return scores, {}
    bare = favourable(embedding=False)
    return scores, {WITHOUT_EMBEDDING: bare[SELECT_CLASSES.favourable]}


def _truth(
    labels: Sequence[Label], known: Callable[[Label], bool | None]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows have a truth, and that truth for those rows."""
    answers = [known(label) for label in labels]
    has = np.array([a is not None for a in answers])
    return has, np.array([bool(a) for a in answers])[has]


def _judged(
    scores: Scores,
    has: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    weight: Scores | None,
    group: NDArray[np.str_],
) -> Quality:
    """Return the quality on the rows that have a truth, and a model that could be fitted."""
    found = np.isfinite(scores[has])
    counted = None if weight is None else weight[has][found]
    return quality(scores[has][found], truth[found], counted, group[has][found])


def _card(sets: Sequence[LabelledSet], evaluation: ClassEvaluation, rules: str) -> dict[str, Any]:
    """Return what a reader must know of the model: what it learnt from, how good, its limits."""
    names = sorted({s.name for s in sets})
    simulated = [n for n in names if n.startswith(SIMULATED)]
    rows = sum(len(s.table.subjects) for s in sets)
    return {
        "kind": SELECT_CLASSES.id,
        "learnt_from": (
            f"The model was fitted on {rows} class averages of {len(names)} runs: {len(simulated)} "
            f"simulated and classified here, {len(names) - len(simulated)} observed."
        ),
        "limits": (
            "Simulated particles are not real ones, and the classes are those of the embedded "
            "classifier: where a real run differs, decisions are flagged for review."
            if simulated
            else "The labels are one site's own."
        ),
        "data_sets": names,
        "feature_tables": sorted(s.table.digest for s in sets),
        "rules": rules,
        "evaluation": evaluation.to_dict(),
    }
