"""The CTF estimation on spectra whose CTF is known, good ones and bad ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cryoverdict.features.ctf import Ctf
from cryoverdict.features.ctf_fit import CtfFit, evaluate_ctf, fit_ctf
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.power_spectrum import PowerSpectrum

if TYPE_CHECKING:
    from tests.features.conftest import Drawn

    Draw = Callable[..., Drawn]


def vector_error_a(one: Ctf, other: Ctf) -> float:
    (x, y), (other_x, other_y) = one.astigmatism_vector_a, other.astigmatism_vector_a
    return float(np.hypot(x - other_x, y - other_y))


def defocus_error_a(fit: CtfFit, drawn: Drawn) -> float:
    return abs(fit.ctf.mean_defocus_a - drawn.ctf.mean_defocus_a)


@pytest.mark.parametrize(
    ("settings", "defocus_a", "vector_a"),
    [
        ({}, 20.0, 80.0),
        ({"mean_a": 3_000.0}, 20.0, 60.0),
        ({"mean_a": 1_600.0, "strength": 1.0}, 50.0, 100.0),
        ({"mean_a": 50_000.0, "pixel_size_a": 2.0}, 30.0, 100.0),
        ({"mean_a": 85_000.0, "pixel_size_a": 2.5}, 60.0, 150.0),
        ({"astigmatism_a": 1_500.0, "angle_deg": 100.0}, 20.0, 80.0),
        ({"pixel_size_a": 0.6, "mean_a": 8_000.0}, 80.0, 300.0),
        ({"pixel_size_a": 4.0, "mean_a": 25_000.0}, 40.0, 120.0),
        ({"voltage_kv": 200.0, "cs_mm": 1.4}, 20.0, 80.0),
        ({"voltage_kv": 120.0, "cs_mm": 6.3, "pixel_size_a": 2.0}, 20.0, 80.0),
        ({"strength": 3.0, "samples": 64}, 5.0, 15.0),
        ({"box": 256, "samples": 1, "strength": 2.0}, 50.0, 200.0),
        ({"mean_a": -12_000.0}, 30.0, 80.0),
    ],
    ids=str,
)
def test_defocus_and_astigmatism_are_found(
    draw: Draw, settings: dict[str, Any], defocus_a: float, vector_a: float
) -> None:
    drawn = draw(3, **settings)
    fit = fit_ctf(drawn.spectrum, drawn.optics)
    assert fit.rings_seen
    assert defocus_error_a(fit, drawn) < defocus_a
    assert vector_error_a(fit.ctf, drawn.ctf) < vector_a
    assert fit.ctf.defocus_u_a >= fit.ctf.defocus_v_a


@pytest.mark.parametrize("phase_deg", [50.0, 90.0, 130.0])
def test_phase_shift_is_found_with_a_phase_plate(draw: Draw, phase_deg: float) -> None:
    drawn = draw(4, mean_a=8_000.0, phase_shift_deg=phase_deg)
    fit = fit_ctf(drawn.spectrum, drawn.optics, phase_plate=True)
    assert fit.ctf.phase_shift_deg == pytest.approx(phase_deg, abs=5.0)
    assert defocus_error_a(fit, drawn) < 60.0


def test_noise_has_no_rings(draw: Draw) -> None:
    """Whatever defocus is returned, the fit says that it means nothing."""
    for seed in range(8):
        drawn = draw(seed, strength=0.0)
        fit = fit_ctf(drawn.spectrum, drawn.optics)
        assert not fit.rings_seen
        assert abs(fit.score) < 0.03
        assert fit.resolution_a > 25.0
        assert fit.ring_count == 0.0


def with_spots(spectrum: PowerSpectrum) -> PowerSpectrum:
    """Add the reflections of crystalline ice, and of a lattice with long repeats."""
    power = spectrum.power.copy()
    rng = np.random.default_rng(0)
    for ring in (1 / 12.0, 1 / 8.0, 1 / 6.0, 1 / 3.90, 1 / 3.67, 1 / 3.44):
        for angle in rng.uniform(-np.pi / 2, np.pi / 2, 12):
            radius = ring * 1.5 * spectrum.box
            row = round(radius * np.sin(angle)) % spectrum.box
            power[row, round(radius * np.cos(angle))] *= 1_000.0
    return replace(spectrum, power=power)


def with_streak(spectrum: PowerSpectrum) -> PowerSpectrum:
    """Add the fringes of a straight edge: a bright fan with rings of its own."""
    fy = np.fft.fftfreq(spectrum.box)[:, None]
    fx = np.arange(spectrum.power.shape[1])[None, :] / spectrum.box
    angle, radius = np.arctan2(fy, fx), np.hypot(fy, fx)
    fan = 2e4 * np.exp(-((angle - 0.5) ** 2) / 0.03) * np.exp(-((radius / 0.06) ** 2))
    waves = 1.0 + np.cos(radius**2 * 9_000.0)
    return replace(spectrum, power=(spectrum.power * (1.0 + fan * waves)).astype(np.float32))


def with_cross(spectrum: PowerSpectrum) -> PowerSpectrum:
    """Brighten the axes, as a jump between opposite borders does."""
    power = spectrum.power.copy()
    power[0, :] *= 100.0
    power[:, 0] *= 100.0
    return replace(spectrum, power=power)


def with_square_detector(spectrum: PowerSpectrum) -> PowerSpectrum:
    """Weaken the background along the diagonals, as the transfer of square pixels does."""
    fy = np.fft.fftfreq(spectrum.box)[:, None]
    fx = np.arange(spectrum.power.shape[1])[None, :] / spectrum.box
    angle, radius = np.arctan2(fy, fx), np.hypot(fy, fx)
    factor = 1.0 + 0.8 * np.cos(4.0 * angle) * (radius / 0.5) ** 2
    return replace(spectrum, power=(spectrum.power * factor).astype(np.float32))


@pytest.mark.parametrize("spoil", [with_spots, with_streak, with_cross, with_square_detector])
def test_what_is_not_a_ring_does_not_move_the_fit(
    draw: Draw, spoil: Callable[[PowerSpectrum], PowerSpectrum]
) -> None:
    drawn = draw(5, strength=0.25)
    fit = fit_ctf(spoil(drawn.spectrum), drawn.optics)
    assert defocus_error_a(fit, drawn) < 40.0
    assert vector_error_a(fit.ctf, drawn.ctf) < 120.0


@pytest.mark.parametrize("drift_a", [8.0, 14.0])
def test_drift_is_measured_and_does_not_mislead(draw: Draw, drift_a: float) -> None:
    """The first fitter of this project was 10,600 Å off here."""
    drawn = draw(6, drift_a=drift_a, drift_deg=70.0)
    fit = fit_ctf(drawn.spectrum, drawn.optics)
    assert fit.defocus_error_a is not None
    assert defocus_error_a(fit, drawn) < 1.5 * fit.defocus_error_a < 600.0
    assert fit.directional_blur_a == pytest.approx(drift_a, rel=0.25)


def test_without_drift_little_is_measured(draw: Draw) -> None:
    drawn = draw(7)
    assert fit_ctf(drawn.spectrum, drawn.optics).directional_blur_a < 2.5


@pytest.mark.parametrize("cut_a", [10.0, 6.0, 4.0])
def test_resolution_is_where_the_rings_end(draw: Draw, cut_a: float) -> None:
    drawn = draw(8, cut=1.0 / cut_a, b_factor_a2=30.0)
    fit = fit_ctf(drawn.spectrum, drawn.optics)
    assert fit.resolution_a == pytest.approx(cut_a, rel=0.12)
    assert fit.ring_count == pytest.approx(drawn.ctf.ring_count(1.0 / cut_a), rel=0.25)


def test_low_defocus_is_not_given_a_resolution_it_has_not(draw: Draw) -> None:
    """Rings wide apart must not carry the agreement over a gap to Nyquist."""
    drawn = draw(9, mean_a=4_000.0, cut=1.0 / 6.0, strength=0.8)
    fit = fit_ctf(drawn.spectrum, drawn.optics)
    assert 5.0 < fit.resolution_a < 8.0


def test_rings_too_fine_for_the_cells_end_the_resolution(draw: Draw) -> None:
    drawn = draw(10, mean_a=50_000.0, pixel_size_a=1.0, b_factor_a2=20.0)
    fit = fit_ctf(drawn.spectrum, drawn.optics)
    # 2.4 cells a ring: s = 512 Å / (2 · 2.4 · λ Δf) = 0.108 1/Å
    assert fit.sampling_limit_a == pytest.approx(9.2, rel=0.03)
    assert fit.resolution_a == pytest.approx(fit.sampling_limit_a, rel=0.1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says(draw: Draw) -> None:
    """Nominal 95 %; with 60 spectra, 88 to 100 % is what chance allows."""
    covered, errors = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        drawn = draw(
            seed,
            mean_a=rng.uniform(8_000.0, 25_000.0),
            astigmatism_a=rng.uniform(30.0, 500.0),
            angle_deg=rng.uniform(0.0, 180.0),
            strength=rng.uniform(0.15, 0.6),
            box=256,
            pixel_size_a=2.0,
        )
        fit = fit_ctf(drawn.spectrum, drawn.optics)
        assert fit.defocus_error_a is not None
        covered += defocus_error_a(fit, drawn) <= fit.defocus_error_a
        errors.append(fit.defocus_error_a)
    assert 53 <= covered <= 60
    # Wide intervals would cover as well: these are of the size of the errors.
    assert np.median(errors) < 60.0


def test_a_given_ctf_is_scored_without_a_search(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(11)
    found = fit_ctf(drawn.spectrum, drawn.optics)
    monkeypatch.setattr("cryoverdict.features.ctf_fit.search_defocus", None)
    right = evaluate_ctf(drawn.spectrum, drawn.optics, drawn.ctf)
    wrong = evaluate_ctf(
        drawn.spectrum,
        drawn.optics,
        replace(drawn.ctf, defocus_u_a=drawn.ctf.defocus_u_a + 1e3),
    )
    assert right.ctf is drawn.ctf
    assert right.given
    assert right.defocus_error_a is None
    assert right.score == pytest.approx(found.score, abs=0.01)
    assert right.resolution_a == pytest.approx(found.resolution_a, rel=0.05)
    assert wrong.score < 0.7 * right.score
    assert wrong.resolution_a > 1.3 * right.resolution_a


def test_a_quarter_turn_turns_the_angle_only(draw: Draw) -> None:
    drawn = draw(12, angle_deg=20.0)
    box = drawn.spectrum.box
    full = np.fft.fft2(np.fft.irfft2(drawn.spectrum.power, (box, box)))
    turned = np.abs(np.roll(np.rot90(full, -1), 1, axis=1))[:, : box // 2 + 1]
    one = fit_ctf(drawn.spectrum, drawn.optics)
    other = fit_ctf(replace(drawn.spectrum, power=turned.astype(np.float32)), drawn.optics)
    assert other.ctf.mean_defocus_a == pytest.approx(one.ctf.mean_defocus_a, rel=1e-4)
    assert other.ctf.astigmatism_a == pytest.approx(one.ctf.astigmatism_a, rel=2e-3)
    off = (other.ctf.defocus_angle_deg - one.ctf.defocus_angle_deg) % 180.0
    assert off == pytest.approx(90.0, abs=0.2)
    assert other.score == pytest.approx(one.score, rel=1e-3)


@pytest.mark.parametrize("gain", [1e-12, 1e12])
def test_the_scale_of_the_spectrum_does_not_matter(draw: Draw, gain: float) -> None:
    drawn = draw(13)
    scaled = replace(drawn.spectrum, power=(drawn.spectrum.power * np.float32(gain)))
    one, other = fit_ctf(drawn.spectrum, drawn.optics), fit_ctf(scaled, drawn.optics)
    assert other.ctf.mean_defocus_a == pytest.approx(one.ctf.mean_defocus_a, rel=1e-6)
    assert other.resolution_a == pytest.approx(one.resolution_a)


def test_same_spectrum_same_fit(draw: Draw) -> None:
    drawn = draw(14)
    one, other = fit_ctf(drawn.spectrum, drawn.optics), fit_ctf(drawn.spectrum, drawn.optics)
    assert one.ctf == other.ctf
    assert (one.score, one.gain, one.resolution_a) == (other.score, other.gain, other.resolution_a)


def test_curves_are_short_and_fit_together(draw: Draw) -> None:
    drawn = draw(15, strength=1.0, box=1024, pixel_size_a=1.0)
    profile = fit_ctf(drawn.spectrum, drawn.optics).profile
    assert 100 <= profile.frequency_per_a.size <= 256
    for name in ("power", "background", "fit", "agreement"):
        curve = getattr(profile, name)
        assert curve.shape == profile.frequency_per_a.shape
        assert np.isfinite(curve).all()
    assert float(profile.background.min()) > 0.0
    low = (profile.frequency_per_a > 0.05) & (profile.frequency_per_a < 0.12)
    above = (profile.power - profile.background)[low]
    assert np.corrcoef(above, profile.fit[low])[0, 1] > 0.9
    # The background runs through the troughs, so next to nothing is left there.
    assert abs(float(np.mean(above[profile.fit[low] < 0.1]))) < 0.15 * float(above.max())


def test_the_spectrums_own_pixel_size_goes_first(draw: Draw) -> None:
    drawn = draw(16)
    wrong = replace(drawn.optics, pixel_size_a=0.9)
    assert defocus_error_a(fit_ctf(drawn.spectrum, wrong), drawn) < 20.0
    bare = replace(drawn.spectrum, pixel_size_a=None)
    assert defocus_error_a(fit_ctf(bare, drawn.optics), drawn) < 20.0


@pytest.mark.parametrize("name", ["pixel_size_a", "voltage_kv", "cs_mm", "amplitude_contrast"])
def test_unknown_optics_are_named(draw: Draw, name: str) -> None:
    drawn = draw(17, box=64)
    bare = replace(drawn.spectrum, pixel_size_a=None)
    with pytest.raises(InputError, match=name):
        fit_ctf(bare, replace(drawn.optics, **{name: None}))


def test_evaluating_needs_a_pixel_size_only(draw: Draw) -> None:
    drawn = draw(18)
    bare = replace(drawn.spectrum, pixel_size_a=None)
    with pytest.raises(InputError, match="pixel_size_a"):
        evaluate_ctf(bare, Optics(), drawn.ctf)
    fit = evaluate_ctf(bare, Optics(pixel_size_a=1.5), drawn.ctf)
    assert fit.rings_seen


def degenerate(kind: str, box: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return powers that no image has, or only a broken one."""
    power = np.ones((box, box // 2 + 1), dtype=np.float32)
    match kind:
        case "zero":
            power[:] = 0.0
        case "spike":
            power[box // 3, box // 4] = 1e30
        case "half":
            power[:, : box // 8] = 0.0
    return power


@pytest.mark.parametrize("pixel_size_a", [1.0, 8.0, 60.0])
@pytest.mark.parametrize("kind", ["flat", "zero", "spike", "half"])
def test_degenerate_spectra_have_no_rings_and_finite_numbers(
    kind: str, pixel_size_a: float
) -> None:
    optics = Optics(pixel_size_a=pixel_size_a, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    power = degenerate(kind, 128)
    fit = fit_ctf(PowerSpectrum(power=power, pixel_size_a=None, samples=1.0), optics)
    assert not fit.rings_seen
    assert fit.defocus_error_a is not None
    numbers = (fit.score, fit.resolution_a, fit.ctf.defocus_u_a, fit.defocus_error_a)
    assert np.isfinite(numbers).all()


def test_a_spectrum_too_small_to_show_rings_is_refused(draw: Draw) -> None:
    drawn = draw(19, box=64, pixel_size_a=0.7)
    with pytest.raises(InputError, match="from a larger image"):
        fit_ctf(drawn.spectrum, drawn.optics)
