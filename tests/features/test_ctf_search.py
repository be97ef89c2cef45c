"""The parts of the CTF estimation: sectors, background, candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cryoverdict.features.ctf_background import (
    WhiteSpectrum,
    cubic_splines,
    orthonormal,
    smooth_terms,
    whiten,
)
from cryoverdict.features.ctf_polar import average_sectors
from cryoverdict.features.ctf_search import Candidate, search_defocus

if TYPE_CHECKING:
    from tests.features.conftest import Drawn

    Draw = Callable[..., Drawn]


def white(drawn: Drawn) -> WhiteSpectrum:
    pixel_size_a = drawn.optics.pixel_size_a
    assert pixel_size_a is not None
    return whiten(average_sectors(drawn.spectrum, pixel_size_a, 1 / 30.0, 0.32))


def first(drawn: Drawn, *, phase_plate: bool = False) -> Candidate:
    return search_defocus(
        white(drawn), voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1, phase_plate=phase_plate
    )[0]


def test_sectors_average_the_cells_that_lie_in_them(draw: Draw) -> None:
    spectrum = draw(1, box=128).spectrum
    fy = np.fft.fftfreq(128)[:, None]
    fx = np.arange(65)[None, :] / 128
    # Power that depends on direction alone: each sector must hold its own value, in order.
    power = 2.0 + np.cos(2.0 * np.arctan2(fy, fx))
    polar = average_sectors(replace(spectrum, power=power.astype(np.float32)), 1.5, 0.1, 0.3)
    expected = 2.0 + np.cos(2.0 * polar.azimuth)
    assert np.abs(polar.power.mean(axis=1) - expected).max() < 0.02
    assert np.allclose(polar.frequency, np.round(polar.frequency * 192.0) / 192.0, atol=0.002)


def test_spots_are_clipped_and_counted(draw: Draw) -> None:
    spectrum = draw(2, strength=0.0).spectrum
    power = spectrum.power.copy()
    rows = np.array([40, 60, 450, 470])
    power[rows, 70] *= 1e4
    clean = average_sectors(spectrum, 1.5, 1 / 30.0, 0.32)
    spotted = average_sectors(replace(spectrum, power=power), 1.5, 1 / 30.0, 0.32)
    count = clean.cells.sum()
    added = (spotted.spot_fraction - clean.spot_fraction) * count
    assert added == pytest.approx(4.0, abs=0.5)
    assert float((spotted.power / clean.power).max()) < 1.6
    assert spotted.deviation == pytest.approx(clean.deviation, rel=0.01)


def test_streaks_are_left_out_but_strong_rings_are_not(draw: Draw) -> None:
    drawn = draw(3, strength=2.0, b_factor_a2=20.0, astigmatism_a=1_500.0)
    ringed = average_sectors(drawn.spectrum, 1.5, 1 / 30.0, 0.32)
    assert np.mean(ringed.cells == 0.0) < 0.01
    power = drawn.spectrum.power.copy()
    power[100:110, 60:120] *= 50.0
    streaked = average_sectors(replace(drawn.spectrum, power=power), 1.5, 1 / 30.0, 0.32)
    assert np.count_nonzero(streaked.cells == 0.0) > np.count_nonzero(ringed.cells == 0.0) + 20


def test_the_background_leaves_noise_around_zero(draw: Draw) -> None:
    flat = white(draw(4, strength=0.0))
    ring = (flat.rings * flat.polar.cells).sum(axis=0) / flat.polar.cells.sum(axis=0)
    assert np.abs(ring).max() < 0.08
    assert float(np.mean(flat.rings**2 / flat.error**2)) == pytest.approx(1.0, abs=0.1)


def test_splines_sum_to_one() -> None:
    x = np.linspace(0.03, 0.4, 57)
    assert np.allclose(cubic_splines(x, 7).sum(axis=1), 1.0)


@pytest.mark.parametrize("fold", [2, 4])
def test_smooth_terms_hold_the_symmetries_of_drift_and_detector(fold: int) -> None:
    x = np.linspace(0.03, 0.4, 57)
    azimuth = (np.arange(24) + 0.5) * np.pi / 24
    terms = orthonormal(smooth_terms(x, cubic_splines(x, 5), azimuth).reshape(24 * 57, -1))
    pattern = (np.cos(fold * azimuth + 0.3)[:, None] * (x**2)[None, :]).reshape(-1, 1)
    left = pattern - terms @ (terms.T @ pattern)
    assert float(np.abs(left).max()) < 1e-6 * float(np.abs(pattern).max())


@pytest.mark.parametrize("mean_a", [1_700.0, 6_000.0, 22_000.0, 75_000.0])
def test_the_first_candidate_is_near_the_truth(draw: Draw, mean_a: float) -> None:
    found = first(draw(5, mean_a=mean_a, strength=0.8, b_factor_a2=100.0))
    assert found.mean_a == pytest.approx(mean_a, abs=max(250.0, 0.01 * mean_a))


@pytest.mark.parametrize("phase_deg", [30.0, 60.0, 120.0, 150.0])
def test_the_first_candidate_has_the_phase_shift(draw: Draw, phase_deg: float) -> None:
    found = first(
        draw(6, mean_a=9_000.0, phase_shift_deg=phase_deg, strength=0.8), phase_plate=True
    )
    off = (np.degrees(found.phase_shift) - phase_deg + 90.0) % 180.0 - 90.0
    assert abs(off) <= 20.0
    assert found.mean_a == pytest.approx(9_000.0, abs=250.0)


def test_candidates_lie_apart_and_best_comes_first(draw: Draw) -> None:
    found = search_defocus(white(draw(7)), voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    assert len(found) == 4
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    means = sorted(c.mean_a for c in found)
    assert min(b - a for a, b in pairwise(means)) > 400.0
