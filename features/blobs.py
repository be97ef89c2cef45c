"""Dark blobs over scales, against what a Gaussian field of the same spectrum would show.

A phase-randomised copy of an image is a Gaussian random field with the image's own power spectrum.
How many peaks of which height such a field has is known in closed form (Longuet-Higgins 1957; Bond
and Efstathiou 1987), so the null needs no copies and no random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.area_map import usable_area
from cryoverdict.features.view import View

# Widths of the Gaussians, in 512ths of the longer side: blobs of 2.8 times that diameter.
SCALES = (2.0, 2.8, 4.0, 5.7, 8.0, 11.3, 16.0)
# The wider Gaussian of each band, as a multiple of the narrower one.
WIDER = 1.6
DIAMETER_OF_SCALE = 2.0 * sqrt(2.0)
# Peaks count from this height, in deviations of the band.
PEAK_HEIGHT = 2.5
FIELD = 512.0
LEAST_USABLE = 0.08
_Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobScale:
    """What one band shows: peaks found and expected, and the shape of its distribution.

    ``dark`` and ``light`` count peaks of either sign above `PEAK_HEIGHT`, ``expected`` those of
    the null, all within the usable area. ``heights`` (deviations) and ``places`` ``(n, 2)`` (coarse
    pixels, y and x) are those of the dark ones. ``skewness`` is of the darkness.
    """

    sigma: float
    dark: int
    light: int
    expected: float
    skewness: float
    kurtosis: float
    heights: _Float
    places: NDArray[np.intp]

    @property
    def excess(self) -> float:
        """Dark peaks beyond the null, in Poisson deviations of the null."""
        return (self.dark - self.expected) / sqrt(self.expected + 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """All bands of one micrograph; ``best`` has the largest excess; ``usable`` is a fraction."""

    scales: tuple[BlobScale, ...]
    usable: float
    shape: tuple[int, int]

    @property
    def best(self) -> BlobScale:
        """The band in which most peaks are beyond the null."""
        return max(self.scales, key=lambda s: s.excess)


def find_blobs(view: View) -> Blobs | None:
    """Return the blobs of a view (once for each), ``None`` where too little is usable."""
    from scipy import fft

    usable = view.once(usable_area).usable
    share = float(usable.mean())
    if share < LEAST_USABLE:
        return None
    shape = (view.coarse.shape[0], view.coarse.shape[1])
    field = np.where(usable, view.coarse, np.float32(0.0))
    field -= np.float32(field.sum() / usable.sum()) * usable
    transform = fft.rfft2(field)
    cycles = _cycles(shape)
    scales = tuple(_scale(transform, cycles, usable, shape, sigma) for sigma in SCALES)
    return Blobs(scales=scales, usable=share, shape=shape)


def _cycles(shape: tuple[int, int]) -> _Float:
    """Return the frequency of each Fourier cell in cycles a field (the longer side)."""
    side = float(max(shape))
    fy = np.fft.fftfreq(shape[0]) * side
    fx = np.fft.rfftfreq(shape[1]) * side
    return np.asarray(np.hypot(fy[:, None], fx[None, :]), np.float32)


def _scale(
    transform: NDArray[np.complex64],
    cycles: _Float,
    usable: NDArray[np.bool_],
    shape: tuple[int, int],
    sigma: float,
) -> BlobScale:
    """Return what one band shows."""
    from scipy import fft

    k = np.square(cycles) * np.float32(-2.0 * (pi / FIELD) ** 2 * sigma**2)
    gain = np.exp(k) - np.exp(k * np.float32(WIDER**2))
    band = transform * gain
    darkness = np.asarray(-fft.irfft2(band, s=shape), np.float32)
    inside = darkness[usable]
    deviation = float(inside.std()) or 1.0
    darkness /= np.float32(deviation)
    reach = max(1, round(sigma * max(shape) / FIELD))
    kept = _shrunk(usable, reach)
    dark, light = _peaks(darkness, kept), _peaks(-darkness, kept)
    power = np.square(band.real) + np.square(band.imag)
    power[:, 1:-1] *= np.float32(2.0)
    omega = cycles * np.float32(2.0 * pi / max(shape))
    z = inside / np.float32(deviation)
    return BlobScale(
        sigma=sigma,
        dark=len(dark),
        light=len(light),
        expected=expected_peaks(power, omega, PEAK_HEIGHT) * float(kept.sum()),
        skewness=float(np.mean(z * z * z)),
        kurtosis=float(np.mean(np.square(z * z)) - 3.0),
        heights=darkness[dark[:, 0], dark[:, 1]],
        places=dark,
    )


def _shrunk(usable: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the usable area without its rim, whose peaks belong to what was cut out."""
    from scipy import ndimage

    if usable.all():
        return usable
    outside = ndimage.uniform_filter((~usable).astype(np.float32), size=2 * reach + 1)
    inner: NDArray[np.bool_] = usable & (outside < 1e-6)
    return inner


def _peaks(field: _Float, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places ``(n, 2)`` of local maxima above `PEAK_HEIGHT`, not at the border."""
    high = (field > PEAK_HEIGHT) & kept
    high[0, :] = high[-1, :] = high[:, 0] = high[:, -1] = False
    y, x = np.nonzero(high)
    level = field[y, x]
    top = np.ones(len(y), dtype=np.bool_)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        top &= level > field[y + dy, x + dx]
    return np.column_stack([y[top], x[top]])


def expected_peaks(power: _Float, omega: _Float, height: float) -> float:
    """Return the expected number of peaks above ``height`` a pixel of a Gaussian field.

    ``height`` is in deviations; ``power`` is the power in each Fourier cell, ``omega`` the cell's
    angular frequency in radians a pixel. Source: Bond and Efstathiou 1987, appendix 1.
    """
    from scipy.special import erfc

    square = np.square(omega)
    s0, s1, s2 = (float(np.sum(power * square**n, dtype=np.float64)) for n in range(3))
    if s0 <= 0.0 or s2 <= 0.0:
        return 0.0
    gamma = min(s1 / sqrt(s0 * s2), 0.9999)
    nu = np.linspace(height, height + 8.0, 400)
    x = gamma * nu
    rest = 1.0 - gamma**2
    curved = 3.0 - 2.0 * gamma**2
    g = (
        (x**2 - gamma**2) * (1.0 - 0.5 * erfc(x / sqrt(2.0 * rest)))
        + x * rest * np.exp(-(x**2) / (2.0 * rest)) / sqrt(2.0 * pi * rest)
        + np.exp(-(x**2) / curved)
        / sqrt(curved)
        * (1.0 - 0.5 * erfc(x / sqrt(2.0 * rest * curved)))
    )
    density = np.exp(-(nu**2) / 2.0) * g / (2.0 * pi) ** 1.5 * (s2 / s1) / 2.0
    return float(np.trapezoid(density, nu))
