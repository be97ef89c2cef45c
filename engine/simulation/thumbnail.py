"""Micrographs as many data sets arrive: Fourier-cropped and stretched to 8 bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.grid import FloatArray

STRETCHES = ("min-max", "percentile", "sigma", "hard")


def bin_image(pixels: FloatArray, binning: float) -> FloatArray:
    """Return the image Fourier-cropped by ``binning`` (any factor of at least 1)."""
    from scipy.fft import irfft2, rfft2

    if binning == 1.0:
        return pixels
    ny, nx = (max(8, round(n / binning)) for n in pixels.shape)
    nx += nx % 2
    spectrum = rfft2(pixels)
    half = ny // 2
    cropped = np.concatenate(
        [spectrum[: ny - half, : nx // 2 + 1], spectrum[-half:, : nx // 2 + 1]]
    )
    image: FloatArray = irfft2(cropped, (ny, nx)) * np.float32(ny * nx / pixels.size)
    return image.astype(np.float32)


def stretch(pixels: FloatArray, how: str) -> NDArray[np.uint8]:
    """Return 8-bit grey values of a range: all, 0.1 to 99.9 %, ±3σ, or (hard) 1.5 to 98.5 %."""
    if how == "min-max":
        low, high = float(pixels.min()), float(pixels.max())
    elif how == "sigma":
        mean, sigma = float(pixels.mean()), float(pixels.std())
        low, high = mean - 3.0 * sigma, mean + 3.0 * sigma
    else:
        cut = 0.1 if how == "percentile" else 1.5
        low, high = (float(v) for v in np.percentile(pixels, (cut, 100.0 - cut)))
    span = max(high - low, 1e-12)
    scaled = (pixels - np.float32(low)) * np.float32(255.0 / span)
    grey: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return grey
