"""A data set unlike all training sets is told from a new one of their kind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.models.novelty import Novelty, trust_at
from cryoverdict.engine.models.standardisation import Standardisation

FEATURES = 30


def rows(seed: int, shift: float = 0.0, count: int = 40) -> NDArray[np.float64]:
    """Return a data set whose centre is drawn once, its rows about it, some values absent."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(0.0, 1.0, FEATURES)
    centre[: FEATURES // 2] += shift
    made = centre + rng.normal(0.0, 0.6, (count, FEATURES))
    made[rng.random(made.shape) < 0.05] = np.nan
    return made


@pytest.fixture(scope="module")
def learnt() -> tuple[Novelty, Standardisation]:
    sets = [rows(seed) for seed in range(40)]
    values = np.vstack(sets)
    standardisation = Standardisation.of(values)
    novelty = Novelty.of(standardisation, values, np.repeat([f"s{i}" for i in range(40)], 40))
    assert novelty is not None
    return novelty, standardisation


def test_new_sets_of_the_same_kind_are_within_the_limit(
    learnt: tuple[Novelty, Standardisation],
) -> None:
    novelty, scale = learnt
    away = [novelty.distance(scale, rows(seed)) for seed in range(100, 140)]
    assert np.mean(np.array(away) <= 1.0) >= 0.9
    # One micrograph is a data set, too.
    alone = [novelty.distance(scale, rows(seed, count=1)) for seed in range(100, 140)]
    assert np.mean(np.array(alone) <= 1.0) >= 0.8


def test_shifted_sets_are_beyond_it(learnt: tuple[Novelty, Standardisation]) -> None:
    novelty, scale = learnt
    for seed in range(100, 110):
        assert novelty.distance(scale, rows(seed, shift=6.0)) > 1.2


def test_too_few_data_sets_know_no_limit() -> None:
    values = np.vstack([rows(seed) for seed in range(5)])
    scale = Standardisation.of(values)
    assert Novelty.of(scale, values, np.repeat([f"s{i}" for i in range(5)], 40)) is None


def test_it_comes_back_from_its_record(learnt: tuple[Novelty, Standardisation]) -> None:
    novelty, scale = learnt
    back = Novelty.from_dict(novelty.to_dict())
    assert back.distance(scale, rows(7)) == novelty.distance(scale, rows(7))


def test_trust_is_whole_within_the_limit_and_falls_beyond() -> None:
    assert trust_at(0.3) == trust_at(1.0) == 1.0
    assert trust_at(2.0) == 0.25
