"""The CTF model: conventions, values, and what is refused."""

from __future__ import annotations

from math import asin, cos, pi, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoverdict.features.ctf import Ctf, astigmatic, half_turn_deg
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics

OPTICS = Optics(pixel_size_a=1.5, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


def ctf(u: float = 12_000.0, v: float = 11_000.0, angle: float = 25.0, phase: float = 0.0) -> Ctf:
    return Ctf(
        defocus_u_a=u,
        defocus_v_a=v,
        defocus_angle_deg=angle,
        phase_shift_deg=phase,
        voltage_kv=300.0,
        cs_mm=2.7,
        amplitude_contrast=0.1,
    )


def test_value_is_that_of_the_textbook() -> None:
    """Worked through with λ = 0.0196875 Å: catches a lost factor, sign or unit."""
    s, wavelength = 0.2, 0.0196875
    chi = pi * wavelength * s**2 * (11_500.0 - 0.5 * wavelength**2 * s**2 * 2.7e7) + asin(0.1)
    assert float(ctf().value(np.array([s]))[0]) == pytest.approx(-sin(chi), abs=2e-3)


def test_amplitude_contrast_alone_is_left_at_frequency_zero() -> None:
    assert float(ctf().value(np.zeros(1))[0]) == pytest.approx(-0.1)


def test_phase_plate_adds_to_the_phase() -> None:
    assert float(ctf(phase=90.0).value(np.zeros(1))[0]) == pytest.approx(-cos(asin(0.1)))


def test_u_lies_along_the_angle_and_v_across_it() -> None:
    one = ctf()
    assert float(one.defocus_a(radians(25.0))) == pytest.approx(12_000.0)
    assert float(one.defocus_a(radians(115.0))) == pytest.approx(11_000.0)
    assert float(one.defocus_a(radians(70.0))) == pytest.approx(11_500.0)


def test_grid_has_the_layout_of_rfft2() -> None:
    one, box, pixel = ctf(), 32, 2.0
    grid = one.grid(box, pixel)
    assert grid.shape == (32, 17)
    for row, column in ((3, 5), (30, 7), (16, 0)):
        y, x = np.fft.fftfreq(box)[row] / pixel, column / box / pixel
        expected = one.value(np.array([np.hypot(y, x)]), float(np.arctan2(y, x)))
        assert grid[row, column] == pytest.approx(float(expected[0]), abs=1e-5)


def test_turning_the_axis_by_a_quarter_turns_the_grid() -> None:
    box = 32
    before, after = ctf().grid(box, 2.0), ctf(angle=115.0).grid(box, 2.0)
    # (ky, kx) → (kx, −ky) is a rotation by 90° from columns towards rows.
    for row, column in ((3, 5), (7, 2), (28, 9)):
        ky, kx = row if row < box // 2 else row - box, column
        turned_y, turned_x = kx, -ky
        if turned_x < 0:  # the other half is the mirror image
            turned_y, turned_x = -turned_y, -turned_x
        assert after[turned_y % box, turned_x] == pytest.approx(before[row, column], abs=1e-5)


def test_ring_count_is_the_phase_in_half_turns() -> None:
    one = Ctf(
        defocus_u_a=10_000.0,
        defocus_v_a=10_000.0,
        voltage_kv=300.0,
        cs_mm=0.0,
        amplitude_contrast=0.0,
    )
    assert one.ring_count(0.2) == pytest.approx(0.0196875 * 10_000.0 * 0.04, rel=1e-3)


def test_a_listed_ctf_with_u_below_v_is_turned_round() -> None:
    listed = GivenCtf(defocus_u_a=9_000.0, defocus_v_a=10_000.0, defocus_angle_deg=100.0)
    one = Ctf.of(listed, OPTICS)
    assert (one.defocus_u_a, one.defocus_v_a) == (10_000.0, 9_000.0)
    assert one.defocus_angle_deg == pytest.approx(10.0)
    assert float(one.defocus_a(radians(100.0))) == pytest.approx(9_000.0)


def test_a_listed_ctf_needs_optics() -> None:
    listed = GivenCtf(defocus_u_a=9_000.0, defocus_v_a=9_000.0, defocus_angle_deg=0.0)
    with pytest.raises(InputError, match="cs_mm"):
        Ctf.of(listed, Optics(voltage_kv=300.0, amplitude_contrast=0.1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"defocus_u_a": float("nan")}, "defocus_u_a is nan"),
        ({"voltage_kv": 0.0}, "voltage_kv is 0"),
        ({"amplitude_contrast": 1.5}, "amplitude_contrast is 1.5"),
    ],
)
def test_what_is_no_ctf_is_refused(change: dict[str, float], said: str) -> None:
    values = {
        "defocus_u_a": 1e4,
        "defocus_v_a": 1e4,
        "voltage_kv": 300.0,
        "cs_mm": 2.7,
        "amplitude_contrast": 0.1,
    }
    with pytest.raises(InputError, match=said):
        Ctf(**{**values, **change})


@given(st.floats(500.0, 90_000.0), st.floats(1.0, 3_000.0), st.floats(0.0, 179.99), st.booleans())
def test_astigmatism_vector_and_angle_say_the_same(
    mean: float, length: float, angle: float, turned: bool
) -> None:
    one = ctf(mean + length / 2, mean - length / 2, angle + 180.0 * turned)
    u, v, back = astigmatic(one.mean_defocus_a, one.astigmatism_vector_a)
    assert (u, v) == pytest.approx((one.defocus_u_a, one.defocus_v_a))
    off = (back - angle + 90.0) % 180.0 - 90.0
    assert abs(off) < 1e-6
    assert 0.0 <= back < 180.0
    assert half_turn_deg(angle + 180.0) == pytest.approx(angle, abs=1e-9)
