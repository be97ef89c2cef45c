"""The simulator's image formation against formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cryoverdict.engine.simulation.aberration import Aberration
from cryoverdict.engine.simulation.detector import (
    DETECTORS,
    count_electrons,
    fixed_pattern,
    transfers,
)
from cryoverdict.engine.simulation.exposure import (
    blurred_length_a,
    exit_wave,
    intensity,
    motion_transfer,
    tilted_intensity,
)
from cryoverdict.engine.simulation.grid import frequencies, make_grid
from cryoverdict.engine.simulation.ice import frozen_fraction, structure_factor
from cryoverdict.engine.simulation.micrograph import simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec
from cryoverdict.engine.simulation.scene import empty_scene
from cryoverdict.features.optics import electron_wavelength_a

LENS = Aberration(
    defocus_u_a=16000.0,
    defocus_v_a=14000.0,
    defocus_angle_deg=30.0,
    voltage_kv=300.0,
    cs_mm=2.7,
    energy_spread_a=0.0,
    source_angle_mrad=0.0,
)


def contrast_transfer(k: float, angle: float, lens: Aberration, amplitude: float) -> float:
    """Return sin(γ + α) at frequency ``k`` and ``angle``, written out a second time."""
    wavelength = electron_wavelength_a(lens.voltage_kv)
    defocus = 0.5 * (lens.defocus_u_a + lens.defocus_v_a) + 0.5 * (
        lens.defocus_u_a - lens.defocus_v_a
    ) * math.cos(2.0 * (angle - math.radians(lens.defocus_angle_deg)))
    gamma = math.pi * wavelength * defocus * k**2
    gamma -= 0.5 * math.pi * lens.cs_mm * 1e7 * wavelength**3 * k**4
    return math.sin(gamma + math.radians(lens.phase_shift_deg) + math.asin(amplitude))


@pytest.mark.parametrize("plate_deg", [0.0, 90.0])
def test_a_weak_wave_gets_the_contrast_transfer_function(plate_deg: float) -> None:
    lens = replace(LENS, phase_shift_deg=plate_deg)
    grid = make_grid((256, 208), 2.0)
    scene = empty_scene(grid, 300.0)
    rows, columns = 13, 9
    y = np.arange(grid.ny)[:, None] / grid.ny
    x = np.arange(grid.nx)[None, :] / grid.nx
    scene.phase = (1e-3 * np.cos(2 * np.pi * (rows * y + columns * x))).astype(np.float32)
    image = intensity(exit_wave(scene, 0.07), grid, lens)
    ky, kx = rows / (grid.ny * 2.0), columns / (grid.nx * 2.0)
    expected = contrast_transfer(math.hypot(ky, kx), math.atan2(ky, kx), lens, 0.07)
    measured = 2.0 * np.mean((image - 1.0) * scene.phase) / 1e-6
    assert measured == pytest.approx(-2.0 * expected, abs=0.01)


def test_particles_in_slabs_are_defocused_by_their_height() -> None:
    grid = make_grid((192, 192), 3.0)
    scene = empty_scene(grid, 300.0)
    rows = 16
    wave = 1e-3 * np.cos(2 * np.pi * rows * np.arange(grid.ny)[:, None] / grid.ny)
    phase = np.broadcast_to(wave, grid.shape).astype(np.float32)
    scene.slabs = [(700.0, phase)]
    lens = replace(LENS, defocus_v_a=16000.0)
    image = intensity(exit_wave(scene, 0.0), grid, lens)
    k = rows / (grid.ny * 3.0)
    seen = replace(lens, defocus_u_a=15300.0, defocus_v_a=15300.0)
    measured = 2.0 * np.mean((image - 1.0) * phase) / 1e-6
    assert measured == pytest.approx(-2.0 * contrast_transfer(k, 0.0, seen, 0.0), abs=0.01)


def test_a_tilted_view_has_its_defocus_at_each_height() -> None:
    grid = make_grid((256, 256), 4.0)
    rng = np.random.default_rng(1)
    scene = empty_scene(grid, 300.0)
    scene.phase = rng.normal(0.0, 1e-3, grid.shape).astype(np.float32)
    wave = exit_wave(scene, 0.1)
    tilted = tilted_intensity(wave, grid, LENS, 40.0, 0.0)
    below = grid.ny * 3 // 4
    height = (below - grid.ny / 2) * 4.0 * math.tan(math.radians(40.0))
    flat = intensity(wave, grid, LENS.defocused(height))
    other = intensity(wave, grid, LENS.defocused(-height))
    row = tilted[below] - 1.0
    near = np.corrcoef(row, flat[below] - 1.0)[0, 1]
    assert near > 0.97
    assert near > np.corrcoef(row, other[below] - 1.0)[0, 1] + 0.05


def test_counts_have_the_mean_variance_and_skewness_of_poisson() -> None:
    for level in (3.0, 30.0):
        counts = count_electrons(np.random.default_rng(4), np.full((900, 900), level, np.float32))
        centred = counts - counts.mean()
        assert counts.mean() == pytest.approx(level, rel=0.005)
        assert counts.var() == pytest.approx(level, rel=0.01)
        assert (centred**3).mean() / counts.std() ** 3 == pytest.approx(level**-0.5, abs=0.02)


def test_vacuum_counts_the_dose_and_its_noise_has_the_detectors_blur() -> None:
    spec = MicrographSpec(
        shape=(384, 384),
        pixel_size_a=1.2,
        ice_thickness_a=0.0,
        coverage=0.0,
        specks=0.0,
        fragments=0.0,
        vignetting=0.0,
        bad_pixels=0.0,
        dose_e_per_a2=40.0,
        detector="k2",
    )
    pixels = simulate_micrograph(spec, 3).pixels
    electrons = 40.0 * 1.2**2 * DETECTORS["k2"].dqe_zero
    assert pixels.mean() == pytest.approx(electrons, rel=0.003)
    grid = make_grid(spec.shape, spec.pixel_size_a)
    blur = transfers(grid, DETECTORS["k2"], 1.0)[1]
    pattern = fixed_pattern(spec.shape, DETECTORS["k2"], 1.0, 0)
    expected = electrons * float(np.mean(blur**2)) + (electrons * float(pattern.std())) ** 2
    assert pixels.var() == pytest.approx(expected, rel=0.03)


def test_even_drift_is_a_sinc_and_blurs_its_own_length() -> None:
    length = 12.0
    path = tuple((0.0, float(x)) for x in np.linspace(-length / 2, length / 2, 401))
    assert blurred_length_a(path) == pytest.approx(length, rel=0.01)
    assert blurred_length_a(()) == 0.0
    grid = make_grid((128, 128), 1.5)
    transfer = motion_transfer(grid, path, 0.0)
    assert transfer is not None
    kx = frequencies(grid.ny, grid.nx, 1.5).kx
    np.testing.assert_allclose(
        transfer[0].real, np.sinc(length * kx[0]), atol=0.01, err_msg="along the drift"
    )
    np.testing.assert_allclose(np.abs(transfer[:, 0]), 1.0, atol=1e-4, err_msg="across it")


def test_the_movement_of_water_spares_long_waves() -> None:
    k2 = np.array([1 / 200.0, 1 / 20.0, 1 / 4.0], dtype=np.float32) ** 2
    left = frozen_fraction(k2, 40.0)
    assert left[0] > 0.98
    assert left[2] < 0.15
    assert left[0] > left[1] > left[2]
    assert structure_factor(np.array([1 / 3.7**2], np.float32))[0] > structure_factor(k2)[0] * 10


def test_thon_rings_lie_where_the_defocus_puts_them() -> None:
    spec = MicrographSpec(
        shape=(512, 512),
        pixel_size_a=2.0,
        coverage=0.0,
        specks=0.0,
        fragments=0.0,
        debris=3.0,
        defocus_a=20000.0,
        astigmatism_a=0.0,
        dose_e_per_a2=400.0,
    )
    power = np.zeros((512, 257))
    for seed in range(3):
        power += np.abs(np.fft.rfft2(simulate_micrograph(spec, seed).pixels)) ** 2
    k = np.hypot(np.fft.fftfreq(512, 2.0)[:, None], np.fft.rfftfreq(512, 2.0)[None, :])
    bins = (k * 1024).astype(int)
    radial = np.bincount(bins.ravel(), power.ravel()) / np.bincount(bins.ravel())
    wavelength = electron_wavelength_a(300.0)
    # Zero of sin(γ + asin 0.1) at γ = π − 0.1, Cs negligible.
    zero = math.sqrt((1.0 - 0.1 / math.pi) / (wavelength * 20000.0)) * 1024
    around = slice(round(zero) - 12, round(zero) + 13)
    found = np.arange(radial.size)[around][int(np.argmin(radial[around]))]
    assert abs(found + 0.5 - zero) <= 1.5
