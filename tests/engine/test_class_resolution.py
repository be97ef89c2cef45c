"""Where a ring curve says that a class average's detail ends."""

from __future__ import annotations

import numpy as np
import pytest

from cryoverdict.engine.classification.resolution import crossing_a

# Rings of 200, 100, 50, 25 and 20 Å.
FREQUENCIES = np.array([0.005, 0.01, 0.02, 0.04, 0.05], np.float32)


def curve(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a value for each ring."""
    return np.array(values, np.float32)


def test_the_crossing_lies_between_the_rings() -> None:
    found = crossing_a(curve(9, 8, 4, 0, 0), FREQUENCIES, 1.0)
    assert found == pytest.approx(1 / 0.035)


def test_a_curve_that_never_falls_gives_the_last_ring() -> None:
    assert crossing_a(curve(9, 8, 4, 3, 2), FREQUENCIES, 1.0) == pytest.approx(20.0)


def test_a_curve_that_begins_below_gives_none() -> None:
    assert crossing_a(curve(0, 0, 0, 0, 0), FREQUENCIES, 1.0) is None


def test_waves_longer_than_the_mask_end_nothing() -> None:
    dip = curve(9, 0, 4, 4, 0)
    assert crossing_a(dip, FREQUENCIES, 1.0) == pytest.approx(1 / (0.005 + 8 / 9 * 0.005))
    assert crossing_a(dip, FREQUENCIES, 1.0, whole_a=90.0) == pytest.approx(1 / 0.0475)
