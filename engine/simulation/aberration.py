"""The objective lens: what defocus, astigmatism and the envelopes make of the exit wave."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cryoverdict.engine.simulation.grid import FloatArray, Grid, frequencies
from cryoverdict.features.optics import electron_wavelength_a


@dataclass(frozen=True, slots=True, kw_only=True)
class Aberration:
    """Defocus along both axes (Å, underfocus positive), angle of U from x, Cs and phase plate."""

    defocus_u_a: float
    defocus_v_a: float
    defocus_angle_deg: float
    voltage_kv: float
    cs_mm: float
    phase_shift_deg: float = 0.0
    energy_spread_a: float = 60.0
    source_angle_mrad: float = 0.03

    def defocused(self, extra_a: float) -> Aberration:
        """Return the same lens with ``extra_a`` (Å) more underfocus."""
        return Aberration(
            defocus_u_a=self.defocus_u_a + extra_a,
            defocus_v_a=self.defocus_v_a + extra_a,
            defocus_angle_deg=self.defocus_angle_deg,
            voltage_kv=self.voltage_kv,
            cs_mm=self.cs_mm,
            phase_shift_deg=self.phase_shift_deg,
            energy_spread_a=self.energy_spread_a,
            source_angle_mrad=self.source_angle_mrad,
        )


def wave_transfer(grid: Grid, lens: Aberration) -> tuple[FloatArray, FloatArray]:
    """Return real and imaginary part of the wave's transfer function, in rfft2 layout.

    The function is exp(iγ)·E with γ = πλ Δf(θ) k² − ½π Cs λ³ k⁴ + plate; a weak object of phase φ
    (amplitude part W = sin α) then gives the intensity 1 − 2φ sin(γ + α), the contrast transfer
    function as RELION and CTFFIND have it. E is the temporal envelope (focus spread, Å, 1 σ) times
    the spatial one (illumination semi-angle, mrad). Both parts are even functions of frequency, so
    half of the plane holds all.
    """
    f = frequencies(grid.ny, grid.nx, grid.pixel_size_a)
    wavelength = electron_wavelength_a(lens.voltage_kv)
    mean = 0.5 * (lens.defocus_u_a + lens.defocus_v_a)
    half = 0.5 * (lens.defocus_u_a - lens.defocus_v_a)
    twice = math.radians(2.0 * lens.defocus_angle_deg)
    cs_a = lens.cs_mm * 1e7
    gamma = f.k2 * np.float32(-0.5 * math.pi * cs_a * wavelength**3)
    gamma += np.float32(math.pi * wavelength * mean)
    if half != 0.0:
        amplitude = math.pi * wavelength * half
        gamma += np.float32(amplitude * math.cos(twice)) * f.cos2
        gamma += np.float32(amplitude * math.sin(twice)) * f.sin2
    gamma *= f.k2
    temporal = 0.5 * (math.pi * wavelength * lens.energy_spread_a) ** 2
    damping = f.k2 * np.float32(-temporal)
    source = (math.pi * lens.source_angle_mrad * 1e-3 / wavelength) ** 2
    gradient = np.float32(cs_a * wavelength**3) * f.k2 - np.float32(wavelength * mean)
    damping -= np.float32(source) * gradient * gradient
    damping *= f.k2
    envelope = np.exp(damping)
    gamma += np.float32(math.radians(lens.phase_shift_deg))
    real, imaginary = np.cos(gamma), np.sin(gamma)
    real *= envelope
    imaginary *= envelope
    # The unscattered beam passes the plate's hole and is not shifted.
    real[0, 0], imaginary[0, 0] = 1.0, 0.0
    return real, imaginary


def propagation(grid: Grid, distance_a: float, voltage_kv: float) -> tuple[FloatArray, FloatArray]:
    """Return real and imaginary part of free propagation by ``distance_a`` (Å) down the column.

    What lies higher by Δz is seen at Δz less underfocus: exp(−iπλ Δz k²).
    """
    f = frequencies(grid.ny, grid.nx, grid.pixel_size_a)
    angle = f.k2 * np.float32(-math.pi * electron_wavelength_a(voltage_kv) * distance_a)
    return np.cos(angle), np.sin(angle)
