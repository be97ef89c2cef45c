"""Fit the models of one kind of decision on labelled sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.belief import GATE_POINTS
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.company import (
    company_of,
    compared,
    put_beside,
    taken_alone,
    uncompared,
)
from cryoverdict.engine.models.embedding_basis import EmbeddingBasis, is_component
from cryoverdict.engine.models.kind_model import KindModel, values_of
from cryoverdict.engine.models.novelty import Novelty
from cryoverdict.engine.models.offset_model import OffsetModel, Recipe, TrainingData
from cryoverdict.engine.models.standardisation import Standardisation
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.visible_truth import HIDDEN_IN_PICTURES
from cryoverdict.features.class_embedding import installed_class_network
from cryoverdict.features.embedding import installed_network
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.rule_set import RuleSet

MONOTONE = {"higher": 1, "lower": -1, "neither": 0}
# A subject is strange when it lies outside the training range more than this share of training.
STRANGER_THAN = 0.995
# The share of good micrographs that a judgement starts from: even, as in the sets that experts
# label for training (51 %, Li et al. 2020); reported sessions are better (79 to 96 %).
GOOD_SHARE = 0.5
# One row in so many learns without its embedding, so that trees know what to do where none is.
WITHOUT_EMBEDDING = 12
# One data set in so many is learnt from as if each of its subjects had come alone, for some will.
WITHOUT_COMPANY = 6
# A defect is of moderate strength from where it alone spoils a micrograph up to this severity.
STRONG_FROM = 0.75
# A direction has no middle: the place of an angle in its data set means nothing.
UNCOMPARED = "_deg"
# A grade or defect with fewer examples than this, for or against, gets no model.
FEWEST_EXAMPLES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a model may use: the rules' sum, the measurements, the embedding, the company."""

    rules: bool = True
    measurements: bool = True
    embedding: bool = True
    company: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """All rows of some labelled sets, as models take them."""

    basis: EmbeddingBasis | None
    names: tuple[str, ...]
    monotone: tuple[int, ...]
    values: NDArray[np.float64]
    labels: tuple[Label, ...]
    data_set: NDArray[np.str_]

    @classmethod
    def of(cls, kind: DecisionKind, sets: Sequence[LabelledSet], parts: Parts) -> _Material:
        """Gather the rows of ``sets``."""
        features = kind.features()
        measured = tuple(f.name for f in features)
        basis = _basis(sets) if parts.embedding else None
        seen = basis.names if basis else ()
        alone = (measured if parts.measurements else ()) + seen
        beside = [n for n in alone if not n.endswith(UNCOMPARED)] if parts.company else []
        names = (*alone, *map(compared, beside))
        better = {f.name: MONOTONE[f.better] for f in features}
        # What the network takes for a fault may only speak against a subject.
        better |= dict.fromkeys(basis.answers if basis else (), -1)
        values = np.vstack([_values(s, measured, names, basis) for s in sets])
        if parts.measurements and seen:
            blind = [j for j, name in enumerate(names) if is_component(uncompared(name))]
            values[np.ix_(range(0, len(values), WITHOUT_EMBEDDING), blind)] = np.nan
        values = _some_alone(values, names, [len(s.table.subjects) for s in sets])
        return cls(
            basis=basis,
            names=names,
            monotone=tuple(better.get(name, 0) for name in names),
            values=values,
            labels=tuple(s.labels[subject] for s in sets for subject in s.table.subjects),
            data_set=np.array([s.name for s in sets for _ in s.table.subjects]),
        )

    def weights(self) -> NDArray[np.float64]:
        """Return how much each label counts."""
        return np.array([label.weight for label in self.labels])

    def learnable(self, truth: Callable[[Label], bool | None]) -> bool:
        """Say whether there are examples enough, both ways."""
        answers = [truth(label) for label in self.labels]
        return min(answers.count(True), answers.count(False)) >= FEWEST_EXAMPLES

    def fitted(
        self,
        target: str,
        truth: Callable[[Label], bool | None],
        offset: NDArray[np.float64],
        monotone: Sequence[int],
        weight: NDArray[np.float64],
        recipe: Recipe,
    ) -> OffsetModel:
        """Fit one target on the labels for which ``truth`` knows an answer."""
        known = [truth(label) for label in self.labels]
        data = TrainingData(
            values=self.values,
            target=np.array([bool(k) for k in known], dtype=np.float64),
            offset=offset,
            data_set=self.data_set,
            weight=weight,
        ).rows(np.array([k is not None for k in known]))
        return OffsetModel.fit(target, self.names, data, monotone=monotone, recipe=recipe)

    def favourable(
        self, kind: DecisionKind, offset: NDArray[np.float64], recipe: Recipe
    ) -> OffsetModel:
        """Fit the favourable outcome."""
        weight = self.weights() * field_weights(self.labels)
        truth: Callable[[Label], bool | None] = lambda label: label.favourable  # noqa: E731
        return self.fitted(kind.favourable, truth, offset, self.monotone, weight, recipe)

    def strangeness_limit(self) -> float:
        """Return the share of values outside the training range that is strange."""
        alone = taken_alone(self.values, self.names)
        strangeness = Standardisation.of(alone).strangeness(alone)
        return float(np.quantile(strangeness, STRANGER_THAN))


def train_kind(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    recipe: Recipe,
    card: Mapping[str, Any],
    limits: bool = False,
) -> KindModel:
    """Fit the favourable outcome, the better grade and each defect.

    With ``limits`` the model also learns how unlike a data set may be to those it learnt from.

    Each model has the sum of the rules that speak of its target as offset, and learns the rest.
    The same sets give the same bytes, however many threads the machine's libraries would use.
    """
    with one_thread():
        material = _Material.of(kind, sets, Parts(company=recipe.company))
        plain, free = material.weights(), [0] * len(material.names)
        better = grade_truth(kind.grades[0])
        nothing = np.zeros(len(plain))
        truths = {d: defect_truth(d) for d in kind.defects}
        favourable = material.favourable(kind, rules_sum(rules, sets, None), recipe)
        return KindModel(
            kind=kind.id,
            favourable=favourable,
            grade=material.fitted(kind.grades[0], better, nothing, material.monotone, plain, recipe)
            if material.learnable(better)
            else None,
            defects={
                d: material.fitted(d, truth, rules_sum(rules, sets, d), free, plain, recipe)
                for d, truth in truths.items()
                if material.learnable(truth)
            },
            strangeness_limit=material.strangeness_limit(),
            card=card,
            basis=material.basis,
            novelty=Novelty.of(
                favourable.members.standardisation,
                taken_alone(material.values, material.names),
                material.data_set,
            )
            if limits
            else None,
        )


def train_favourable(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    *,
    recipe: Recipe,
    parts: Parts,
) -> KindModel:
    """Fit the favourable outcome alone, from some parts of what is known: a judge to compare with.

    Raises `EngineError` where the parts leave nothing to learn from.
    """
    with one_thread():
        material = _Material.of(kind, sets, parts)
        if not material.names:
            msg = "there are no embeddings to learn from; measure the sets with a network installed"
            raise EngineError(msg)
        offset = rules_sum(rules, sets, None)
        return KindModel(
            kind=kind.id,
            favourable=material.favourable(kind, offset * float(parts.rules), recipe),
            grade=None,
            defects={},
            strangeness_limit=1.0,
            card={},
            basis=material.basis,
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the numerical libraries to one thread: sums of floats depend on how they are split."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _basis(sets: Sequence[LabelledSet]) -> EmbeddingBasis | None:
    """Return the basis of the embeddings that most subjects have; ``None`` where none has any."""
    seen: Counter[str] = Counter()
    for labelled in sets:
        for network, rows in labelled.table.embeddings.items():
            seen[network] += int((~np.isnan(rows).any(axis=1)).sum())
    if not seen:
        return None
    network = min(seen, key=lambda name: (-seen[name], name))
    vectors = [s.table.embeddings[network] for s in sets if network in s.table.embeddings]
    answers = {}
    for installed in (installed_network(), installed_class_network()):
        if installed is not None and installed.name == network:
            # What the network was never asked about pictures means nothing there.
            told = installed.answers.items()
            answers = {name: along for name, along in told if name not in HIDDEN_IN_PICTURES}
    return EmbeddingBasis.of(network, np.vstack(vectors), answers)


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


def _values(
    labelled: LabelledSet,
    measured: Sequence[str],
    names: Sequence[str],
    basis: EmbeddingBasis | None,
) -> NDArray[np.float64]:
    """Return one set's rows as models take them; raises `EngineError` for other measurements.

    Models must not be fitted on a table that an older version measured.
    """
    if labelled.table.features != tuple(measured):
        odd = sorted(set(labelled.table.features) ^ set(measured)) or ["the order"]
        msg = (
            f"labelled set {labelled.name}: its features are not today's ({odd[0]} differs); "
            "measure it anew"
        )
        raise EngineError(msg)
    values = values_of(labelled.table, names, basis)
    return put_beside(values, names, company_of(values, names))


def _some_alone(
    values: NDArray[np.float64], names: Sequence[str], sizes: Sequence[int]
) -> NDArray[np.float64]:
    """Return the rows of sets of some sizes, one set in `WITHOUT_COMPANY` without its company."""
    number = np.repeat(np.arange(len(sizes)), sizes)
    lonely = number % WITHOUT_COMPANY == WITHOUT_COMPANY - 1
    return np.where(lonely[:, None], taken_alone(values, names), values)


def grade_truth(best: str) -> Callable[[Label], bool | None]:
    """Return the truth about the better grade; ``None`` where a label has no grade."""
    return lambda label: (
        None if label.grade is None or not label.favourable else label.grade == best
    )


def moderate_truth(defect: str) -> Callable[[Label], bool | None]:
    """Return the truth about one defect of moderate strength; ``None`` of a stronger one."""
    known = defect_truth(defect)
    return lambda label: None if label.severities.get(defect, 0.0) >= STRONG_FROM else known(label)


def defect_truth(defect: str) -> Callable[[Label], bool | None]:
    """Return the truth about one defect; ``None`` where the label is in doubt about it."""
    return lambda label: None if defect in label.doubtful else defect in label.defects
