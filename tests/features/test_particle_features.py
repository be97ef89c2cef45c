"""Measurements of single particles: what they answer to, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest

from cryoverdict.features import particle_bands, particle_places, particle_rings
from cryoverdict.features.particle_places import ParticlePlaces
from cryoverdict.features.particle_view import ParticleView

IMAGE_FEATURES = (*particle_rings.FEATURES, *particle_bands.FEATURES)
RADIUS = 12.0


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Discs in noise: at the centre, beside it, none, and one far too bright."""
    rng = np.random.default_rng(3)
    axis = np.arange(48) - 24
    y, x = np.meshgrid(axis, axis, indexing="ij")
    heights, places = (1.5, 1.5, 0.0, 12.0), (0, 6, 0, 0)
    made = [
        h * (np.hypot(y, x - p) < 9) + rng.normal(0, 1, (48, 48))
        for h, p in zip(heights, places, strict=True)
    ]
    return np.array(made, np.float32)


def measured(images: np.ndarray) -> dict[str, np.ndarray]:
    view = ParticleView.of(images, RADIUS)
    return {f.name: f.measure(view) for f in IMAGE_FEATURES}


def test_features_tell_what_lies_where(images: np.ndarray) -> None:
    found = measured(images)
    assert found["core_level"][0] == pytest.approx(1.5, abs=0.2)
    assert abs(found["core_level"][2]) < 0.2
    assert found["edge_step"][0] > 0.1 > abs(found["edge_step"][2])
    assert found["off_centre"][1] > 2.0 * found["off_centre"][0]
    assert found["coarse_power"][0] > found["coarse_power"][2] + 0.5
    assert found["highest_grey"][3] > 2.0 * found["highest_grey"][0]


def test_gain_offset_and_quarter_turns_change_nothing(images: np.ndarray) -> None:
    before = measured(images)
    brighter = measured(3.7 * images + 120.0)
    # Turned about the centre pixel: the first row and column of an even box have no counterpart.
    turned = measured(np.rot90(images[:, 1:, 1:], axes=(1, 2)).copy())
    plain = measured(images[:, 1:, 1:])
    for name, values in before.items():
        np.testing.assert_allclose(brighter[name], values, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(turned[name], plain[name], rtol=0.05, atol=0.05)


def test_a_ramp_is_a_slope_and_nothing_else_is(images: np.ndarray) -> None:
    ramp = np.linspace(-3, 3, 48, dtype=np.float32)[None, None, :]
    found = measured(np.concatenate([images[:1], images[:1] + ramp]))["ground_slope"]
    assert found[0] < 0.4 < 2.0 < found[1]


def test_neighbours_are_counted_within_their_micrograph_only() -> None:
    places = ParticlePlaces(
        x_px=np.array([0.0, 50.0, 1000.0, 0.0]),
        y_px=np.zeros(4),
        score=np.arange(4.0),
        micrograph=np.array([0, 0, 0, 1]),
        diameter_px=100.0,
    )
    found = {f.name: f.measure(places) for f in particle_places.FEATURES}
    np.testing.assert_allclose(found["nearest_neighbour"], [0.5, 0.5, 4.0, 4.0])
    np.testing.assert_array_equal(found["neighbour_count"], [1, 1, 0, 0])
    np.testing.assert_array_equal(found["pick_score"], np.arange(4.0))


def test_every_feature_has_a_name_a_meaning_and_a_source_of_its_own() -> None:
    every = (*IMAGE_FEATURES, *particle_places.FEATURES)
    assert len({f.name for f in every}) == len(every)
    assert all(f.meaning.endswith(".") and f.source for f in every)
