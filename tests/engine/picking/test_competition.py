"""Chance competes for room with particles; what luck adds to scores and shapes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.picking.competition import competing, competing_discoveries
from cryoverdict.engine.picking.discoveries import discoveries
from cryoverdict.engine.picking.found import Found

_Double = NDArray[np.float64]


def found(places: list[tuple[float, float]] | _Double, score: list[float] | _Double) -> Found:
    """Return places (y, x) with scores, best first."""
    at, scores = np.reshape(np.asarray(places, np.float64), (-1, 2)), np.asarray(score, np.float64)
    order = np.argsort(-scores, kind="stable")
    return Found(
        y=at[order, 0],
        x=at[order, 1],
        score=scores[order],
        reference=np.zeros(len(scores), np.intp),
    )


def test_chance_beside_a_higher_particle_is_beaten_by_it() -> None:
    particles = found([(10.0, 10.0), (50.0, 50.0)], [9.0, 3.0])
    chance = found([(12.0, 10.0), (90.0, 90.0), (51.0, 50.0), (50.0, 53.0)], [5.0, 4.5, 4.0, 2.0])
    weight = competing(particles, chance, 5.0, np.array([0.9, 0.6]))
    # Beaten by a likely one; free; higher than its neighbour; beaten by a less likely one.
    assert list(weight) == pytest.approx([0.1, 1.0, 1.0, 0.4])
    assert list(competing(found([], []), chance, 5.0, np.zeros(0))) == [1.0] * 4


def test_a_crowd_of_particles_leaves_less_room_for_chance() -> None:
    # Particles on a lattice, sure ones; chance finds anywhere, as many as without particles.
    rng = np.random.default_rng(3)
    lattice = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=-1).reshape(-1, 2) * 12.0
    chance = found(rng.uniform(0.0, 96.0, (60, 2)), rng.uniform(2.0, 4.0, 60))
    crowd = found(lattice, np.full(64, 8.0) + 0.01 * np.arange(64))
    plain = discoveries(crowd.score, chance.score)
    seen = competing_discoveries([crowd], [chance], [6.0])
    assert seen.null[-1] == plain.null[-1] == 0.0  # none exceeds a particle
    noisy = found(
        np.concatenate((lattice, rng.uniform(0.0, 96.0, (20, 2)))),
        np.concatenate((crowd.score, rng.uniform(2.0, 3.0, 20))),
    )
    rates = [
        made.null[-1]
        for made in (
            discoveries(noisy.score, chance.score),
            competing_discoveries([noisy], [chance], [6.0]),
        )
    ]
    assert 0.1 * rates[0] < rates[1] < 0.5 * rates[0]


def test_where_all_is_chance_competition_changes_little() -> None:
    rng = np.random.default_rng(4)

    def noise() -> Found:
        return found(rng.uniform(0.0, 400.0, (800, 2)), 2.0 + rng.exponential(0.4, 800))

    own, null = [noise() for _ in range(3)], [noise() for _ in range(3)]
    seen = competing_discoveries(own, null, [10.0] * 3)
    assert seen.rate[-1] > 0.7
    assert seen.threshold(0.25) > 4.0


def test_luck_is_the_density_at_the_threshold_over_what_is_above() -> None:
    # Noise alone, beyond 2: scores fall off as a normal density, whose hazard at 3 is 3.28.
    scores = np.abs(np.random.default_rng(5).standard_normal(400_000))
    assert discoveries(scores, scores).noise_part(3.0) == pytest.approx(3.28, rel=0.15)
    # Plain particles, far above the threshold, owe it nothing.
    assert discoveries(np.linspace(9.0, 12.0, 50), scores).noise_part(4.0) == 0.0
    assert discoveries(np.zeros(0), scores).noise_part(2.0) == 0.0


def test_each_null_score_may_stand_for_its_own_share() -> None:
    seen = discoveries(
        np.array([9.0, 3.0, 2.0]), np.array([2.5, 3.5, 9.5]), np.array([0.5, 0.25, 0.0])
    )
    assert list(seen.null) == [0.0, 0.25, 0.75]
