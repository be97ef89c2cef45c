"""Blobs in the usable ice over scales, beside what chance alone would make of them.

The image is filtered with the scale-normalised Laplacian of a Gaussian. Two fields of chance stand
beside each response. The first is what randomising the phases of the same image gives on average:
a Gaussian field with the image's own power spectrum, of which the number and the heights of maxima
are known in closed form, so that no random copy is made. The second is noise alone: a Gaussian
field with the flat spectrum that the image has at its highest frequencies.

Sources: T. Lindeberg, Int. J. Comput. Vis. 30:79, 1998 (scale-normalised blobs); `peak_statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.area_map import usable_area
from cryoverdict.features.peak_statistics import GaussianPeaks
from cryoverdict.features.view import View

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]
_Double = NDArray[np.float64]

# Deviations of the Gaussians in pixels of the coarse image at half sampling, half an octave
# apart. Finer ones are sampled too coarsely for the closed form to hold.
SCALES_PX = (1.7, 2.4, 3.4, 4.8, 6.8, 9.6, 13.6)
# A disc gives its largest response at this many deviations in diameter.
DIAMETER = 2.83
# Of the image at half sampling, in radians a pixel: where only noise is left.
NOISE_BAND = (0.8 * np.pi, np.pi)
FEWEST_PIXELS = 3000
# Maxima of pure noise higher than this many deviations are rare.
BLOB_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlobScale:
    """The response at one scale.

    ``scale_px`` is the Gaussian's deviation in pixels of ``AreaMap.rest``. ``dark`` and ``light``
    are the heights (grey) of all maxima and, with the sign turned, minima inside the usable area of
    ``area_px`` pixels; ``dark_places`` ``(n, 2)`` the rows and columns of the former.
    ``own`` is the field with the image's own spectrum, ``noise_deviation`` that of noise alone.
    ``skewness`` and ``excess_kurtosis`` are the response's, ``independent`` the number of its
    independent values.
    """

    scale_px: float
    area_px: int
    dark: _Double
    dark_places: NDArray[np.intp]
    light: _Double
    own: GaussianPeaks
    noise_deviation: float
    skewness: float
    excess_kurtosis: float
    independent: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlobField:
    """The blobs of one micrograph: its scales, fine to coarse, and the responses ``(scale, y, x)``.

    ``usable_fraction`` is that of the field of view; ``pixel_a`` the size of a pixel in Å or None.
    """

    scales: tuple[BlobScale, ...]
    responses: _Float
    usable_fraction: float
    pixel_a: float | None

    @property
    def longer_px(self) -> int:
        """The longer side of the field in pixels."""
        return int(max(self.responses.shape[1:]))


def blob_field(view: View) -> BlobField | None:
    """Return the blobs in the usable area, or None where that is too small."""
    from scipy import fft, ndimage

    area = view.once(usable_area)
    rest = area.rest
    shape = (rest.shape[0], rest.shape[1])
    usable = rest != 0.0
    count = int(np.count_nonzero(usable))
    if count < FEWEST_PIXELS or min(shape) < 48:
        return None
    share = count / rest.size
    rest = np.where(usable, rest - np.float32(rest[usable].mean()), np.float32(0.0))
    transform = fft.rfft2(rest)
    ky = (2.0 * np.pi * fft.fftfreq(shape[0])).astype(np.float32)[:, None]
    kx = (2.0 * np.pi * fft.rfftfreq(shape[1])).astype(np.float32)[None, :]
    k2 = ky * ky + kx * kx
    both = np.full(transform.shape, 2.0, np.float32)
    both[:, 0] = 1.0
    if shape[1] % 2 == 0:
        both[:, -1] = 1.0
    power = np.square(np.abs(transform)) * both / np.float32(rest.size**2 * share)
    band = (k2 >= NOISE_BAND[0] ** 2) & (k2 < NOISE_BAND[1] ** 2)
    floor = float(power[band].sum(dtype=np.float64) / both[band].sum(dtype=np.float64))
    whole = bool(usable.all())
    distance = None if whole else ndimage.distance_transform_edt(usable)
    scales, responses = [], []
    for scale in SCALES_PX:
        reach = int(np.ceil(1.5 * scale))
        inner = usable if distance is None else distance > reach
        inner = inner & _away_from_borders(shape, reach)
        if np.count_nonzero(inner) < FEWEST_PIXELS // 3:
            break
        weight = np.float32(scale * scale) * k2 * np.exp(np.float32(-0.5 * scale * scale) * k2)
        response = fft.irfft2(-transform * weight, shape).astype(np.float32)
        scales.append(_scale(scale, response, inner, power, k2, weight, both, floor))
        responses.append(response)
    if not scales:
        return None
    pixel_a = view.optics.pixel_size_a
    if pixel_a is not None:
        pixel_a *= view.coarse_step_px * area.rest_step_px
    return BlobField(
        scales=tuple(scales),
        responses=np.stack(responses),
        usable_fraction=share,
        pixel_a=pixel_a,
    )


def _away_from_borders(shape: tuple[int, int], reach: int) -> _Bool:
    """Return the pixels that are at least ``reach`` away from the borders."""
    inside = np.zeros(shape, np.bool_)
    inside[reach : shape[0] - reach, reach : shape[1] - reach] = True
    return inside


def _scale(
    scale: float,
    response: _Float,
    inner: _Bool,
    power: _Float,
    k2: _Float,
    weight: _Float,
    both: _Float,
    floor: float,
) -> BlobScale:
    """Return the maxima of one response and the fields of chance beside it."""
    passed = (power * weight * weight).astype(np.float64)
    variance = float(passed.sum())
    passed *= k2
    slope = float(passed.sum())
    passed *= k2
    own = GaussianPeaks(variance=variance, slope=slope, curvature=float(passed.sum()))
    noise = floor * float((both * weight * weight).sum(dtype=np.float64))
    highest, lowest = _extrema(response)
    places = np.argwhere(highest & inner)
    dark = response[places[:, 0], places[:, 1]].astype(np.float64)
    order = np.argsort(dark, kind="stable")
    light = np.sort(-response[lowest & inner].astype(np.float64))
    values = response[inner].astype(np.float64)
    square = float(np.mean(values**2))
    count = int(len(values))
    return BlobScale(
        scale_px=scale,
        area_px=count,
        dark=dark[order],
        dark_places=places[order],
        light=light,
        own=own,
        noise_deviation=float(np.sqrt(noise)),
        skewness=float(np.mean(values**3)) / square**1.5,
        excess_kurtosis=float(np.mean(values**4)) / square**2 - 3.0,
        independent=count * own.per_pixel,
    )


def _extrema(image: _Float) -> tuple[_Bool, _Bool]:
    """Return the pixels that exceed their eight neighbours, and those that fall below them."""
    inner = image[1:-1, 1:-1]
    high = np.zeros(image.shape, np.bool_)
    low = np.zeros(image.shape, np.bool_)
    upper = np.maximum(image[:, :-2], image[:, 2:])
    lower = np.minimum(image[:, :-2], image[:, 2:])
    np.maximum(upper, image[:, 1:-1], out=upper)
    np.minimum(lower, image[:, 1:-1], out=lower)
    beside_high = np.maximum(image[1:-1, :-2], image[1:-1, 2:])
    beside_low = np.minimum(image[1:-1, :-2], image[1:-1, 2:])
    around_high = np.maximum(np.maximum(upper[:-2], upper[2:]), beside_high)
    around_low = np.minimum(np.minimum(lower[:-2], lower[2:]), beside_low)
    high[1:-1, 1:-1] = inner > around_high
    low[1:-1, 1:-1] = inner < around_low
    return high, low
