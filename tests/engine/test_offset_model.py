"""Models learn what the rules do not already say, and stay sums."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.models.offset_model import OffsetModel, Recipe, TrainingData
from cryoverdict.engine.models.standardisation import CLIP, Standardisation

NAMES = ("said", "linear", "stepped", "idle")
RECIPE = Recipe(rounds=60)


def data(seed: int, rows: int = 3000) -> TrainingData:
    """Return rows whose truth is a known sum; the first feature is all in the offset."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    x[rng.random(x.shape) < 0.1] = np.nan
    offset = 1.5 * np.nan_to_num(x[:, 0])
    log_odds = offset + 1.2 * np.nan_to_num(x[:, 1]) - 2.0 * (np.nan_to_num(x[:, 2]) > 0.7) + 0.3
    return TrainingData(
        values=x,
        target=(rng.random(rows) < 1.0 / (1.0 + np.exp(-log_odds))).astype(float),
        offset=offset,
        data_set=np.array([f"set-{i % 12}" for i in range(rows)]),
        weight=np.ones(rows),
    )


@pytest.fixture(scope="module")
def model() -> OffsetModel:
    return OffsetModel.fit("keep", NAMES, data(0), monotone=[0, 1, -1, 0], recipe=RECIPE)


def probability(model: OffsetModel, rows: TrainingData) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-model.log_odds(rows.values, rows.offset)))


def test_what_the_offset_says_is_not_learnt_again(model: OffsetModel) -> None:
    coefficients = dict(zip(NAMES, model.members.glm.coefficients, strict=True))
    assert abs(coefficients["said"]) < 0.2
    assert 0.9 < coefficients["linear"] < 1.5
    assert abs(coefficients["idle"]) < 0.2


def test_terms_add_up_to_the_log_odds(model: OffsetModel) -> None:
    rows = data(1, 200)
    prior, terms = model.terms(rows.values)
    summed = prior + rows.offset + terms.sum(axis=1)
    # The trees add up in single precision, in another order.
    assert np.allclose(summed, model.log_odds(rows.values, rows.offset), atol=2e-5)


def test_probabilities_are_calibrated_on_unseen_data(model: OffsetModel) -> None:
    rows = data(2, 6000)
    p = probability(model, rows)
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (p >= low) & (p < low + 0.2)
        assert abs(p[inside].mean() - rows.target[inside].mean()) < 0.06


def test_monotone_terms_never_turn(model: OffsetModel) -> None:
    sweep = np.zeros((50, 4))
    sweep[:, 2] = np.linspace(-3, 3, 50)
    trees = model.members.trees.terms(sweep)[1].sum(axis=1)
    assert (np.diff(trees) <= 1e-6).all()
    assert trees[0] - trees[-1] > 0.5


def test_same_data_same_bytes(model: OffsetModel) -> None:
    again = OffsetModel.fit("keep", NAMES, data(0), monotone=[0, 1, -1, 0], recipe=RECIPE)
    assert json.dumps(again.to_dict(), sort_keys=True) == json.dumps(
        model.to_dict(), sort_keys=True
    )


def test_a_stored_model_says_the_same(model: OffsetModel) -> None:
    rows = data(3, 300)
    stored = OffsetModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert np.array_equal(
        stored.log_odds(rows.values, rows.offset), model.log_odds(rows.values, rows.offset)
    )


def test_works_from_any_subset_of_the_features(model: OffsetModel) -> None:
    rows = data(4, 50)
    nothing = np.full_like(rows.values, np.nan)
    assert np.isfinite(model.log_odds(nothing, rows.offset)).all()


def test_one_data_set_is_not_enough() -> None:
    rows = data(0, 50)
    alone = TrainingData(
        values=rows.values,
        target=rows.target,
        offset=rows.offset,
        data_set=np.array(["only"] * 50),
        weight=rows.weight,
    )
    with pytest.raises(EngineError, match="two data sets"):
        OffsetModel.fit("keep", NAMES, alone, monotone=[0] * 4, recipe=RECIPE)


def test_standardisation_is_robust_and_absent_is_no_evidence() -> None:
    column = np.concatenate([np.linspace(-1, 1, 99), [1e9]])[:, None]
    scale = Standardisation.of(column)
    z = scale.apply(np.array([[np.nan], [1e9], [0.0]]))
    assert z[0, 0] == 0.0
    assert z[1, 0] == CLIP
    assert abs(z[2, 0]) < 0.05


def test_a_mostly_constant_feature_has_a_scale() -> None:
    column = np.array([0.0] * 90 + [1.0] * 10)[:, None]
    assert Standardisation.of(column).scale[0] == pytest.approx(0.3)
