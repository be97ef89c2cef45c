"""The fitted CTF as columns of a micrograph list."""

from __future__ import annotations

import numpy as np
import pytest

from cryoverdict.engine.ctf_columns import ctf_columns
from cryoverdict.features.ctf_family import FEATURES
from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.features.table import FeatureTable

FITTED: dict[str, Answer] = {
    "ctf_defocus_a": 15000.0,
    "ctf_astigmatism_a": 400.0,
    "ctf_astigmatism_angle_deg": 30.0,
    "ctf_fit_score": 0.2,
    "ctf_resolution_a": 3.5,
}


def table(**rows: dict[str, Answer]) -> FeatureTable:
    """Return a table of the CTF's measurements alone."""
    return FeatureTable.of(rows, FEATURES)


def test_u_and_v_lie_half_the_astigmatism_off_the_mean() -> None:
    columns = ctf_columns(table(a=FITTED))["a"]
    assert (columns["rlnDefocusU"], columns["rlnDefocusV"]) == (15200.0, 14800.0)
    assert (columns["rlnDefocusAngle"], columns["rlnCtfMaxResolution"]) == (30.0, 3.5)


def test_a_given_ctf_is_not_written_again() -> None:
    columns = ctf_columns(table(a=FITTED, b=FITTED | {"ctf_defocus_a": Given(9000.0)}))
    assert list(columns) == ["a"]


def test_without_rings_no_number_of_the_fit_is_written() -> None:
    unseen = FITTED | {"ctf_defocus_a": Absent("no rings"), "ctf_astigmatism_a": Absent("no rings")}
    columns = ctf_columns(table(a=FITTED, b=unseen))["b"]
    assert set(columns.values()) == {None}


def test_a_list_without_any_rings_gets_no_columns() -> None:
    assert ctf_columns(table(a={}, b={})) == {}


@pytest.mark.parametrize("astigmatism_a", [0.0, 800.0])
def test_the_mean_of_u_and_v_is_the_measured_defocus(astigmatism_a: float) -> None:
    columns = ctf_columns(table(a=FITTED | {"ctf_astigmatism_a": astigmatism_a}))["a"]
    u, v = columns["rlnDefocusU"], columns["rlnDefocusV"]
    assert u is not None
    assert v is not None
    assert np.isclose((u + v) / 2.0, 15000.0)
    assert np.isclose(u - v, astigmatism_a)
