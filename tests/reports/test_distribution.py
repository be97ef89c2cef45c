"""The spread of measurements by outcome."""

from __future__ import annotations

import numpy as np
import pytest

from cryoverdict.reports.distribution import distribution_of, most_telling, separation
from cryoverdict.reports.histogram import MIDDLE, histogram_of

KEPT = np.array([True] * 60 + [False] * 40)
RNG = np.random.default_rng(5)


def test_every_known_value_is_counted_once_on_its_side() -> None:
    values = RNG.normal(size=100)
    values[[3, 70]] = np.nan
    spread = distribution_of(values, KEPT)
    assert spread is not None
    assert (sum(spread.kept), sum(spread.rejected)) == (59, 39)
    known = values[np.isfinite(values)]
    assert spread.quantiles[0] == known.min()
    assert spread.quantiles[3] == np.median(known)
    assert (spread.gathers_below, spread.gathers_above) == (False, False)


def test_counts_are_those_of_the_bins() -> None:
    values = np.concatenate([np.full(60, 1.0), np.full(40, 3.0)])
    spread = distribution_of(values, KEPT)
    assert spread is not None
    assert (spread.low, spread.high) == (0.5, 3.5)
    assert (spread.kept, spread.rejected) == ((60, 0, 0), (0, 0, 40))


def test_a_long_tail_is_gathered_and_said() -> None:
    values = RNG.normal(size=100)
    values[99] = 1e6
    spread = distribution_of(values, KEPT)
    assert spread is not None
    assert spread.high < 10
    assert spread.rejected[-1] >= 1
    assert spread.gathers_above
    assert not spread.gathers_below
    assert sum(spread.rejected) == 40


def test_one_value_and_no_value() -> None:
    assert distribution_of(np.full(3, np.nan), KEPT[:3]) is None
    spread = distribution_of(np.full(3, 0.25), KEPT[:3])
    assert spread is not None
    assert spread.low < 0.25 < spread.high
    assert sum(spread.kept) == 3


@pytest.mark.parametrize(("shift", "wanted"), [(10.0, 1.0), (-10.0, 1.0)])
def test_separation_of_what_does_not_overlap(shift: float, wanted: float) -> None:
    values = RNG.uniform(size=100) + shift * ~KEPT
    assert separation(values, KEPT) == pytest.approx(wanted)
    values[:50] = np.nan
    assert separation(values, KEPT) == pytest.approx(wanted * 0.5)


def test_separation_is_twice_the_distance_of_the_roc_area_from_a_half() -> None:
    values = np.array([2.0, 2.0, 2.0, 4.0, 2.0, 3.0, 0.0])
    kept = np.array([True, True, True, True, False, False, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in values[kept] for b in values[~kept]]
    assert separation(values, kept) == pytest.approx(abs(2 * np.mean(pairs) - 1))


def test_the_most_telling_come_first_and_no_twin_follows() -> None:
    strong = RNG.normal(size=100) + 5.0 * KEPT
    weak = RNG.normal(size=100) + 1.0 * KEPT
    values = np.column_stack([RNG.normal(size=100), weak, strong, -3.0 * strong + 1.0])
    assert most_telling(values, KEPT, 2) == (2, 1)


def test_without_rejected_the_first_that_vary_are_shown() -> None:
    values = np.column_stack([np.ones(5), np.full(5, np.nan), np.arange(5.0), -np.arange(5.0)])
    assert most_telling(values, np.ones(5, bool), 2) == (2, 3)


def test_figure_reaches_to_the_peak_on_both_sides() -> None:
    spread = distribution_of(np.array([1.0] * 6 + [2.0] * 3), np.array([True] * 6 + [False] * 3))
    assert spread is not None
    figure = histogram_of(spread)
    assert figure.kept.startswith("M0.5 45.5v-44h139v44z")
    assert figure.kept.count("M") == figure.rejected.count("M") == 1
    assert figure.rejected.startswith(f"M140.5 {MIDDLE + 0.5:g}v36")
