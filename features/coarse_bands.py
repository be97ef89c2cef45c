"""The coarse image by scales: its transform, its radial power and its band-passed copies.

Lengths are in field units: a 512th of the longer side of the micrograph. A thumbnail and the
full-size micrograph it was made from have the same lengths in them, with or without a pixel size.
Frequencies are in cycles a field, so that 256 is the finest a 512-pixel coarse image holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.periodic_part import border_jumps, remove_smooth_part
from cryoverdict.features.view import View

FIELD = 512.0
_Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseBands:
    """The periodic part of the coarse image in Fourier space.

    ``transform`` is ``(y, x // 2 + 1)`` complex64 for a coarse image of ``shape``; ``cycles`` are
    the frequencies of its cells in cycles a field; ``radial_power[k]`` is the mean squared
    amplitude at about ``k`` cycles a field, 1 for white noise of deviation 1.
    """

    shape: tuple[int, int]
    transform: NDArray[np.complex64]
    cycles: _Float
    ring: NDArray[np.intp]
    radial_power: NDArray[np.float64]

    def passed(self, sigma: float, without: float | None = None) -> _Float:
        """Return the image smoothed by a Gaussian of ``sigma`` field units.

        With ``without``, less the image smoothed by that wider Gaussian: a band.
        """
        from scipy import fft

        gain = _gaussian(self.cycles, sigma)
        if without is not None:
            gain -= _gaussian(self.cycles, without)
        return np.asarray(fft.irfft2(self.transform * gain, s=self.shape), np.float32)

    def smoothed(self, image: NDArray[np.floating], sigma: float) -> _Float:
        """Return another image of the same shape smoothed by ``sigma`` field units."""
        from scipy import fft

        gain = _gaussian(self.cycles, sigma)
        return np.asarray(fft.irfft2(fft.rfft2(image) * gain, s=self.shape), np.float32)


def _gaussian(cycles: _Float, sigma: float) -> _Float:
    """Return the transfer of a Gaussian of ``sigma`` field units."""
    scale = np.float32(-2.0 * np.pi**2 * (sigma / FIELD) ** 2)
    return np.asarray(np.exp(scale * np.square(cycles)), np.float32)


def coarse_bands(view: View) -> CoarseBands:
    """Return the coarse image in Fourier space; call it as ``view.once(coarse_bands)``."""
    from scipy import fft

    rows, columns = shape = (view.coarse.shape[0], view.coarse.shape[1])
    transform = fft.rfft2(view.coarse)
    transform[0, 0] = 0.0
    remove_smooth_part(transform, border_jumps(view.coarse))
    cycles, ring = _frequencies(rows, columns)
    power = np.square(transform.real) + np.square(transform.imag)
    # Columns other than the first stand for their mirror image too.
    weight = np.full(power.shape, 2.0, np.float32)
    weight[:, 0] = 1.0
    if columns % 2 == 0:
        weight[:, -1] = 1.0
    total = np.bincount(ring.ravel(), (power * weight).ravel())
    count = np.bincount(ring.ravel(), weight.ravel())
    radial = total / np.maximum(count, 1.0) / (rows * columns)
    return CoarseBands(
        shape=shape, transform=transform, cycles=cycles, ring=ring, radial_power=radial
    )


@lru_cache(maxsize=4)
def _frequencies(rows: int, columns: int) -> tuple[_Float, NDArray[np.intp]]:
    """Return the frequency of each cell in cycles a field, and the same rounded; read-only."""
    longer = max(rows, columns)
    down = np.fft.fftfreq(rows).astype(np.float32) * longer
    across = np.arange(columns // 2 + 1, dtype=np.float32) / columns * longer
    cycles = np.hypot(down[:, None], across[None, :])
    ring = np.rint(cycles).astype(np.intp)
    cycles.flags.writeable = ring.flags.writeable = False
    return cycles, ring


def without_border(image: _Float) -> _Float:
    """Return the image without a 32nd of its side along each border.

    Motion correction, gain references and stretching leave their marks there.
    """
    y, x = image.shape[0] // 32, image.shape[1] // 32
    return image[y : image.shape[0] - y, x : image.shape[1] - x]


def window_means(image: _Float, windows: int = 16) -> _Float:
    """Return the means over a grid of windows, ``windows`` of them along the longer side.

    Windows are cut at fractions of a pixel, so that the grid of a rotated image is the rotated
    grid for every image size.
    """
    rows, columns = image.shape
    longer = max(rows, columns)
    down = _overlaps(rows, max(2, round(windows * rows / longer)))
    across = _overlaps(columns, max(2, round(windows * columns / longer)))
    return np.asarray(down @ image @ across.T, np.float32)


def _overlaps(length: int, cells: int) -> _Float:
    """Return the ``(cells, length)`` weights of pixels in equal cells of an axis."""
    edges = np.linspace(0.0, length, cells + 1)
    start = np.arange(length)
    inside = np.minimum(edges[1:, None], start + 1) - np.maximum(edges[:-1, None], start)
    return np.asarray(np.clip(inside, 0.0, 1.0) * (cells / length), np.float32)


def radial_mean(view: View, low: float, high: float) -> float:
    """Return the mean power between two frequencies in cycles a field; NaN if there are none."""
    power = view.once(coarse_bands).radial_power
    ring = np.arange(len(power))
    inside = (ring >= low) & (ring < high)
    weight = ring[inside].astype(np.float64)
    total = float(weight.sum())
    return float((power[inside] * weight).sum() / total) if total > 0 else float("nan")
