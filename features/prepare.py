"""From an image as it was read to the `View` that every measurement looks at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.averaged_power import averaged_power
from cryoverdict.features.contrast import contrast_sign
from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.periodic_part import (
    BorderJumps,
    border_jumps,
    remove_smooth_part,
    smooth_image,
)
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.view import GreyStatistics, View

COARSE_SIDE_PX = 512
SPECTRUM_BOX = 512
SMALLEST_SIDE_PX = 32

# A pixel this many robust deviations from the median and from its surroundings is a detector
# fault: a Gaussian pixel is there once in 10¹¹.
HOT_DEVIATIONS = 7.0
# Rows without variation in runs up to this length are bridged from their neighbours.
BRIDGED_LINES = 4

_MAD_TO_DEVIATION = 1.482602
_Float = NDArray[np.float32]
_Complex = NDArray[np.complex64]


def prepare(micrograph: Micrograph, image: Image, optics: Optics) -> View:
    """Return the view of one micrograph: cleaned, standardised, transformed once.

    The steps are grey-value statistics, dead lines bridged, hot pixels replaced, median 0 and
    robust deviation 1, one real Fourier transform at full size, its power averaged onto a grid of
    at most 512², a coarse image of at most 512 pixels on the longer side, and the sign of the
    contrast. Every step commutes with rotation by 90° and with a change of sign, gain or offset.

    Raises `InputError` where the image is not a 2-D array of at least 32 pixels a side, holds
    values that are not finite, or is constant.
    """
    from scipy import fft

    raw = image.pixels
    _check(micrograph, raw)
    median, deviation, spread = _robust_scale(raw)
    if deviation <= 0.0:  # the sample may have missed what varies
        deviation = float(raw.std(dtype=np.float64))
    if deviation <= 0.0:
        msg = f"{micrograph.subject}: all pixels have the same value; an image must vary"
        raise InputError(msg)

    pixels = _standardised(raw, median, deviation)
    dead_rows, dead_columns = _dead_lines(pixels)
    _bridge(pixels, dead_rows, axis=0)
    _bridge(pixels, dead_columns, axis=1)
    # Where most pixels are equal, as in very sparse counts, each count would look like a fault.
    hot = _replace_hot(pixels) if spread > 0.0 else 0

    transform = fft.rfft2(pixels)
    mean = float(transform[0, 0].real) / pixels.size
    transform[0, 0] = 0.0
    jumps = border_jumps(pixels)
    remove_smooth_part(transform, jumps)
    box = min(SPECTRUM_BOX, min(pixels.shape) // 2 * 2)
    spectrum = PowerSpectrum(
        power=averaged_power(transform, pixels.shape, box),
        pixel_size_a=optics.pixel_size_a,
        samples=max(1.0, pixels.size / box**2),
    )
    cropped = _cropped(transform, pixels.shape)
    del transform
    coarse = _coarse(pixels, cropped, jumps, mean)

    counts = image.has_counts and _is_noisy(spectrum)
    sign = contrast_sign(pixels, coarse, cropped, counts=counts)
    inverted = sign < 0
    if inverted:
        np.negative(pixels, out=pixels)
        if coarse is not pixels:
            np.negative(coarse, out=coarse)
    saturated = _saturated_fraction(pixels, image, median, deviation, inverted)
    for array in (pixels, coarse, spectrum.power):
        array.flags.writeable = False

    return View(
        micrograph=micrograph,
        optics=optics,
        pixels=pixels,
        coarse=coarse,
        coarse_step_px=max(raw.shape) / max(coarse.shape),
        spectrum=spectrum,
        grey=GreyStatistics(
            mean=median + deviation * mean,
            deviation=deviation,
            hot_fraction=hot / raw.size,
            saturated_fraction=saturated,
            dead_line_fraction=max(len(dead_rows) / raw.shape[0], len(dead_columns) / raw.shape[1]),
            has_counts=image.has_counts,
        ),
        inverted=inverted,
        contrast_sign=sign,
    )


def _is_noisy(spectrum: PowerSpectrum) -> bool:
    """Return whether the finest detail is noise: its power hardly falls, as it does if denoised."""
    frequency = spectrum.frequency()
    fine = spectrum.power[(frequency > 0.4) & (frequency < 0.5)].mean()
    finer_than_objects = spectrum.power[(frequency > 0.2) & (frequency < 0.3)].mean()
    return bool(fine > 0.1 * finer_than_objects)


def _check(micrograph: Micrograph, raw: _Float) -> None:
    """Refuse what is not a 2-D image of a useful size."""
    if raw.ndim != 2 or min(raw.shape) < SMALLEST_SIDE_PX:
        shape = " × ".join(str(n) for n in raw.shape)
        msg = (
            f"{micrograph.subject}: an image of {shape} pixels; accepted is a single 2-D image "
            f"of at least {SMALLEST_SIDE_PX} pixels a side"
        )
        raise InputError(msg)
    # Both pass NaN on, and are quicker than looking at each pixel.
    if not (np.isfinite(raw.max()) and np.isfinite(raw.min())):
        msg = f"{micrograph.subject}: holds NaN or Inf; every pixel must be finite"
        raise InputError(msg)


def _symmetric_sample(length: int, count: int = 256) -> NDArray[np.intp]:
    """Return about ``count`` indices of an axis that stay the same set when it is reversed."""
    step = max(1, -(-length // count))
    forward = np.arange(0, length, step)
    return np.unique(np.concatenate((forward, length - 1 - forward)))


def _robust_scale(raw: _Float) -> tuple[float, float, float]:
    """Return the median, the robust deviation and the median absolute deviation of grey values.

    From a sample of up to 10⁶ pixels that rotations by 90° map onto itself. The deviation is that
    of the values within 4 normalised median absolute deviations, so that it is as stable as a
    standard deviation and integer grey values do not make it jump.
    """
    sample = raw[np.ix_(_symmetric_sample(raw.shape[0]), _symmetric_sample(raw.shape[1]))]
    values = sample.astype(np.float64).ravel()
    median = float(np.median(values))
    values -= median
    width = _MAD_TO_DEVIATION * float(np.median(np.abs(values)))
    if width > 0.0:
        # Clipping, unlike cutting, is continuous in each pixel.
        np.clip(values, -4.0 * width, 4.0 * width, out=values)
    return median, float(values.std()), width


def _standardised(raw: _Float, median: float, deviation: float) -> _Float:
    """Return the image with median 0 and deviation 1, in one pass through the memory."""
    pixels = np.empty(raw.shape, np.float32)
    with np.errstate(over="ignore"):  # a hot pixel may exceed float32; it is replaced later
        for start in range(0, len(raw), 64):
            rows = pixels[start : start + 64]
            np.subtract(raw[start : start + 64], np.float32(median), out=rows)
            rows *= np.float32(1.0 / deviation)
    return pixels


def _dead_lines(pixels: _Float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the rows and of the columns that are stuck at one value.

    A line is stuck where most of its pixels are equal (other stuck lines cross it) and a common
    line of the image has far fewer equal pixels, as even sparse counts do.
    """

    def stuck(lines: _Float) -> NDArray[np.intp]:
        probe = np.ascontiguousarray(lines[:, _symmetric_sample(lines.shape[1], 24)])
        equal = (probe == _middle(probe)[:, None]).mean(axis=1)
        common = float(np.median(equal))
        likely = np.flatnonzero(equal > max(0.6, (1.0 + common) / 2))
        if not len(likely):
            return likely
        whole = np.stack([_equal_share(lines[i]) for i in likely])
        return likely[whole > max(0.6, (1.0 + common) / 2)]

    return stuck(pixels), stuck(pixels.T)


def _middle(values: _Float) -> _Float:
    """Return a value near the median that occurs, along the last axis."""
    half = values.shape[-1] // 2
    return np.asarray(np.partition(values, half, axis=-1)[..., half], np.float32)


def _equal_share(line: _Float) -> float:
    """Return the fraction of a line's pixels that equal its median."""
    return float((line == _middle(line)).mean())


def _runs(lines: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield first and last index of each run of consecutive indices."""
    if len(lines):
        for run in np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1):
            yield int(run[0]), int(run[-1])


def _bridge(pixels: _Float, lines: NDArray[np.intp], *, axis: int) -> None:
    """Write over dead lines: short runs with the mean of their neighbours, long ones with 0."""
    view = pixels if axis == 0 else pixels.T
    last_line = len(view) - 1
    for first, last in _runs(lines):
        inside = first > 0 and last < last_line and last - first < BRIDGED_LINES
        view[first : last + 1] = (view[first - 1] + view[last + 1]) / 2 if inside else 0.0


def _replace_hot(pixels: _Float) -> int:
    """Replace isolated outliers by the median of their 5 × 5 surroundings; return how many.

    A dark bar or a bright hole has outliers too, but at least eight of the 24 neighbours of each
    are like it, in a corner, and the pixels of a line one pixel wide have four.
    """
    if pixels.max() < HOT_DEVIATIONS and pixels.min() > -HOT_DEVIATIONS:
        return 0
    found = np.flatnonzero((pixels > HOT_DEVIATIONS) | (pixels < -HOT_DEVIATIONS))
    rows, columns = np.divmod(found, pixels.shape[1])
    levels, alone = [], []
    offsets = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
    for start in range(0, len(found), 1 << 17):  # a grid bar has millions: bound the memory
        y, x = rows[start : start + (1 << 17)], columns[start : start + (1 << 17)]
        around = np.stack(
            [
                pixels[_reflected(y + dy, pixels.shape[0]), _reflected(x + dx, pixels.shape[1])]
                for dy, dx in offsets
            ]
        )
        level = np.median(around, axis=0).astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            excess = pixels[y, x] - level
            alike = (np.abs(around - pixels[y, x]) < np.abs(excess) / 2).sum(axis=0)
            # In strongly textured parts, as dark film in a bright field, much is an outlier.
            local = _MAD_TO_DEVIATION * np.median(np.abs(around - level), axis=0)
            alone.append((np.abs(excess) > HOT_DEVIATIONS * np.maximum(local, 1)) & (alike <= 5))
        levels.append(level)
    hot = np.concatenate(alone)
    pixels[rows[hot], columns[hot]] = np.concatenate(levels)[hot]
    return int(hot.sum())


def _reflected(index: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Return indices mirrored at the ends of an axis."""
    index = np.abs(index)
    return np.where(index >= length, 2 * (length - 1) - index, index)


def _saturated_fraction(
    pixels: _Float, image: Image, median: float, deviation: float, inverted: bool
) -> float:
    """Return the fraction of pixels that share the brightest grey value.

    In a picture, which may have been stretched too far at either end, also the darkest; in counts
    that would be an honest 0. Where the stored type has a highest value that the image does not
    reach, nothing is saturated.
    """
    bright, dark = pixels.max(), pixels.min()
    ties = {"bright": int(np.count_nonzero(pixels == bright)), "dark": 0}
    if not image.has_counts:
        ties["dark"] = int(np.count_nonzero(pixels == dark))
    level = image.saturation_level
    if level is not None:
        highest = median + deviation * float(-dark if inverted else bright)
        if highest < level - 1e-3 * max(1.0, abs(level)):
            ties["dark" if inverted else "bright"] = 0
    most = max(ties.values())
    return most / pixels.size if most > 1 else 0.0


def _coarse_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the shape of the coarse image of a micrograph of ``shape``."""
    longer = max(shape)
    if longer <= COARSE_SIDE_PX:
        return shape
    return (
        max(8, round(shape[0] * COARSE_SIDE_PX / longer)),
        max(8, round(shape[1] * COARSE_SIDE_PX / longer)),
    )


def _cropped(transform: _Complex, shape: tuple[int, int]) -> _Complex:
    """Return the transform of the coarse image, scaled and shifted to its sampling.

    Coarse pixels sit at the centres of the areas they stand for, so that the coarse image of a
    rotated micrograph is the rotated one.
    """
    height, width = shape
    rows, columns = _coarse_shape(shape)
    if (rows, columns) == shape:
        return transform
    kept_y, kept_x = (rows - 1) // 2, (columns - 1) // 2
    cropped = np.zeros((rows, columns // 2 + 1), np.complex64)
    cropped[: kept_y + 1, : kept_x + 1] = transform[: kept_y + 1, : kept_x + 1]
    cropped[-kept_y:, : kept_x + 1] = transform[-kept_y:, : kept_x + 1]
    shift_y, shift_x = (height / rows - 1) / 2 / height, (width / columns - 1) / 2 / width
    ky, kx = np.fft.fftfreq(rows, 1 / rows), np.arange(columns // 2 + 1)
    cropped *= np.exp(2j * np.pi * ky * shift_y).astype(np.complex64)[:, None]
    cropped *= np.exp(2j * np.pi * kx * shift_x).astype(np.complex64)[None, :]
    cropped *= np.float32(rows * columns / (height * width))
    return cropped


def _coarse(pixels: _Float, cropped: _Complex, jumps: BorderJumps, mean: float) -> _Float:
    """Return the image Fourier-cropped to at most 512 pixels on the longer side.

    ``cropped`` is the transform of the periodic part; the smooth part is added at the coarse
    sampling, so that opposite borders do not ring into each other.
    """
    from scipy import fft

    shape = _coarse_shape((pixels.shape[0], pixels.shape[1]))
    if shape == pixels.shape:
        return pixels
    coarse = fft.irfft2(cropped, s=shape)
    coarse += smooth_image(jumps, shape)
    coarse += np.float32(mean)
    return np.asarray(coarse, np.float32)
