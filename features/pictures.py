"""Two small pictures of a micrograph for people: itself, and its power spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.coarse_bands import window_means
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.view import View

SIDE_PX = 256
_SMOOTH_RINGS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Grey pictures ``(y, x)`` uint8, first row on top, at most 256 pixels a side.

    ``thumbnail`` has particles dark; ``spectrum`` is square with frequency 0 in the middle and
    Nyquist at the borders, its slow fall from low to high frequencies taken off, so that Thon
    rings and ice rings show.
    """

    thumbnail: NDArray[np.uint8]
    spectrum: NDArray[np.uint8]


def pictures(view: View) -> Pictures:
    """Return the two pictures of a view."""
    side = min(SIDE_PX, max(view.coarse.shape))
    return Pictures(
        thumbnail=_stretched(window_means(view.coarse, side), 0.5, 99.5),
        # The lines that a detector writes on the axes are 1/128 of the picture.
        spectrum=_stretched(_flat_spectrum(view.spectrum), 1.0, 99.0),
    )


def _stretched(image: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return 8-bit grey values between two percentiles of the image."""
    dark, bright = np.percentile(image, [low, high])
    scaled = (image - dark) * (255.0 / max(float(bright - dark), 1e-12))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _flat_spectrum(spectrum: PowerSpectrum) -> NDArray[np.float32]:
    """Return the centred log power without its radial background, at most 256 pixels a side."""
    from scipy import ndimage

    box = spectrum.box
    power = spectrum.power
    log_power = np.log(np.maximum(power, 1e-6 * float(power.mean())))
    ring = np.rint(spectrum.frequency() * box).astype(np.intp)
    count = np.bincount(ring.ravel())
    mean = np.bincount(ring.ravel(), log_power.ravel()) / np.maximum(count, 1)
    # The first rings hold the field's shape, far above all else.
    mean[:3] = mean[3]
    flat = log_power - ndimage.gaussian_filter1d(mean, _SMOOTH_RINGS, mode="nearest")[ring]
    flat[ring < 3] = 0.0
    mirrored = np.roll(flat[::-1, 1:-1][:, ::-1], 1, axis=0)
    centred = np.fft.fftshift(np.concatenate((flat, mirrored), axis=1)).astype(np.float32)
    return window_means(centred, min(SIDE_PX, box))
