"""Boosted trees that learn only what their offset does not already say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetTrees:
    """An XGBoost model whose base margin is what rules and GLM say together.

    Contributions are exact (TreeSHAP, Lundberg et al. 2020) and add up to the trees' margin.
    """

    booster: xgboost.Booster

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float64],
        target: NDArray[np.float64],
        offset: NDArray[np.float64],
        weight: NDArray[np.float64],
        *,
        monotone: Sequence[int],
        rounds: int,
        depth: int,
        seed: int,
    ) -> OffsetTrees:
        """Fit ``target`` (0 or 1) on raw ``values`` ``(rows, features)``, NaN where absent.

        ``monotone`` says for each feature whether the margin may only rise (1), only fall (−1) or
        do either (0) as the value grows.
        """
        import xgboost

        data = xgboost.DMatrix(values, label=target, base_margin=offset, weight=weight)
        settings = {
            "objective": "binary:logistic",
            "base_score": 0.5,
            "tree_method": "hist",
            "max_depth": depth,
            "eta": 0.08,
            "min_child_weight": 5.0,
            "lambda": 5.0,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "monotone_constraints": "(" + ",".join(str(int(m)) for m in monotone) + ")",
            "seed": seed,
            "nthread": 1,
        }
        return cls(booster=xgboost.train(settings, data, num_boost_round=rounds))

    def terms(self, values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the intercept and each feature's contribution ``(rows, features)`` in log-odds."""
        import xgboost

        data = xgboost.DMatrix(values)
        contributions = self.booster.predict(data, pred_contribs=True).astype(np.float64)
        return float(contributions[0, -1]) if len(values) else 0.0, contributions[:, :-1]

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the trees' sum ``(rows,)``: what `terms` add up to, many times faster."""
        import xgboost

        if not len(values):
            return np.zeros(0)
        told = self.booster.predict(xgboost.DMatrix(values), output_margin=True)
        return np.asarray(told, np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return XGBoost's own JSON."""
        record: dict[str, Any] = json.loads(bytes(self.booster.save_raw("json")))
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> OffsetTrees:
        """Return what `to_dict` wrote."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps(record).encode()))
        booster.set_param({"nthread": 1})
        return cls(booster=booster)
