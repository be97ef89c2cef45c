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
_TILE_PX = 32


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
        band /= np.sqrt(np.maximum(contrast, 1e-3 * float(contrast.mean()) + 1e-20))
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
    """Return how the noise goes with the brightness from place to place, −1 to 1.

    The variance of a Poisson count is its mean, so it is positive for counts of normal contrast.
    """
    level, noise = tile_statistics(pixels)
    alive = noise > 1e-6 * float(np.median(noise))
    if int(alive.sum()) < 16:
        return 0.0
    level, spread = _standardised(level[alive]), _standardised(np.log(noise[alive]))
    length = float(np.sqrt(np.square(level).sum() * np.square(spread).sum()))
    if length == 0.0:
        return 0.0
    # A correlation over few tiles is mostly chance.
    return float((level * spread).sum()) / length * min(1.0, len(level) / 300)


def tile_statistics(pixels: _Float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and noise of up to 24 × 24 tiles of 32 × 32 pixels, evenly spread, as 1-D.

    Noise is the mean square of the mixed second difference, which sees only the finest detail,
    clipped at 16 times its median, so that the edge of a body counts little.
    """
    tiles = _tiles(pixels)
    step = tiles[:, :, 1:] - tiles[:, :, :-1]
    step = step[..., 1:] - step[..., :-1]
    square = np.square(step).reshape(tiles.shape[0] * tiles.shape[1], -1)
    middle = np.partition(square, square.shape[1] // 2, axis=1)[:, square.shape[1] // 2]
    np.minimum(square, 16 * middle[:, None], out=square, where=middle[:, None] > 0)
    level, noise = tiles.mean(axis=(2, 3)), square.mean(axis=1)
    return level.astype(np.float64).ravel(), noise.astype(np.float64).ravel()


def _tiles(pixels: _Float) -> _Float:
    """Return the tiles ``(down, across, 32, 32)``, the same set for a rotated image."""
    rows, columns = (_starts(n)[:, None] + np.arange(_TILE_PX) for n in pixels.shape)
    tiles = pixels[np.ix_(rows.ravel(), columns.ravel())]
    shaped = tiles.reshape(len(rows), _TILE_PX, len(columns), _TILE_PX)
    return np.asarray(shaped.swapaxes(1, 2), np.float32)


def flat_tile_fraction(pixels: _Float) -> float:
    """Return the fraction of the tiles in which all pixels are equal."""
    tiles = _tiles(pixels)
    return float((tiles == tiles[..., :1, :1]).all(axis=(2, 3)).mean())


def _starts(length: int) -> NDArray[np.intp]:
    """Return the starts of the tiles along an axis, the same set when it is reversed."""
    last = max(0, length - _TILE_PX)
    tiles = min(_TILES, max(2, length // _TILE_PX // 2 * 2))
    near = [round(i * last / (tiles - 1)) for i in range(tiles // 2)]
    return np.array(sorted({*near, *(last - start for start in near)}), dtype=np.intp)


def _standardised(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values about their median in robust deviations, clipped at 3, mean taken off."""
    centred = values - np.median(values)
    deviation = 1.482602 * float(np.median(np.abs(centred)))
    if deviation == 0.0:
        return np.zeros(len(values))
    clipped = np.clip(centred / deviation, -3.0, 3.0)
    return np.asarray(clipped - clipped.mean())
