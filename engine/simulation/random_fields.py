"""Random fields with a given spectrum, from which ice, film and texture are made."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cryoverdict.engine.simulation.grid import FloatArray, Grid


def white_spectrum(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Return the half-complex Fourier transform of white noise of unit variance on ``grid``.

    Drawn in Fourier space, which saves one transform. The layout is that of `numpy.fft.rfft2`;
    the few self-conjugate cells have half their right variance, which no one can see.
    """
    half = (grid.ny, grid.nx // 2 + 1)
    pairs = rng.standard_normal((half[0], half[1], 2), dtype=np.float32)
    pairs *= np.float32(np.sqrt(0.5 * grid.ny * grid.nx))
    spectrum: np.ndarray = pairs.view(np.complex64)[..., 0]
    spectrum[0, 0] = 0.0
    return spectrum


def coloured_noise(rng: np.random.Generator, grid: Grid, amplitude: FloatArray) -> FloatArray:
    """Return noise ``(ny, nx)`` whose Fourier amplitudes are white noise times ``amplitude``.

    ``amplitude`` is in rfft2 layout. For a power spectral density P (unit² Å²) give
    ``sqrt(P) / pixel_size_a``.
    """
    from scipy.fft import irfft2

    spectrum = white_spectrum(rng, grid)
    spectrum *= amplitude
    field: FloatArray = irfft2(spectrum, grid.shape)
    return field


@lru_cache(maxsize=64)
def _spline_weights(coarse: int, fine: int) -> FloatArray:
    """Return the ``(fine, coarse)`` matrix of uniform cubic B-spline interpolation."""
    at = np.linspace(1.0, coarse - 2.0, fine)
    base = np.clip(np.floor(at).astype(int), 1, coarse - 3)
    t = at - base
    weights = np.zeros((fine, coarse), dtype=np.float32)
    rows = np.arange(fine)
    for step, value in (
        (-1, (1 - t) ** 3 / 6),
        (0, (3 * t**3 - 6 * t**2 + 4) / 6),
        (1, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6),
        (2, t**3 / 6),
    ):
        weights[rows, base + step] += value.astype(np.float32)
    weights.setflags(write=False)
    return weights


def upsample(coarse: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return ``coarse`` (at least 4 by 4) smoothly drawn out to ``shape`` by cubic B-splines.

    Two matrix products, which is many times faster than a general resampling.
    """
    wy = _spline_weights(coarse.shape[0], shape[0])
    wx = _spline_weights(coarse.shape[1], shape[1])
    out: FloatArray = (wy @ coarse.astype(np.float32, copy=False)) @ wx.T
    return out


def smooth_field(rng: np.random.Generator, grid: Grid, scale_a: float) -> FloatArray:
    """Return a random field ``(ny, nx)`` of about unit variance, varying over ``scale_a`` (Å)."""
    step = max(2.0, grid.px(scale_a))
    coarse = tuple(max(4, round(n / step) + 3) for n in grid.shape)
    # The B-spline halves the amplitude of white knots; 1 / 0.48 makes good for it.
    return upsample(rng.standard_normal(coarse, dtype=np.float32) / np.float32(0.48), grid.shape)


def rough_field(
    rng: np.random.Generator, grid: Grid, coarsest_a: float, *, octaves: int, falloff: float
) -> FloatArray:
    """Return a fractal field: a sum of smooth fields, each of half the scale of the one before.

    The amplitude of each octave is ``falloff`` times that of the one before.
    """
    field = smooth_field(rng, grid, coarsest_a)
    for octave in range(1, octaves):
        scale = coarsest_a / 2.0**octave
        if grid.px(scale) < 3.0:
            break
        field += np.float32(falloff**octave) * smooth_field(rng, grid, scale)
    return field
