"""The CTF as measurements: what is measured, what is given, and what cannot be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest

from cryoverdict.features import ctf_family
from cryoverdict.features.ctf_fit import CtfFit, fit_ctf
from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.view import GreyStatistics, View

if TYPE_CHECKING:
    from tests.features.conftest import Drawn

    Draw = Callable[..., Drawn]

LISTED = GivenCtf(defocus_u_a=15_200.0, defocus_v_a=14_800.0, defocus_angle_deg=30.0)


def view_of(drawn: Drawn, *, has_counts: bool = True, **micrograph: Any) -> View:
    """Return a view that has the spectrum and nothing else to look at."""
    empty = np.zeros((8, 8), dtype=np.float32)
    return View(
        micrograph=Micrograph(
            subject="a.mrc", path=Path("a.mrc"), optics=drawn.optics, **micrograph
        ),
        optics=drawn.optics,
        pixels=empty,
        coarse=empty,
        coarse_step_px=1.0,
        spectrum=drawn.spectrum,
        grey=GreyStatistics(
            mean=0.0,
            deviation=1.0,
            hot_fraction=0.0,
            saturated_fraction=0.0,
            dead_line_fraction=0.0,
            has_counts=has_counts,
        ),
        inverted=False,
        contrast_sign=1.0,
    )


def answers(view: View) -> dict[str, Answer]:
    return {f.name: f.measure(view) for f in ctf_family.FEATURES}


def with_optics(drawn: Drawn, **change: float | None) -> Drawn:
    spectrum = drawn.spectrum
    if "pixel_size_a" in change:
        spectrum = replace(spectrum, pixel_size_a=change["pixel_size_a"])
    return replace(drawn, optics=replace(drawn.optics, **change), spectrum=spectrum)


def test_all_are_measured_on_a_good_spectrum(draw: Draw) -> None:
    drawn = draw(1)
    told = answers(view_of(drawn))
    assert told["ctf_phase_shift_deg"] == Absent("no phase plate is known of")
    values = {name: value for name, value in told.items() if isinstance(value, float)}
    assert set(values) == set(told) - {"ctf_phase_shift_deg"}
    assert values["ctf_defocus_a"] == pytest.approx(15_000.0, abs=25.0)
    assert values["ctf_astigmatism_a"] == pytest.approx(300.0, abs=60.0)
    assert values["ctf_astigmatism_angle_deg"] == pytest.approx(30.0, abs=6.0)
    assert values["ctf_astigmatism_ratio"] == pytest.approx(
        values["ctf_astigmatism_a"] / values["ctf_defocus_a"]
    )
    assert values["ctf_nyquist_ratio"] == pytest.approx(values["ctf_resolution_a"] / 3.0)
    assert 5.0 < values["ctf_defocus_error_a"] < 40.0
    assert values["ctf_thon_ring_count"] == pytest.approx(
        drawn.ctf.ring_count(1.0 / values["ctf_resolution_a"]), rel=0.02
    )


def test_a_given_ctf_is_taken_over_and_not_searched_for(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctf_family, "fit_ctf", None)
    told = answers(view_of(draw(2), given_ctf=LISTED))
    assert told["ctf_defocus_a"] == Given(15_000.0)
    assert told["ctf_astigmatism_a"] == Given(400.0)
    assert told["ctf_astigmatism_angle_deg"] == Given(30.0)
    assert told["ctf_astigmatism_ratio"] == Given(400.0 / 15_000.0)
    assert isinstance(told["ctf_defocus_error_a"], Absent)
    # The list has neither score nor resolution: they are measured, for the given CTF.
    score, resolution = told["ctf_fit_score"], told["ctf_resolution_a"]
    assert isinstance(score, float)
    assert score > 0.15
    assert isinstance(resolution, float)
    assert resolution < 4.0


def test_given_score_resolution_and_phase_are_not_measured_again(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = replace(LISTED, fit_score=0.07, resolution_a=4.5, phase_shift_deg=60.0)
    monkeypatch.setattr(ctf_family, "evaluate_ctf", None)
    view = view_of(draw(2), given_ctf=listed)
    assert ctf_family.ctf_fit_score.measure(view) == Given(0.07)
    assert ctf_family.ctf_resolution_a.measure(view) == Given(4.5)
    assert ctf_family.ctf_nyquist_ratio.measure(view) == Given(1.5)
    assert ctf_family.ctf_phase_shift_deg.measure(view) == Given(60.0)


def test_a_given_defocus_of_zero_has_no_astigmatism_ratio(draw: Draw) -> None:
    listed = GivenCtf(defocus_u_a=200.0, defocus_v_a=-200.0, defocus_angle_deg=0.0)
    view = view_of(draw(2), given_ctf=listed)
    assert isinstance(ctf_family.ctf_astigmatism_ratio.measure(view), Absent)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("pixel_size_a", "the pixel size is unknown"),
        ("voltage_kv", "the voltage is unknown"),
        ("cs_mm", "the cs is unknown"),
        ("amplitude_contrast", "the amplitude contrast is unknown"),
    ],
)
def test_what_is_unknown_is_named(draw: Draw, name: str, word: str) -> None:
    told = answers(view_of(with_optics(draw(3, box=64), **{name: None})))
    said = {a.reason for a in told.values() if isinstance(a, Absent)}
    assert len(told) == len([a for a in told.values() if isinstance(a, Absent)])
    assert any(word in reason for reason in said)


def test_without_rings_there_is_a_score_but_no_defocus(draw: Draw) -> None:
    told = answers(view_of(draw(4, strength=0.0)))
    for name in ("ctf_defocus_a", "ctf_defocus_error_a", "ctf_astigmatism_a"):
        answer = told[name]
        assert isinstance(answer, Absent)
        assert "no Thon rings" in answer.reason
    score, resolution = told["ctf_fit_score"], told["ctf_resolution_a"]
    assert isinstance(score, float)
    assert score < 0.03
    assert isinstance(resolution, float)
    assert resolution == pytest.approx(30.0, rel=0.05)
    assert told["ctf_thon_ring_count"] == 0.0


def test_pixels_too_large_for_rings_leave_nothing_to_say(draw: Draw) -> None:
    """A thumbnail without rings is not a micrograph without rings."""
    told = answers(view_of(draw(5, strength=0.0, pixel_size_a=8.0)))
    answer = told["ctf_fit_score"]
    assert isinstance(answer, Absent)
    assert "Nyquist" in answer.reason


def test_a_picture_without_counts_may_have_lost_its_rings(draw: Draw) -> None:
    view = view_of(draw(6, strength=0.0), has_counts=False)
    answer = ctf_family.ctf_fit_score.measure(view)
    assert isinstance(answer, Absent)
    assert "8 or 16 bits" in answer.reason
    seen = view_of(draw(6), has_counts=False)
    assert isinstance(ctf_family.ctf_fit_score.measure(seen), float)


def test_the_own_fit_is_compared_with_the_list_on_request(draw: Draw) -> None:
    assert ctf_family.ctf_given_difference_a not in ctf_family.FEATURES
    assert ctf_family.ctf_given_difference_a in ctf_family.ON_REQUEST
    view = view_of(draw(7), given_ctf=replace(LISTED, defocus_u_a=16_200.0, defocus_v_a=15_900.0))
    difference = ctf_family.ctf_given_difference_a.measure(view)
    assert difference == pytest.approx(1_050.0, abs=30.0)
    assert isinstance(ctf_family.ctf_given_difference_a.measure(view_of(draw(7))), Absent)


def write_stored(path: Path, drawn: Drawn, pixel_size_a: float) -> None:
    """Write amplitudes with the origin in the middle, as RELION does."""
    box = drawn.spectrum.box
    left = drawn.spectrum.power[:, -2:0:-1]
    mirrored = np.roll(left[::-1], 1, axis=0)
    full = np.concatenate([drawn.spectrum.power, mirrored], axis=1)
    with mrcfile.new(path) as stream:
        stream.set_data(np.sqrt(np.fft.fftshift(full)).astype(np.float32))
        stream.voxel_size = pixel_size_a
    assert full.shape == (box, box)


def test_a_stored_spectrum_goes_before_the_views_own(draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "a_PS.mrc"
    write_stored(path, draw(8, mean_a=20_000.0), 1.5)
    other = draw(9, mean_a=10_000.0)
    stored = ctf_family.ctf_defocus_a.measure(view_of(other, power_spectrum=path))
    assert stored == pytest.approx(20_000.0, abs=30.0)
    lost = view_of(other, power_spectrum=tmp_path / "lost_PS.mrc")
    assert ctf_family.ctf_defocus_a.measure(lost) == pytest.approx(10_000.0, abs=30.0)


def test_the_fit_is_made_once(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Optics] = []

    def counted(*args: Any, **named: Any) -> CtfFit:
        calls.append(args[1])
        return fit_ctf(*args, **named)

    monkeypatch.setattr(ctf_family, "fit_ctf", counted)
    answers(view_of(draw(10)))
    assert len(calls) == 1
