"""The exposure: from the specimen's wave to expected electrons, with motion and tilt."""

from __future__ import annotations

import math

import numpy as np

from cryoverdict.engine.simulation.aberration import Aberration, propagation, wave_transfer
from cryoverdict.engine.simulation.grid import FloatArray, Grid, frequencies
from cryoverdict.engine.simulation.scene import Scene

# A tilted view is made of this many strips, each at its own defocus.
MOST_STRIPS = 9


def exit_wave(scene: Scene, amplitude_contrast: float) -> np.ndarray:
    """Return the transforms of the wave's real and imaginary part, stacked on axis 0.

    ψ = exp(−loss/2 − W φ + i (√(1 − W²) φ + β)): W is the amplitude contrast, φ the phase of thin
    things, β that of the bulk; particles in slabs at other heights are added.
    """
    from scipy.fft import rfft2

    phase = scene.phase - np.float32(scene.phase[::4, ::4].mean())
    size = np.exp(np.float32(-0.5) * scene.loss - np.float32(amplitude_contrast) * phase)
    phase *= np.float32(math.sqrt(1.0 - amplitude_contrast**2))
    phase += scene.bulk
    wave = np.empty((2, *phase.shape), dtype=np.float32)
    np.multiply(size, np.cos(phase), out=wave[0])
    np.multiply(size, np.sin(phase), out=wave[1])
    transformed: np.ndarray = rfft2(wave, axes=(1, 2))
    w = np.float32(amplitude_contrast)
    for height, slab in scene.slabs:
        # Single scattering is enough for a particle: ψ += (i − W) φ ψ, propagated by its height.
        scattered = rfft2(wave * slab, axes=(1, 2))
        real, imaginary = propagation(scene.grid, height, scene.voltage_kv)
        factor_real, factor_imaginary = -w * real - imaginary, real - w * imaginary
        transformed[0] += scattered[0] * factor_real - scattered[1] * factor_imaginary
        transformed[1] += scattered[0] * factor_imaginary + scattered[1] * factor_real
    return transformed


def intensity(wave: np.ndarray, grid: Grid, lens: Aberration) -> FloatArray:
    """Return |ψ ⊗ lens|² ``(ny, nx)``: relative to the bare beam, vacuum is 1."""
    from scipy.fft import irfft2

    real, imaginary = wave_transfer(grid, lens)
    out_real = irfft2(wave[0] * real - wave[1] * imaginary, grid.shape)
    out_imaginary = irfft2(wave[0] * imaginary + wave[1] * real, grid.shape)
    out_real *= out_real
    out_imaginary *= out_imaginary
    out_real += out_imaginary
    image: FloatArray = out_real
    return image


def tilted_intensity(
    wave: np.ndarray, grid: Grid, lens: Aberration, tilt_deg: float, axis_deg: float
) -> FloatArray:
    """Return the image of a specimen tilted about an in-plane axis: defocus runs across it.

    Images at a few defoci, blended linearly between neighbours.
    """
    slope = math.tan(math.radians(tilt_deg))
    y = (np.arange(grid.ny, dtype=np.float32) - grid.ny / 2)[:, None] * grid.pixel_size_a
    x = (np.arange(grid.nx, dtype=np.float32) - grid.nx / 2)[None, :] * grid.pixel_size_a
    a = math.radians(axis_deg)
    height = (np.float32(-math.sin(a)) * x + np.float32(math.cos(a)) * y) * np.float32(slope)
    reach = float(np.abs(height).max())
    count = int(np.clip(2 * reach / 700.0, 2, MOST_STRIPS))
    levels = np.linspace(-reach, reach, count)
    gap = levels[1] - levels[0]
    total = np.zeros(grid.shape, dtype=np.float32)
    for level in levels:
        weight = np.clip(1.0 - np.abs(height - np.float32(level)) / np.float32(gap), 0.0, 1.0)
        total += weight * intensity(wave, grid, lens.defocused(float(level)))
    return total


def motion_transfer(
    grid: Grid, trajectory_a: tuple[tuple[float, float], ...], sigma_a: float
) -> np.ndarray | None:
    """Return the transfer function of movement during the exposure, in rfft2 layout, or None.

    ``trajectory_a`` are equally long stays at offsets (dy, dx) in Å; ``sigma_a`` is the σ of what
    is left besides, of no direction.
    """
    f = frequencies(grid.ny, grid.nx, grid.pixel_size_a)
    transfer: np.ndarray | None = None
    if trajectory_a:
        transfer = np.zeros(f.k2.shape, dtype=np.complex64)
        for dy, dx in trajectory_a:
            turn_y = np.exp(f.ky * np.float32(-2.0 * math.pi * dy) * np.complex64(1j))
            turn_x = np.exp(f.kx * np.float32(-2.0 * math.pi * dx) * np.complex64(1j))
            transfer += turn_y * turn_x
        transfer /= np.float32(len(trajectory_a))
    if sigma_a > 0.0:
        blur = np.exp(f.k2 * np.float32(-2.0 * math.pi**2 * sigma_a**2))
        transfer = blur if transfer is None else transfer * blur
    return transfer


def blurred_length_a(trajectory_a: tuple[tuple[float, float], ...]) -> float:
    """Return the length (Å) of the straight, even drift that blurs as much as this movement.

    √12 times the greatest standard deviation of the offsets over all directions.
    """
    if len(trajectory_a) < 2:
        return 0.0
    spread = np.linalg.eigvalsh(np.cov(np.asarray(trajectory_a).T, bias=True))
    return float(math.sqrt(12.0 * max(0.0, spread[-1])))
