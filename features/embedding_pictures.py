"""The two small pictures that the embedding's network looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.view import View

# The field is shown at this many Å a pixel, as far as its longer side then has so many pixels.
STEP_A = 8.0
SIDES_PX = (192, 384)
# What a field is taken to be wide where the pixel size is unknown, as most cameras' are.
USUAL_FIELD_A = 4000.0
# The spectrum is shown by direction (half a turn) and frequency (to Nyquist).
ANGLES = 32
RADII = 160
# Grey values are asinh of robust deviations, and tens of a decade, around 128.
_FIELD_GAIN = 32.0
_SPECTRUM_GAIN = 40.0
_FLAT_GAIN = 80.0
_SMOOTH_RADII = 6.0
_MAD_TO_DEVIATION = 1.482602


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPictures:
    """What a micrograph looks like to the network, in 8 bit, so that rounding cannot move it.

    ``field`` ``(y, x)`` is the whole micrograph, particles dark, at 8 Å a pixel where that makes
    192 to 384 pixels. ``spectrum`` ``(2, 32, 160)`` is the logarithm of the power over direction
    and frequency, and the same without its radial fall. ``nyquist_per_a`` is the highest
    frequency shown in 1/Å, ``None`` where the pixel size is unknown.
    """

    field: NDArray[np.uint8]
    spectrum: NDArray[np.uint8]
    nyquist_per_a: float | None


def network_pictures(view: View) -> NetworkPictures:
    """Return the pictures of a view; call it as ``view.once(network_pictures)``."""
    pixel_a = view.optics.pixel_size_a
    longer = max(view.coarse.shape)
    field_a = USUAL_FIELD_A if pixel_a is None else longer * view.coarse_step_px * pixel_a
    side = min(longer, int(np.clip(round(field_a / STEP_A), *SIDES_PX)))
    return NetworkPictures(
        field=_eight_bit_field(_reduced(view.coarse, side)),
        spectrum=_polar(view.spectrum),
        nyquist_per_a=None if pixel_a is None else 0.5 / pixel_a,
    )


def _reduced(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the image averaged onto ``side`` pixels on its longer side, any ratio."""
    shape = tuple(max(8, round(n * side / max(image.shape))) for n in image.shape)
    if shape == image.shape:
        return image
    down, across = (_averaging(n, m) for n, m in zip(image.shape, shape, strict=True))
    return np.asarray(down @ image @ across.T, np.float32)


@lru_cache(maxsize=8)
def _averaging(size: int, reduced: int) -> NDArray[np.float32]:
    """Return the matrix ``(reduced, size)`` that averages over equal lengths; read-only."""
    edges = np.linspace(0.0, size, reduced + 1)
    starts = np.arange(size)
    low = np.maximum(edges[:-1, None], starts[None, :])
    high = np.minimum(edges[1:, None], starts[None, :] + 1)
    shares = np.clip(high - low, 0.0, None)
    matrix: NDArray[np.float32] = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def _eight_bit_field(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return asinh of robust deviations from the median, as grey values around 128."""
    middle = np.median(image)
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(image - middle)))
    deviation = deviation or float(image.std()) or 1.0
    return _grey(np.arcsinh((image - middle) / np.float32(deviation)), _FIELD_GAIN)


def _grey(values: NDArray[np.floating], gain: float) -> NDArray[np.uint8]:
    """Return values around 0 as grey values around 128."""
    return np.asarray(np.clip(np.rint(values * gain + 128.0), 0, 255), np.uint8)


def _polar(spectrum: PowerSpectrum) -> NDArray[np.uint8]:
    """Return the log power over direction and frequency, as it is and without its radial fall."""
    from scipy import ndimage

    cell, count = _polar_cells(spectrum.box)
    power = np.maximum(spectrum.power, 1e-6 * float(spectrum.power.mean()))
    summed = np.bincount(cell, power.ravel(), minlength=ANGLES * RADII + 1)[:-1]
    summed = summed.reshape(ANGLES, RADII)
    rings = summed.sum(axis=0) / np.maximum(count.sum(axis=0), 1.0)
    # Radii that fall between the cells of a small grid take the next inner one's value.
    seen = np.maximum.accumulate(np.where(count.sum(axis=0) > 0, np.arange(RADII), 0))
    rings = np.maximum(rings[seen], 1e-30)
    mean = np.where(count > 0, summed / np.maximum(count, 1.0), rings[None, :])
    log_power = np.log10(np.maximum(mean, 1e-30))
    fall = ndimage.gaussian_filter1d(np.log10(rings), _SMOOTH_RADII, mode="nearest")
    level = float(np.median(np.log10(rings)[RADII // 2 :]))
    return np.stack([_grey(log_power - level, _SPECTRUM_GAIN), _grey(log_power - fall, _FLAT_GAIN)])


@lru_cache(maxsize=4)
def _polar_cells(box: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for each cell of a spectrum its polar cell, and how many each has; read-only.

    Cells beyond Nyquist, at frequency 0 and on the axes, where detectors write lines, go into one
    that is left out.
    """
    fy = np.fft.fftfreq(box)[:, None] + np.zeros((1, box // 2 + 1))
    fx = np.arange(box // 2 + 1)[None, :] / box + np.zeros((box, 1))
    radius = np.hypot(fy, fx)
    ring = np.floor(radius / 0.5 * RADII).astype(np.intp)
    angle = np.floor((np.arctan2(fy, fx) / np.pi + 0.5) * ANGLES).astype(np.intp) % ANGLES
    inside = (ring < RADII) & (fx > 0) & (fy != 0)
    cell = np.where(inside, angle * RADII + ring, ANGLES * RADII).ravel()
    count = np.bincount(cell, minlength=ANGLES * RADII + 1)[:-1].astype(np.float64)
    counted = count.reshape(ANGLES, RADII)
    cell.flags.writeable = counted.flags.writeable = False
    return cell, counted
