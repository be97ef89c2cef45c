"""Blobs in the usable ice over scales, beside what chance alone would make of them.

The image is filtered with the scale-normalised Laplacian of a Gaussian. Beside each response stands
what randomising the phases of the same image would give on average: a Gaussian field with the
image's own power spectrum. How many maxima of which height it has is known in closed form, so that
no random copy is made.

Sources: T. Lindeberg, Int. J. Comput. Vis. 30:79, 1998 (scale-normalised blobs); `peak_statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

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
# A maximum this many deviations of its scale's response high is called a blob.
BLOB_HEIGHT = 2.5
# Wavelengths of things of a particle's size, in cycles along the longer side.
PARTICLE_BAND = (12.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlobScale:
    """The response at one scale.

    ``scale_px`` is the Gaussian's deviation in pixels of ``AreaMap.rest``. ``dark`` and ``light``
    are the heights (grey) of all maxima and, with the sign turned, minima inside the usable area of
    ``area_px`` pixels; ``dark_places`` ``(n, 2)`` the rows and columns of the former.
    ``own`` is the field with the image's own spectrum. ``skewness`` and ``excess_kurtosis`` are
    the response's.
    """

    scale_px: float
    area_px: int
    dark: _Double
    dark_places: NDArray[np.intp]
    light: _Double
    own: GaussianPeaks
    skewness: float
    excess_kurtosis: float

    @property
    def blobs(self) -> int:
        """The number of dark blobs."""
        return _count_above(self.dark, BLOB_HEIGHT * self.own.deviation)

    @property
    def light_blobs(self) -> int:
        """The number of light blobs."""
        return _count_above(self.light, BLOB_HEIGHT * self.own.deviation)

    @property
    def blob_height(self) -> float:
        """The median height of the dark blobs (grey), 0 where there is none."""
        return float(np.median(self.dark[-self.blobs :])) if self.blobs else 0.0

    @property
    def asymmetry(self) -> float:
        """Dark blobs beyond light ones, in deviations of their number; about 0 ± 1 by chance."""
        dark, light = self.blobs, self.light_blobs
        return (dark - light) / sqrt(dark + light + 1.0)

    def excess(self, expected: float) -> float:
        """Return the dark maxima beyond chance among the highest, in Poisson deviations.

        They are counted above the height above which chance would have ``expected`` of them.
        """
        height = self.own.height_of(expected / self.area_px)
        return (_count_above(self.dark, height) - expected) / sqrt(expected + 1.0)

    def misfit(self) -> float:
        """Return how far the heights of maxima and minima are from those of a Gaussian field.

        The root of the sum of the Cramér-von Mises statistics of the two: about 0.5 by chance,
        rising with the root of the number of maxima.
        """
        return sqrt(self._distance(self.dark) + self._distance(self.light))

    def _distance(self, heights: _Double) -> float:
        """Return the Cramér-von Mises statistic W² of some heights against the field's own law."""
        count = len(heights)
        if count < 20:
            return 0.0
        below = self.own.fraction_below(heights)
        middle = (np.arange(count) + 0.5) / count
        return float(np.sum(np.square(below - middle))) + 1.0 / (12.0 * count)


def _count_above(sorted_values: _Double, limit: float) -> int:
    """Return how many of some values in rising order exceed a limit."""
    return len(sorted_values) - int(np.searchsorted(sorted_values, limit, side="right"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlobField:
    """The blobs of one micrograph: its scales, fine to coarse, and the responses ``(scale, y, x)``.

    ``usable_fraction`` is that of the field of view; ``pixel_a`` the size of a pixel in Å or None;
    ``band_ratio`` the power at the wavelengths of particles over that of the noise.
    """

    scales: tuple[BlobScale, ...]
    responses: _Float
    usable_fraction: float
    pixel_a: float | None
    band_ratio: float

    @property
    def best(self) -> int:
        """The number of the scale at which dark blobs prevail over light ones most."""
        return int(np.argmax([scale.asymmetry for scale in self.scales]))

    @property
    def fitting(self) -> int:
        """The number of the scale that fits the blobs' size.

        The response of a blob is largest at the scale of its size; weighted by how much dark blobs
        prevail, for noise responds most at fine scales.
        """
        return int(np.argmax([max(s.asymmetry, 0.0) * s.blob_height for s in self.scales]))

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
    high = (k2 >= NOISE_BAND[0] ** 2) & (k2 < NOISE_BAND[1] ** 2)
    unit = 2.0 * np.pi / max(shape)
    middle = (k2 >= (PARTICLE_BAND[0] * unit) ** 2) & (k2 < (PARTICLE_BAND[1] * unit) ** 2)
    noise, signal = (
        float(power[where].sum(dtype=np.float64) / both[where].sum(dtype=np.float64))
        for where in (high, middle)
    )
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
        scales.append(_scale(scale, response, inner, power * weight * weight, k2))
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
        band_ratio=signal / max(noise, 1e-30),
    )


def _away_from_borders(shape: tuple[int, int], reach: int) -> _Bool:
    """Return the pixels that are at least ``reach`` away from the borders."""
    inside = np.zeros(shape, np.bool_)
    inside[reach : shape[0] - reach, reach : shape[1] - reach] = True
    return inside


def _scale(scale: float, response: _Float, inner: _Bool, power: _Float, k2: _Float) -> BlobScale:
    """Return the maxima of one response and, from its power, the field of chance beside it."""
    passed = power.astype(np.float64)
    moments = []
    for _ in range(3):
        moments.append(float(passed.sum()))
        passed *= k2
    own = GaussianPeaks(variance=moments[0], slope=moments[1], curvature=moments[2])
    highest, lowest = _extrema(response)
    places = np.argwhere(highest & inner)
    dark = response[places[:, 0], places[:, 1]].astype(np.float64)
    order = np.argsort(dark, kind="stable")
    light = np.sort(-response[lowest & inner].astype(np.float64))
    values = response[inner].astype(np.float64)
    square = float(np.mean(values**2))
    return BlobScale(
        scale_px=scale,
        area_px=len(values),
        dark=dark[order],
        dark_places=places[order],
        light=light,
        own=own,
        skewness=float(np.mean(values**3)) / square**1.5,
        excess_kurtosis=float(np.mean(values**4)) / square**2 - 3.0,
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
