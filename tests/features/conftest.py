"""What the tests of measurements share: power spectra with a known CTF, drawn cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.ctf import Ctf, astigmatic
from cryoverdict.features.optics import Optics
from cryoverdict.features.power_spectrum import PowerSpectrum


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A spectrum with what is true of it."""

    spectrum: PowerSpectrum
    optics: Optics
    ctf: Ctf


def draw_spectrum(
    seed: int,
    *,
    mean_a: float = 15_000.0,
    astigmatism_a: float = 300.0,
    angle_deg: float = 30.0,
    phase_shift_deg: float = 0.0,
    pixel_size_a: float = 1.5,
    voltage_kv: float = 300.0,
    cs_mm: float = 2.7,
    strength: float = 0.4,
    b_factor_a2: float = 60.0,
    cut: float = np.inf,
    drift_a: float = 0.0,
    drift_deg: float = 0.0,
    box: int = 512,
    samples: int = 16,
) -> Drawn:
    """Return mean powers of ``samples`` exponential variables around background plus rings.

    The rings have ``strength`` relative to the background at frequency 0 and end at ``cut`` (1/Å).
    """
    rng = np.random.default_rng(seed)
    double = np.radians(2.0 * angle_deg)
    u, v, angle = astigmatic(
        mean_a, (astigmatism_a * float(np.cos(double)), astigmatism_a * float(np.sin(double)))
    )
    ctf = Ctf(
        defocus_u_a=u,
        defocus_v_a=v,
        defocus_angle_deg=angle,
        phase_shift_deg=phase_shift_deg,
        voltage_kv=voltage_kv,
        cs_mm=cs_mm,
        amplitude_contrast=0.1,
    )
    fy = np.fft.fftfreq(box)[:, None] / pixel_size_a
    fx = np.arange(box // 2 + 1)[None, :] / (box * pixel_size_a)
    s = np.hypot(fy, fx)
    rings = strength * np.exp(-0.5 * b_factor_a2 * s**2) * (s <= cut)
    along = fx * np.cos(np.radians(drift_deg)) + fy * np.sin(np.radians(drift_deg))
    rings = rings * np.sinc(along * drift_a) ** 2
    background = 1.0 + 8.0 * np.exp(-s / 0.012) + 0.3 * np.exp(-((s / 0.25) ** 2))
    expected = background + rings * ctf.grid(box, pixel_size_a) ** 2
    power: NDArray[np.float64] = expected * rng.gamma(samples, 1.0 / samples, s.shape)
    return Drawn(
        spectrum=PowerSpectrum(
            power=power.astype(np.float32), pixel_size_a=pixel_size_a, samples=float(samples)
        ),
        optics=Optics(
            pixel_size_a=pixel_size_a,
            voltage_kv=voltage_kv,
            cs_mm=cs_mm,
            amplitude_contrast=0.1,
        ),
        ctf=ctf,
    )


@pytest.fixture(scope="session")
def draw() -> Callable[..., Drawn]:
    """Return `draw_spectrum`: tests import no other test file."""
    return draw_spectrum
