"""Fit the models of one kind of decision on labelled sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.belief import GATE_POINTS
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import OffsetModel, Recipe, TrainingData
from cryoverdict.engine.models.standardisation import Standardisation
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.rule_set import RuleSet

MONOTONE = {"higher": 1, "lower": -1, "neither": 0}
# A subject is strange when it lies outside the training range more than this share of training.
STRANGER_THAN = 0.995
# The share of good micrographs that a judgement starts from: even, as in the sets that experts
# label for training (51 %, Li et al. 2020); reported sessions are better (79 to 96 %).
GOOD_SHARE = 0.5
# A grade or defect with fewer examples than this, for or against, gets no model.
FEWEST_EXAMPLES = 12


def train_kind(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    recipe: Recipe,
    card: Mapping[str, Any],
) -> KindModel:
    """Fit the favourable outcome, the better grade and each defect.

    Each model has the sum of the rules that speak of its target as offset, and learns the rest.
    """
    features = kind.features()
    names = tuple(f.name for f in features)
    monotone = [MONOTONE[f.better] for f in features]
    free = [0] * len(names)
    values = np.vstack([_values(s, names) for s in sets])
    labels = [s.labels[subject] for s in sets for subject in s.table.subjects]
    data_set = np.array([s.name for s in sets for _ in s.table.subjects])

    def fitted(
        target: str,
        truth: Callable[[Label], bool | None],
        offset: NDArray[np.float64],
        constraint: Sequence[int],
        weight: NDArray[np.float64],
    ) -> OffsetModel:
        """Fit one target on the labels for which ``truth`` knows an answer."""
        known = [truth(label) for label in labels]
        data = TrainingData(
            values=values,
            target=np.array([bool(k) for k in known], dtype=np.float64),
            offset=offset,
            data_set=data_set,
            weight=weight,
        ).rows(np.array([k is not None for k in known]))
        return OffsetModel.fit(target, names, data, monotone=constraint, recipe=recipe)

    def learnable(truth: Callable[[Label], bool | None]) -> bool:
        """Say whether there are examples enough, both ways."""
        answers = [truth(label) for label in labels]
        return min(answers.count(True), answers.count(False)) >= FEWEST_EXAMPLES

    plain = np.array([label.weight for label in labels])
    better = grade_truth(kind.grades[0])
    none = np.zeros(len(labels))
    defects = {d: defect_truth(d) for d in kind.defects}
    return KindModel(
        kind=kind.id,
        favourable=fitted(
            kind.favourable,
            lambda x: x.favourable,
            rules_sum(rules, sets, None),
            monotone,
            plain * field_weights(labels),
        ),
        grade=fitted(kind.grades[0], better, none, monotone, plain) if learnable(better) else None,
        defects={
            d: fitted(d, truth, rules_sum(rules, sets, d), free, plain)
            for d, truth in defects.items()
            if learnable(truth)
        },
        strangeness_limit=float(
            np.quantile(Standardisation.of(values).strangeness(values), STRANGER_THAN)
        ),
        card=card,
    )


def field_weights(labels: Sequence[Label]) -> NDArray[np.float64]:
    """Return weights under which `GOOD_SHARE` of the labels are favourable, their mean being 1.

    Training sets may be rich in bad examples; a probability fitted on them as they are would carry
    that over to every session.
    """
    good = np.array([label.favourable for label in labels])
    share = float(np.clip(good.mean(), 1e-6, 1.0 - 1e-6))
    return np.where(good, GOOD_SHARE / share, (1.0 - GOOD_SHARE) / (1.0 - share))


def rules_sum(
    rules: RuleSet, sets: Sequence[LabelledSet], defect: str | None
) -> NDArray[np.float64]:
    """Return what the fired rules lend each subject: for its favourable outcome, or a defect.

    Gates decide apart from the models; towards a defect they count `GATE_POINTS`.
    """
    weights = []
    for rule in rules.rules:
        match rule.effect:
            case LogOdds(value) if defect is None:
                weights.append(value)
            case LogOdds(value) if defect in rule.points_to:
                weights.append(-value)
            case Reject() if defect is not None and defect in rule.points_to:
                weights.append(GATE_POINTS)
            case _:
                weights.append(0.0)
    fired = np.hstack([rules.answers(s.table) == 1 for s in sets])
    total: NDArray[np.float64] = np.array(weights) @ fired
    return total


def _values(labelled: LabelledSet, names: Sequence[str]) -> NDArray[np.float64]:
    """Return one set's measurements in the kind's order; raises `EngineError` for other features.

    Models must not be fitted on a table that an older version measured.
    """
    if labelled.table.features != tuple(names):
        odd = sorted(set(labelled.table.features) ^ set(names)) or ["the order"]
        msg = (
            f"labelled set {labelled.name}: its features are not today's ({odd[0]} differs); "
            "measure it anew"
        )
        raise EngineError(msg)
    return labelled.table.values


def grade_truth(best: str) -> Callable[[Label], bool | None]:
    """Return the truth about the better grade; ``None`` where a label has no grade."""
    return lambda label: (
        None if label.grade is None or not label.favourable else label.grade == best
    )


def defect_truth(defect: str) -> Callable[[Label], bool | None]:
    """Return the truth about one defect; ``None`` where the label is in doubt about it."""
    return lambda label: None if defect in label.doubtful else defect in label.defects
