"""The null, the discovery rate, the spacing, and what is measured of sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft, ndimage

from cryoverdict.engine.picking.class_diameter import class_sizes
from cryoverdict.engine.picking.discoveries import discoveries
from cryoverdict.engine.picking.form_factor import ball, hollow
from cryoverdict.engine.picking.mean_shape import FormFactor, body_diameter, fitted_body
from cryoverdict.engine.picking.noise import phase_randomised
from cryoverdict.engine.picking.peaks import apart
from cryoverdict.engine.picking.picking_image import binned, rebinned
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.score_threshold import scored
from cryoverdict.engine.picking.size_search import best_size, confirmed
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking.trial import trial
from tests.engine.picking.painted import DIAMETER_A, PIXEL_A, lattice, painted, parameters


def test_phase_randomised_keeps_the_power_and_is_a_real_image() -> None:
    image = np.random.default_rng(0).standard_normal((64, 60)).astype(np.float32)
    transform = fft.rfft2(image)
    copy = phase_randomised(transform, np.random.default_rng(1))
    back = fft.rfft2(fft.irfft2(copy, s=(64, 60)))
    np.testing.assert_allclose(np.abs(back), np.abs(transform), rtol=1e-3, atol=1e-3)
    assert not np.allclose(back, transform, atol=1.0)


def test_noise_scores_as_its_own_null() -> None:
    images = [painted(np.zeros((0, 2)), seed=s, side=400) for s in range(4)]
    result = scored(images, parameters(), None, seed=0)
    own, null = np.concatenate(result.scores), np.concatenate(result.null_scores)
    for score in (2.5, 3.0):
        expected = np.count_nonzero(null > score)
        assert abs(np.count_nonzero(own > score) - expected) < 4.0 * (2.0 * expected) ** 0.5 + 3.0


def test_the_discovery_rate_holds_on_balls_in_noise() -> None:
    # Weak balls: the threshold must let through no more chance than it says (with its error).
    places = lattice(side=480, step=44.0)
    images = [painted(places, side=480, height=0.42, seed=s) for s in range(3)]
    result = scored(images, parameters(), None, seed=0)
    threshold = result.seen.threshold(0.2)
    assert np.isfinite(threshold)
    count = sum(np.count_nonzero(s >= threshold) for s in result.scores)
    likely = len(places) * len(images)
    assert 0.5 * likely < count < 1.35 * likely


def test_discoveries_count_and_choose() -> None:
    scores = np.array([9.0, 8.0, 7.0, 3.0, 2.5, 2.4])
    null = np.array([3.1, 2.45, 2.45])
    seen = discoveries(scores, null)
    assert list(seen.null) == [0.0, 0.0, 0.0, 1.0, 1.0, 3.0]
    assert seen.likely == 4.0
    assert seen.threshold(0.1) == 7.0
    assert seen.threshold(0.3) == 2.5
    assert (np.diff(seen.rate) >= 0.0).all()
    assert discoveries(np.zeros(0), null).threshold(0.5) == np.inf


def test_apart_keeps_the_better_and_frees_what_the_dropped_would_have_taken() -> None:
    y = np.zeros(4)
    x = np.array([0.0, 4.0, 8.0, 30.0])  # best first: 0 drops 4, which then drops nobody
    assert list(apart(y, x, 5.0)) == [True, False, True, True]
    assert list(apart(y, x, 3.9)) == [True] * 4


def test_binning_keeps_the_field_of_view_and_the_mean() -> None:
    y, x = np.mgrid[:120, :90]
    waves = np.cos(2 * np.pi * (y + 0.5) / 60.0) + (x + 0.5) / 90.0
    small = binned(waves.astype(np.float32), (40, 30))
    rows, columns = (np.arange(40) + 0.5) * 3.0, (np.arange(30) + 0.5) * 3.0
    expected = np.cos(2 * np.pi * rows / 60.0)[:, None] + columns[None, :] / 90.0
    np.testing.assert_allclose(small, expected, atol=0.03)


def test_rebinning_keeps_the_places() -> None:
    image = painted(np.array([[100.0, 220.0]]), noise=0.5)
    coarse = rebinned(image, 2.0 * PIXEL_A)
    blurred = ndimage.gaussian_filter(coarse.pixels, 3.0)
    y, x = np.unravel_index(int(blurred.argmax()), blurred.shape)
    full_y, full_x = coarse.full_px(np.array([float(y)]), np.array([float(x)]))
    assert abs(full_y[0] - 100.0) <= 3.0
    assert abs(full_x[0] - 220.0) <= 3.0


def test_form_factors_are_those_of_bodies() -> None:
    frequency = np.array([1e-6, 1.4303 / 100.0])  # the first zero of a ball: tan x = x at 4.4934
    np.testing.assert_allclose(ball(frequency, 100.0, 0.0), [1.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(
        hollow(np.array([0.004]), 100.0, 1e-3, 0.0), ball(np.array([0.004]), 100.0, 0.0), atol=1e-5
    )
    thin = hollow(np.array([0.006]), 100.0, 0.999, 0.0)  # a thin shell is sin x / x
    np.testing.assert_allclose(thin, np.sinc(0.6), atol=2e-3)


@pytest.mark.parametrize(("outer", "inside"), [(110.0, 0.0), (150.0, 0.6)])
def test_a_body_is_recovered_from_its_form_factor(outer: float, inside: float) -> None:
    frequency = np.arange(0.5, 40.0) / 500.0
    values = 3.0 * hollow(frequency, outer, inside, 0.08)
    factor = FormFactor(frequency=frequency, values=values, variance=np.full(len(frequency), 1e-4))
    body = fitted_body(factor, 130.0)
    assert body is not None
    assert body.diameter_a == pytest.approx(body_diameter(outer, inside, 0.08), rel=0.03)


def test_painted_balls_confirm_their_size_from_both_sides() -> None:
    images = [painted(lattice(side=480, step=40.0), side=480, height=0.9, seed=s) for s in range(2)]
    for start in (85.0, 175.0):
        size = confirmed(images, Profile(diameter_a=start), start, seed=0)
        assert size is not None
        assert size.diameter_a == pytest.approx(DIAMETER_A, rel=0.08)


def test_evidence_is_of_the_particles_contrast() -> None:
    images = [painted(lattice(), height=1.0)]
    dark = trial(images, (Profile(diameter_a=105.0),), 105.0, 0)
    turned = [replace(images[0], pixels=-images[0].pixels)]
    light = trial(turned, (Profile(diameter_a=105.0),), 105.0, 0)
    assert dark.count == pytest.approx(len(lattice()), rel=0.1)
    assert light.evidence < 0.2 * dark.evidence


def test_a_given_diameter_is_preferred_where_it_confirms_itself() -> None:
    images = [painted(lattice(side=480), side=480, height=0.9)]
    size = confirmed(images, Profile(diameter_a=130.0), 130.0, seed=0)
    assert size is not None
    twice = replace(size, body=replace(size.body, outer_a=2.0 * size.body.outer_a))
    assert best_size(images, [size, twice], 2.0 * DIAMETER_A, 0) is twice
    assert best_size(images, [size, twice], DIAMETER_A, 0) is size


def test_class_averages_tell_their_size() -> None:
    side, pixel_a = 64, 4.0
    y, x = np.mgrid[:side, :side] - side // 2
    disc = (np.hypot(y, x) < 15).astype(np.float32)
    oval = (np.hypot(y / 1.5, x / 0.75) < 12).astype(np.float32)
    averages = Templates(
        images=np.stack((disc, oval)), pixel_size_a=pixel_a, weights=np.array([3.0, 1.0])
    )
    sizes = class_sizes(averages)
    assert sizes is not None
    assert sizes.longest_a == pytest.approx(37 * pixel_a, rel=0.1)
    assert sizes.diameter_a == pytest.approx((0.75 * 30 + 0.25 * 25.5) * pixel_a, rel=0.08)
