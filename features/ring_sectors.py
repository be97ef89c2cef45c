"""The power spectrum by direction: how strong its Thon rings are in each sector.

Astigmatism moves the rings of a sector in and out; drift and charging weaken them, and the more
the finer they are. So the strength of the oscillation along the radius, whatever its phase, tells
the two apart, and no CTF needs to be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.view import View

SECTORS = 12  # of 15° over the half turn; the axes and diagonals lie in the middle of theirs
_WINDOW = 16  # rings whose oscillation is judged together
_SMOOTH = 8.0  # rings: the background is the profile smoothed by this Gaussian
_FIRST = 12  # rings nearer to the origin hold the shape of the background, not Thon rings


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSectors:
    """Oscillation of the sector profiles over windows of rings.

    ``energy`` ``(windows, sectors)`` is the mean squared relative oscillation less that expected
    from noise; ``error`` of the same shape its standard error; ``frequency`` the middle of each
    window in cycles a pixel; ``angle_deg`` the direction of each sector, counter-clockwise from
    the horizontal in a picture with the first row on top.
    """

    energy: NDArray[np.float64]
    error: NDArray[np.float64]
    frequency: NDArray[np.float64]
    angle_deg: NDArray[np.float64]


def directions(spectrum: PowerSpectrum) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return angle (radians, 0 to π) and weight of each cell of a power spectrum.

    Cells on and beside the axes have weight 0: detectors write lines there. Column 0 holds each
    of its frequencies twice.
    """
    box = spectrum.box
    ky = np.rint(np.fft.fftfreq(box, 1 / box))[:, None]
    kx = np.arange(spectrum.power.shape[1], dtype=np.float64)[None, :]
    weight = np.ones(spectrum.power.shape)
    weight[(np.abs(ky) < 2) | (kx < 2) | (np.hypot(ky, kx) > box / 2 - 1)] = 0.0
    return np.mod(np.arctan2(-ky, kx), np.pi), weight


def sector_profiles(
    spectrum: PowerSpectrum,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean power ``(rings, sectors)`` and the number of cells behind each mean."""
    angle, weight = directions(spectrum)
    sector = np.rint(angle * (SECTORS / np.pi)).astype(np.intp) % SECTORS
    ring = np.rint(spectrum.frequency() * spectrum.box).astype(np.intp)
    used = weight > 0
    cell = (ring * SECTORS + sector)[used]
    size = (spectrum.box // 2) * SECTORS
    total = np.bincount(cell, spectrum.power[used].astype(np.float64), minlength=size)[:size]
    count = np.bincount(cell, minlength=size)[:size].astype(np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return mean.reshape(-1, SECTORS), count.reshape(-1, SECTORS)


@cache
def _high_pass(length: int) -> NDArray[np.float64]:
    """Return the matrix that takes the background off a radial profile of ``length`` rings.

    Smoothing twice keeps the slope at the ends from looking like an oscillation.
    """
    from scipy import ndimage

    unit = np.eye(length)
    rest = unit - ndimage.gaussian_filter1d(unit, _SMOOTH, axis=0, mode="nearest")
    return np.asarray(rest @ rest)


def ring_sectors(view: View) -> RingSectors | None:
    """Return the ring strength by direction, or None for a spectrum too small to tell.

    Call it as ``view.once(ring_sectors)``.
    """
    profile, count = sector_profiles(view.spectrum)
    last = len(profile) - 2
    if last < _FIRST + 3 * _WINDOW:
        return None
    profile, count = profile[_FIRST:last], np.maximum(count[_FIRST:last], 1.0)
    profile = np.where(np.isfinite(profile), profile, np.nanmean(profile, axis=1, keepdims=True))
    level = np.log(np.maximum(profile, 1e-12 * np.nanmax(profile)))
    keep = _high_pass(len(level))
    oscillation = keep @ level
    noise = np.square(keep) @ (1.0 / (count * view.spectrum.samples))
    windows = len(level) // _WINDOW
    shaped = (windows, _WINDOW, SECTORS)
    used = windows * _WINDOW
    squared = np.square(oscillation[:used]).reshape(shaped)
    expected = noise[:used].reshape(shaped)
    # The outermost third hardly ever holds rings, so it tells how smooth the spectrum really is.
    outer = slice(windows - max(2, windows // 3), windows)
    expected *= float(np.median(squared[outer].mean(axis=1) / expected[outer].mean(axis=1)))
    return RingSectors(
        energy=(squared - expected).mean(axis=1),
        error=np.sqrt(2.0 * np.square(expected).sum(axis=1)) / _WINDOW,
        frequency=(_FIRST + _WINDOW * (np.arange(windows) + 0.5)) / view.spectrum.box,
        angle_deg=np.asarray(np.arange(SECTORS) * (180.0 / SECTORS), np.float64),
    )
