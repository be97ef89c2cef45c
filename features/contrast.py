"""Whether what absorbs electrons is dark in an image, as it should be, or bright.

Every number here is exactly odd: for the inverted image it has the opposite sign. So an image
and its inverse lead to the same view, whatever the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
_TILES = 24
_TILE_PX = 48


def contrast_sign(
    pixels: _Float, coarse: _Float, transform: NDArray[np.complex64], *, counts: bool
) -> float:
    """Return a number that is negative where what absorbs electrons is bright.

    Three signs of normal contrast are added up, each limited so that none rules alone: the grey
    values of the smoothed image have their longer tail on the dark side (contamination, film);
    so has each band of the image divided by its local contrast (particles); and where the pixels
    count electrons, brighter places are noisier, which holds even where dark things fill the
    field. ``transform`` is the real transform of the periodic part of ``coarse``; ``counts`` says
    that the finest detail of ``pixels`` is shot noise.
    """
    from scipy import fft, ndimage

    rows, columns = shape = (coarse.shape[0], coarse.shape[1])
    # Motion correction and gain references leave bright or dark lines along the borders.
    inner = (slice(rows // 32, rows - rows // 32), slice(columns // 32, columns - columns // 32))
    smoothed = [_skewness(ndimage.uniform_filter(coarse, size)[inner]) for size in (3, 5, 7)]
    square = np.add.outer(
        np.fft.fftfreq(rows).astype(np.float32) ** 2,
        (np.arange(columns // 2 + 1, dtype=np.float32) / columns) ** 2,
    )

    def gaussian(sigma_px: float) -> _Float:
        return np.asarray(np.exp(np.float32(-2 * np.pi**2 * sigma_px**2) * square), np.float32)

    banded = []
    for sigma in (1.5, 3.0):
        band = fft.irfft2(transform * (gaussian(sigma) - gaussian(2 * sigma)), s=shape)
        contrast = fft.irfft2(fft.rfft2(np.square(band)) * gaussian(8 * sigma), s=shape)
        band /= np.sqrt(np.maximum(contrast, 1e-3 * contrast.mean()))
        banded.append(_skewness(band[inner]))
    total = -np.tanh(np.mean(smoothed)) - np.tanh(2.0 * np.mean(banded))
    return float(total + 3.0 * shot_noise_correlation(pixels)) if counts else float(total)


def _skewness(values: _Float) -> float:
    """Return the skewness about the mean, values clipped at 5 deviations."""
    deviation = float(values.std())
    if deviation == 0.0:
        return 0.0
    scaled = np.clip((values - values.mean()) / np.float32(deviation), -5.0, 5.0)
    scaled -= scaled.mean()
    square = np.square(scaled)
    return float((square * scaled).mean()) / float(square.mean() ** 1.5)


def shot_noise_correlation(pixels: _Float) -> float:
    """Return how the noise goes with the brightness over 24 × 24 tiles, −1 to 1.

    The variance of a Poisson count is its mean, so it is positive for counts of normal contrast.
    Noise is the mean square of the mixed second difference, which sees only the finest detail.
    """
    height, width = pixels.shape
    brightness, noise = [], []
    for y in _starts(height):
        for x in _starts(width):
            tile = pixels[y : y + _TILE_PX, x : x + _TILE_PX]
            step = tile[1:] - tile[:-1]
            step = step[:, 1:] - step[:, :-1]
            brightness.append(float(tile.mean(dtype=np.float64)))
            noise.append(float(np.square(step).mean(dtype=np.float64)))
    level, variance = np.array(brightness), np.array(noise)
    alive = variance > 1e-6 * np.median(variance)
    if int(alive.sum()) < 16:
        return 0.0
    level, spread = _standardised(level[alive]), _standardised(np.log(variance[alive]))
    length = float(np.sqrt(np.square(level).sum() * np.square(spread).sum()))
    return float((level * spread).sum()) / length if length > 0 else 0.0


def _starts(length: int) -> list[int]:
    """Return the starts of the tiles along an axis, the same set when it is reversed."""
    last = max(0, length - _TILE_PX)
    near = [round(i * last / (_TILES - 1)) for i in range(_TILES // 2)]
    return sorted({*near, *(last - start for start in near)})


def _standardised(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values about their median in robust deviations, clipped at 3, mean taken off."""
    centred = values - np.median(values)
    deviation = 1.482602 * float(np.median(np.abs(centred)))
    if deviation == 0.0:
        return np.zeros(len(values))
    clipped = np.clip(centred / deviation, -3.0, 3.0)
    return np.asarray(clipped - clipped.mean())
