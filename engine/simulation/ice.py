"""Vitreous ice: its thickness, what it takes from the beam, and its Thon-ring-bearing noise."""

from __future__ import annotations

import math

import numpy as np

from cryoverdict.engine.simulation.electron import ICE_V, ice_free_path_a, interaction_constant
from cryoverdict.engine.simulation.grid import FloatArray, Grid, frequencies
from cryoverdict.engine.simulation.random_fields import coloured_noise, rough_field
from cryoverdict.engine.simulation.scene import Scene

# Molecules of water per Å³ of vitreous ice (0.93 g/cm³) and the potential of one, in V Å³.
MOLECULES_PER_A3 = 0.0311
MOLECULE_VA3 = ICE_V / MOLECULES_PER_A3
# Mean squared walk of a water molecule in the beam: about (1 Å)² for each e/Å² (McMullan,
# Vinothkumar and Henderson, Ultramicroscopy 158:26, 2015), so D = 1/6 Å² per e/Å².
WALK_A2 = 1.0 / 6.0
WATER_B_A2 = 8.0


def structure_factor(k2: FloatArray) -> FloatArray:
    """Return the structure factor of amorphous ice at squared frequency ``k2`` (1/Å²).

    Low for long waves (a liquid's compressibility), a peak at 3.7 Å, one beyond; a sketch of the
    curves of low-density amorphous ice measured by neutron and X-ray diffraction.
    """
    k = np.sqrt(k2)
    rise = 1.0 - np.exp(-((k / np.float32(0.24)) ** 4))
    peak = np.float32(0.9) * np.exp(-(((k - np.float32(0.27)) / np.float32(0.03)) ** 2))
    factor: FloatArray = np.float32(0.07) + np.float32(0.93) * rise + peak
    return factor


def frozen_fraction(k2: FloatArray, dose_e_per_a2: float) -> FloatArray:
    """Return how much of the ice's power survives the walk of its molecules over the exposure.

    The time average of a density that decorrelates as exp(−(2πk)² D t):
    2 (x − 1 + e⁻ˣ) / x², x = (2πk)² D · dose.
    """
    x = np.maximum(k2 * np.float32(4 * math.pi**2 * WALK_A2 * dose_e_per_a2), np.float32(1e-3))
    fraction: FloatArray = 2.0 * (x - 1.0 + np.exp(-x)) / (x * x)
    return fraction


def ice_amplitude(
    grid: Grid,
    voltage_kv: float,
    thickness_a: float,
    *,
    dose_e_per_a2: float,
    debris: float,
    surface: float,
) -> FloatArray:
    """Return the Fourier amplitude (phase, rad) of ice of ``thickness_a`` for `coloured_noise`.

    Scattering of independent molecules times their structure factor and what survives the walk.
    ``debris`` adds what every real buffer holds: fragments, lipid and detergent, blobs of about
    15 to 40 Å, as a Poisson process; 1 is 1 mg/ml in 400 Å of ice. ``surface`` is the roughness of
    the two surfaces and of the film of denatured protein on them; 1 is that of the capillary waves
    of water frozen in, of height power kT / γ (2πk)² = 5 Å² / (2πk)² each.
    """
    f = frequencies(grid.ny, grid.nx, grid.pixel_size_a)
    sigma = interaction_constant(voltage_kv)
    molecule = sigma * MOLECULE_VA3
    power = structure_factor(f.k2) * frozen_fraction(f.k2, dose_e_per_a2)
    power *= np.exp(f.k2 * np.float32(-0.5 * WATER_B_A2))
    power *= np.float32(MOLECULES_PER_A3 * thickness_a * molecule**2)
    if debris > 0.0:
        # 1 mg/ml of 20 kDa fragments: 3e-8 per Å3; excess potential 2.5 V over 1.21 Å3/Da.
        for mass_da, radius_a, share in ((6e3, 8.0, 0.3), (20e3, 13.0, 0.4), (80e3, 24.0, 0.3)):
            number = debris * share * 6.0e-4 / mass_da * thickness_a
            excess = sigma * 2.5 * 1.21 * mass_da
            power += np.float32(number * excess**2) * np.exp(
                f.k2 * np.float32(-((2 * math.pi * radius_a / 2.2) ** 2))
            )
    if surface > 0.0:
        # Waves longer than 600 Å had no time to form; beyond 25 Å there are no waves.
        waves = np.exp(f.k2 * np.float32(-(25.0**2))) / (f.k2 + np.float32(1.0 / 600.0**2))
        waves *= np.float32(surface * 2.0 * 5.0 / (4.0 * math.pi**2) * (sigma * ICE_V) ** 2)
        power += waves
    amplitude: FloatArray = np.sqrt(power) / np.float32(grid.pixel_size_a)
    return amplitude


def thickness_map(
    rng: np.random.Generator, grid: Grid, mean_a: float, gradient: float, roughness: float
) -> FloatArray:
    """Return ice thickness in Å: a plane in a random direction, a meniscus, and slow waves.

    ``gradient`` is the relative change across the picture, ``roughness`` the relative σ of waves
    of about 3,000 Å and less.
    """
    angle = rng.uniform(0.0, 2.0 * math.pi)
    y = np.linspace(-0.5, 0.5, grid.ny, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, grid.nx, dtype=np.float32)[None, :]
    along = np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y
    relative = 1.0 + np.float32(gradient) * (along + np.float32(rng.uniform(-0.6, 0.6)) * along**2)
    if roughness > 0.0:
        waves = rough_field(rng, grid, 3000.0, octaves=3, falloff=0.45)
        relative += np.float32(roughness) * waves
    thickness: FloatArray = np.float32(mean_a) * np.clip(relative, 0.15, 8.0)
    return thickness


def fill_with_ice(
    scene: Scene,
    rng: np.random.Generator,
    *,
    thickness_a: FloatArray,
    dose_e_per_a2: float,
    debris: float,
    surface: float,
) -> None:
    """Paint vitreous ice of a given thickness map over the whole scene.

    Where the label ``empty_no_ice`` will be set later, the film's painter takes it away again.
    ``debris`` and ``surface`` are those of `ice_amplitude`.
    """
    scene.thickness_a += thickness_a
    mean = float(thickness_a.mean())
    if mean <= 0.0:
        return
    amplitude = ice_amplitude(
        scene.grid,
        scene.voltage_kv,
        mean,
        dose_e_per_a2=dose_e_per_a2,
        debris=debris,
        surface=surface,
    )
    noise = coloured_noise(rng, scene.grid, amplitude)
    noise *= np.sqrt(thickness_a / np.float32(mean))
    scene.phase += noise
    scene.bulk += thickness_a * np.float32(scene.sigma * ICE_V)
    scene.loss += thickness_a / np.float32(ice_free_path_a(scene.voltage_kv))
