"""Statistics of a data set: their values, and when there are none."""

from __future__ import annotations

import numpy as np
import pytest

from cryoverdict.rules.data_set_statistics import (
    ABSOLUTE_FLOOR,
    RELATIVE_FLOOR,
    DataSetStatistics,
    measure_statistics,
)
from cryoverdict.rules.expression import Name, Statistic
from cryoverdict.rules.expression_parser import parse_expression

COLUMN = [4.0, 1.0, 3.0, 2.0, 8.0, 5.0, 6.0, 7.0, 40.0]


def measured(source: str, column: list[float], fraction: float = float("nan")) -> DataSetStatistics:
    """Return what one statistic asks of a column ``x``."""
    node = parse_expression(source)
    assert isinstance(node, Statistic)
    return measure_statistics([(node, fraction)], lambda name: np.array(column), len(column))


def z_of(value: float, column: list[float]) -> float:
    """Return the robust z of a value in a data set."""
    node = Statistic(function="robust_z", argument=Name(name="x"))
    statistics = measured("robust_z(x)", column)
    return float(statistics.of(node, lambda inner: np.array([value]), 1, float("nan"))[0])


def test_robust_z_is_the_distance_from_the_median_in_scaled_deviations() -> None:
    # Median 5, absolute deviations 1 4 2 3 3 0 1 2 35 with median 2.
    assert z_of(40.0, COLUMN) == pytest.approx(35 / (1.4826 * 2))
    assert z_of(5.0, COLUMN) == 0.0
    assert z_of(1.0, COLUMN) == pytest.approx(-4 / (1.4826 * 2))


def test_absent_and_infinite_values_take_no_part() -> None:
    extended = [*COLUMN, float("nan"), float("inf")]
    assert z_of(40.0, extended) == z_of(40.0, COLUMN)
    assert measured("count(x)", extended).values == {"count(x)": 9.0}
    assert measured("count()", extended).values == {"count()": 11.0}


def test_fewer_than_eight_present_values_give_no_statistic() -> None:
    assert np.isnan(z_of(3.0, COLUMN[:7]))
    assert not np.isnan(z_of(3.0, COLUMN[:8]))


def test_a_data_set_without_variation_gives_no_robust_z() -> None:
    assert np.isnan(z_of(9.0, [3.0] * 12))
    # One third of a number does not add up exactly; that is rounding and no variation.
    assert np.isnan(z_of(9.0, [1e6 / 3, 1e6 * (1 / 3)] * 5 + [1e6 / 3 + 1e-10]))


def test_near_identical_values_have_no_outliers() -> None:
    # The MAD is 0.02 % of the median.
    column = [100.0 + 0.01 * i for i in range(-4, 5)]
    assert z_of(100.5, column) == pytest.approx(0.5 / (100 * RELATIVE_FLOOR))
    about_zero = [1e-5 * i for i in range(-4, 5)]
    assert z_of(0.002, about_zero) == pytest.approx(0.002 / ABSOLUTE_FLOOR)


def test_a_spread_above_the_noise_is_taken_as_it_is() -> None:
    column = [100.0 + i for i in range(-4, 5)]
    assert z_of(110.0, column) == pytest.approx(10 / (1.4826 * 2))


def test_median_mad_and_quantile() -> None:
    assert measured("median(x)", COLUMN).values["median(x)"] == 5.0
    assert measured("mad(x)", COLUMN).values["mad(x)"] == 2.0
    assert measured("quantile(x, q)", COLUMN, 0.75).values["quantile(x, 0.75)"] == 7.0


def test_statistics_are_of_expressions_too() -> None:
    assert measured("median(2 * x)", COLUMN).values["median(2 * x)"] == 10.0


def test_the_digest_changes_with_the_values() -> None:
    assert measured("median(x)", COLUMN).digest == measured("median(x)", COLUMN).digest
    assert measured("median(x)", COLUMN).digest != measured("median(x)", COLUMN[:8]).digest
