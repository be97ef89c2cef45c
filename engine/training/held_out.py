"""What judges say of data sets that had no part in their training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cryoverdict.engine.explanation import GATE_LOG_ODDS
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.parallel import each
from cryoverdict.engine.training.labelled_set import LabelledSet
from cryoverdict.engine.training.quality import Scores
from cryoverdict.engine.training.training import Parts, rules_sum, train_favourable, train_kind
from cryoverdict.rules.effect import Reject
from cryoverdict.rules.rule_set import RuleSet

CTF_FEATURE = "ctf_resolution_a"
# The cut that RELION's schemes use, in Å.
CTF_CUT_A = 6.0
RULES_ALONE = "rules alone"
CTF_ALONE = "CTF resolution alone"
WITHOUT_RULES = "model without rules"
EMBEDDING_ALONE = "embedding alone"
# The whole judge, but each subject comes by itself, without the session that it is compared with.
ONE_BY_ONE = "one by one"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fold:
    """One part of the work: ``held`` sets to judge by models fitted on those ``inside``.

    ``held`` gives their numbers among all sets.
    """

    kind: DecisionKind
    rules: RuleSet
    inside: tuple[LabelledSet, ...]
    held: dict[int, LabelledSet]
    recipe: Recipe


# By the number of a set: the scores of each target, and of each simpler judge that learns.
_Judged = dict[int, tuple[dict[str, Scores], dict[str, Scores]]]


def held_out_scores(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    folds: int,
    recipe: Recipe,
    threads: int = 1,
    done: Callable[[object], None] = lambda _: None,
) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Return the log-odds of each target, and of each simpler judge, for sets left out in turn.

    The rows are those of the sets, in order. With as many folds as groups it is
    leave-one-data-set-out. The simpler judges that learn learn from the same folds.
    """
    groups = sorted({s.name for s in sets})
    fold_of = {name: i % folds for i, name in enumerate(groups)}
    ends = np.cumsum([0, *(len(s.table.subjects) for s in sets)])
    scores: dict[str, Scores] = {}
    simpler: dict[str, Scores] = {}

    def note(where: dict[str, Scores], name: str, i: int, values: Scores) -> None:
        where.setdefault(name, np.full(ends[-1], np.nan))[ends[i] : ends[i + 1]] = values

    parts = [
        _Fold(
            kind=kind,
            rules=rules,
            inside=tuple(s for s in sets if fold_of[s.name] != fold),
            held={i: s for i, s in enumerate(sets) if fold_of[s.name] == fold},
            recipe=recipe,
        )
        for fold in range(min(folds, len(groups)))
    ]
    for judged in each(_judged, parts, threads=threads):
        for i, (targets, others) in judged.items():
            for name, values in targets.items():
                note(scores, name, i, values)
            for name, values in others.items():
                note(simpler, name, i, values)
        done(judged)
    simpler |= fixed_judges(rules, sets)
    return scores, simpler


def _judged(fold: _Fold) -> _Judged:
    """Fit without the sets of one fold and judge them."""
    kind, rules, recipe = fold.kind, fold.rules, fold.recipe
    model = train_kind(kind, rules, fold.inside, recipe=recipe, card={}, limits=True)
    others = {WITHOUT_RULES: Parts(rules=False, company=recipe.company)}
    if model.basis is not None:
        others[EMBEDDING_ALONE] = Parts(rules=False, measurements=False)
    bare = {
        name: train_favourable(kind, rules, fold.inside, recipe=recipe, parts=parts).favourable_odds
        for name, parts in others.items()
    }
    return {
        i: (
            target_log_odds(model, rules, held),
            {name: odds(held.table) for name, odds in bare.items()}
            | {ONE_BY_ONE: _one_by_one(model, rules, held)},
        )
        for i, held in fold.held.items()
    }


def _one_by_one(model: KindModel, rules: RuleSet, labelled: LabelledSet) -> Scores:
    """Return the log-odds of the favourable outcome of subjects that come one by one."""
    target = model.favourable.target
    return np.concatenate(
        [
            target_log_odds(model, rules, labelled.only(subject))[target]
            for subject in labelled.table.subjects
        ]
    )


def target_log_odds(model: KindModel, rules: RuleSet, labelled: LabelledSet) -> dict[str, Scores]:
    """Return the log-odds of the favourable outcome, the better grade and each defect.

    Gates count, as they do in a decision, and so does how far the data set is from all that the
    model learnt from.
    """
    values = model.values(labelled.table)
    said = model.favourable_odds(labelled.table)
    favourable = rules_sum(rules, [labelled], None) + model.trust(values)[1] * said
    gates = np.array([isinstance(r.effect, Reject) for r in rules.rules], dtype=bool)
    shut = (rules.answers(labelled.table)[gates] == 1).any(axis=0)
    gated = np.where(shut, np.minimum(favourable, GATE_LOG_ODDS), favourable)
    scores = {model.favourable.target: gated}
    if model.grade is not None:
        scores[model.grade.target] = model.grade.log_odds(values, np.zeros(len(values)))
    for name, defect in model.defects.items():
        scores[name] = defect.log_odds(values, rules_sum(rules, [labelled], name))
    return scores


def fixed_judges(rules: RuleSet, sets: Sequence[LabelledSet]) -> dict[str, Scores]:
    """Return what judges say that learn nothing: the rules, and a cut on the CTF's resolution.

    The CTF judge is the cut at 6 Å, as a score that falls with the resolution; where there is no
    CTF it does not know and scores 0.
    """
    resolution = np.concatenate([s.table.column(CTF_FEATURE) for s in sets])
    return {
        RULES_ALONE: rules_sum(rules, sets, None),
        CTF_ALONE: np.nan_to_num(CTF_CUT_A - resolution, nan=0.0),
    }
