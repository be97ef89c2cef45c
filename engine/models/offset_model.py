"""Rules, GLM and trees stacked into one calibrated probability that stays a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.models.offset_glm import OffsetGlm
from cryoverdict.engine.models.offset_trees import OffsetTrees
from cryoverdict.engine.models.standardisation import Standardisation

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Rows to learn from: ``values`` ``(rows, features)`` with NaN where absent.

    ``target`` is 0 or 1, ``offset`` the rules' sum in log-odds, ``data_set`` the group that may
    never stand on both sides of a split, ``weight`` how much a row counts.
    """

    values: NDArray[np.float64]
    target: NDArray[np.float64]
    offset: NDArray[np.float64]
    data_set: NDArray[np.str_]
    weight: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.bool_]) -> TrainingData:
        """Return some of the rows."""
        return TrainingData(
            values=self.values[chosen],
            target=self.target[chosen],
            offset=self.offset[chosen],
            data_set=self.data_set[chosen],
            weight=self.weight[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a fit: ``rounds`` and ``depth`` are those of the trees.

    With ``company`` a subject is compared with its data set, too. Its place there has no better
    end, whatever the value has: far above all others is as odd as far below.
    """

    prior_precision: float = 4.0
    rounds: int = 150
    depth: int = 3
    seed: int = 0
    company: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "prior_precision": self.prior_precision,
            "rounds": self.rounds,
            "depth": self.depth,
            "seed": self.seed,
            "company": self.company,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Recipe:
        """Return what `to_dict` wrote; what it lacks is as usual."""
        return cls(**{k: v for k, v in record.items() if k in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The two fitted models before they are stacked."""

    standardisation: Standardisation
    glm: OffsetGlm
    trees: OffsetTrees

    @classmethod
    def fit(cls, data: TrainingData, monotone: Sequence[int], recipe: Recipe) -> Members:
        """Fit the GLM on the rules' sum, and the trees on what both then say."""
        standardisation = Standardisation.of(data.values)
        z = standardisation.apply(data.values)
        glm = OffsetGlm.fit_signed(
            z,
            data.target,
            data.offset,
            data.weight,
            prior_precision=recipe.prior_precision,
            monotone=monotone,
        )
        told = data.offset + glm.intercept + glm.terms(z).sum(axis=1)
        trees = OffsetTrees.fit(
            data.values,
            data.target,
            told,
            data.weight,
            monotone=monotone,
            rounds=recipe.rounds,
            depth=recipe.depth,
            seed=recipe.seed,
        )
        return cls(standardisation=standardisation, glm=glm, trees=trees)

    def terms(
        self, values: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], float, NDArray[np.float64]]:
        """Return intercept and contributions of the GLM, then of the trees."""
        glm_terms = self.glm.terms(self.standardisation.apply(values))
        return self.glm.intercept, glm_terms, *self.trees.terms(values)

    def margins(
        self, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what GLM and trees say of each row: the sums of `terms`, found faster."""
        told = self.glm.intercept + self.standardisation.apply(values) @ self.glm.coefficients
        return told, self.trees.margin(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetModel:
    """A calibrated probability of one target, as prior + rules' sum + one term a feature.

    ``glm_weight`` and ``tree_weight`` stack the members and calibrate them at once: they are
    fitted, with the rules' sum as offset, on margins of data sets that the members had not seen
    (Platt 1999; Wolpert 1992). The rules' own log-odds pass through unchanged.
    """

    target: str
    features: tuple[str, ...]
    members: Members
    intercept: float
    glm_weight: float
    tree_weight: float

    @classmethod
    def fit(
        cls,
        target: str,
        features: Sequence[str],
        data: TrainingData,
        *,
        monotone: Sequence[int],
        recipe: Recipe,
    ) -> OffsetModel:
        """Fit members on all data, and their stack on data sets held out in turn.

        Raises `EngineError` where one outcome is missing or there is only one data set.
        """
        if len(np.unique(data.data_set)) < 2 or len(np.unique(data.target)) < 2:
            msg = f"model {target}: needs both outcomes and at least two data sets to learn from"
            raise EngineError(msg)
        margins = held_out_margins(data, monotone, recipe)
        intercept, glm_weight, tree_weight = _stack(data, margins)
        return cls(
            target=target,
            features=tuple(features),
            members=Members.fit(data, monotone, recipe),
            intercept=intercept,
            glm_weight=glm_weight,
            tree_weight=tree_weight,
        )

    def terms(self, values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the prior and each feature's contribution ``(rows, features)`` in log-odds."""
        glm_prior, glm_terms, tree_prior, tree_terms = self.members.terms(values)
        prior = self.intercept + self.glm_weight * glm_prior + self.tree_weight * tree_prior
        return prior, self.glm_weight * glm_terms + self.tree_weight * tree_terms

    def log_odds(
        self, values: NDArray[np.float64], offset: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the log-odds of the target for each row."""
        glm, trees = self.members.margins(values)
        total: NDArray[np.float64] = (
            self.intercept + offset + self.glm_weight * glm + self.tree_weight * trees
        )
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "target": self.target,
            "features": list(self.features),
            "standardisation": self.members.standardisation.to_dict(),
            "glm": self.members.glm.to_dict(),
            "trees": self.members.trees.to_dict(),
            "intercept": self.intercept,
            "glm_weight": self.glm_weight,
            "tree_weight": self.tree_weight,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> OffsetModel:
        """Return what `to_dict` wrote."""
        return cls(
            target=record["target"],
            features=tuple(record["features"]),
            members=Members(
                standardisation=Standardisation.from_dict(record["standardisation"]),
                glm=OffsetGlm.from_dict(record["glm"]),
                trees=OffsetTrees.from_dict(record["trees"]),
            ),
            intercept=record["intercept"],
            glm_weight=record["glm_weight"],
            tree_weight=record["tree_weight"],
        )


def held_out_margins(
    data: TrainingData, monotone: Sequence[int], recipe: Recipe
) -> NDArray[np.float64]:
    """Return ``(rows, 2)``: what GLM and trees say of data sets they were not fitted on."""
    sets = np.unique(data.data_set)
    fold_of = {s: i % FOLDS for i, s in enumerate(sets)}
    fold = np.array([fold_of[s] for s in data.data_set])
    margins = np.zeros((len(fold), 2))
    for k in np.unique(fold):
        inside = data.rows(fold != k)
        if len(np.unique(inside.target)) < 2:
            continue
        members = Members.fit(inside, monotone, recipe)
        glm_prior, glm_terms, tree_prior, tree_terms = members.terms(data.values[fold == k])
        margins[fold == k, 0] = glm_prior + glm_terms.sum(axis=1)
        margins[fold == k, 1] = tree_prior + tree_terms.sum(axis=1)
    return margins


def _stack(data: TrainingData, margins: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return intercept and the two non-negative weights of the stack."""
    weights = np.zeros(2)
    used = np.array([True, True])
    while True:
        fit = OffsetGlm.fit_quickly(
            margins[:, used], data.target, data.offset, data.weight, prior_precision=1e-2
        )
        weights[:] = 0.0
        weights[used] = fit.coefficients
        if (weights >= 0.0).all():
            return fit.intercept, float(weights[0]), float(weights[1])
        # A member that speaks against itself on unseen data is left out.
        used &= weights > 0.0
