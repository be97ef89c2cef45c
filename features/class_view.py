"""Class averages made ready to be measured: one scale, one sign, one mask for a whole run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import Assignments, ClassAverage, ClassSet, FloatArray

T = TypeVar("T")
# Every average is brought to this mask radius, so that a measurement needs no units of its own.
RADIUS_PX = 32
SIDE_PX = 80
# Beyond the mask the averages of most programs are flat. A ring with less than this much of the
# strongest ring's variation is: rounding in stored numbers, in pictures 8 bits and JPEG's noise.
FLAT, FLAT_IN_PICTURES = 0.002, 0.015
# The ground just inside of the mask's soft edge, in pixels from the outermost ring that varies.
GROUND_PX = (6, 12)
# Averages of strong particles may hide the mask in a flat ground; junk shows it.
MASK_QUANTILE = 0.75
# Where an average that is not masked still has room for background.
RING = (0.80, 0.97)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassView:
    """What every measurement of a class average looks at.

    ``pixels`` ``(80, 80)`` float32: mask radius 32 px, particle bright, median of the outer ring 0,
    deviation within the mask 1. ``native`` is the same on the stored grid, where the mask has
    ``native_radius_px``. ``amplitude`` is the deviation within the mask as stored. ``blank`` says
    that the average holds nothing: all of its pixels are alike.
    """

    average: ClassAverage
    run: ClassRun
    pixels: FloatArray
    native: FloatArray
    native_radius_px: float
    amplitude: float
    blank: bool
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, compute: Callable[[ClassView], T]) -> T:
        """Return ``compute(self)``, computed at most once for this view."""
        if compute not in self._memory:
            self._memory[compute] = compute(self)
        return cast("T", self._memory[compute])

    @property
    def mask_diameter_a(self) -> float | None:
        """Diameter of the visible mask in Å."""
        size = self.average.pixel_size_a
        return None if size is None else 2.0 * self.native_radius_px * size


@dataclass(slots=True, kw_only=True, eq=False)
class ClassRun:
    """All views of one run, so that one can be compared with the others."""

    assignments: Assignments | None
    mask_diameter_a: float | None
    inverted: bool
    views: tuple[ClassView, ...] = ()
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[[ClassRun], T]) -> T:
        """Return ``compute(self)``, computed at most once for this run."""
        if compute not in self._memory:
            self._memory[compute] = compute(self)
        return cast("T", self._memory[compute])

    def values(self, of: Callable[[ClassView], float | None]) -> NDArray[np.float64]:
        """Return a number of each view ``(classes,)``, NaN where it is not known."""

        def all_values(run: ClassRun) -> NDArray[np.float64]:
            found = (of(view) for view in run.views)
            return np.array([np.nan if v is None else v for v in found], dtype=float)

        if ("values", of) not in self._memory:
            self._memory["values", of] = all_values(self)
        return cast("NDArray[np.float64]", self._memory["values", of])

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each class counts in the run: its share, or all the same; blank ones nothing."""
        shares = np.array([1.0 if v.average.share is None else v.average.share for v in self.views])
        return np.where([v.blank for v in self.views], 0.0, np.maximum(shares, 0.0))


def prepare_classes(classes: ClassSet) -> tuple[ClassView, ...]:
    """Return the views of all class averages of one run.

    The mask is found in the images, since lists do not always say it; the sign of the contrast is
    the same for all averages, and is turned where most particles are darker than their ground.
    """
    averages = classes.averages
    blanks = [_blank(a.pixels) for a in averages]
    radii = _radii(averages, blanks)
    native = [
        _standardised(a.pixels, radius, blank)
        for a, radius, blank in zip(averages, radii, blanks, strict=True)
    ]
    weights = np.array([1.0 if a.share is None else a.share for a in averages])
    levels = np.array([_centre(image, r) for (image, _), r in zip(native, radii, strict=True)])
    # A few strong junk classes must not turn the sign: each class has one vote, by its size.
    inverted = bool((weights * np.tanh(3.0 * levels)).sum() < 0)
    masks = [a.mask_diameter_a for a in averages if a.mask_diameter_a is not None]
    run = ClassRun(
        assignments=classes.assignments,
        mask_diameter_a=masks[0] if masks else None,
        inverted=inverted,
    )
    sign = np.float32(-1.0 if inverted else 1.0)
    run.views = tuple(
        ClassView(
            average=average,
            run=run,
            pixels=sign * _rescaled(image, radius),
            native=sign * image,
            native_radius_px=radius,
            amplitude=amplitude,
            blank=blank,
        )
        for average, (image, amplitude), radius, blank in zip(
            averages, native, radii, blanks, strict=True
        )
    )
    return run.views


@cache
def distance(side: int = SIDE_PX, radius: float = RADIUS_PX) -> FloatArray:
    """Return ``(side, side)`` distances from the centre pixel, in mask radii."""
    axis = np.arange(side, dtype=np.float32) - side // 2
    made: FloatArray = (np.hypot(axis[:, None], axis[None, :]) / radius).astype(np.float32)
    made.setflags(write=False)
    return made


def _blank(pixels: FloatArray) -> bool:
    """Say whether an average holds nothing."""
    middle = float(np.abs(pixels).max())
    return float(np.ptp(pixels)) <= 1e-6 * max(middle, 1e-12)


def _radii(averages: Sequence[ClassAverage], blanks: Sequence[bool]) -> list[float]:
    """Return the mask radius of each average in its pixels: the run's, as far as boxes agree."""
    found: dict[int, list[float]] = {}
    for average, blank in zip(averages, blanks, strict=True):
        if not blank:
            flat = FLAT if average.has_counts else FLAT_IN_PICTURES
            radius = _mask_radius(average.pixels, flat)
            found.setdefault(min(average.pixels.shape), []).append(radius)
    radii = []
    for average in averages:
        side = min(average.pixels.shape)
        seen = found.get(side)
        radius = float(np.quantile(seen, MASK_QUANTILE)) if seen else 0.5 * side
        if radius >= 0.49 * side and average.mask_diameter_a and average.pixel_size_a:
            radius = 0.5 * average.mask_diameter_a / average.pixel_size_a
        radii.append(float(np.clip(radius, 6.0, 0.5 * side)))
    return radii


def _mask_radius(pixels: FloatArray, flat: float) -> float:
    """Return the radius beyond which an average is flat, half its side where it is nowhere.

    It is where the soft edge of the mask halves the variation of the ground inside.
    """
    side = int(min(pixels.shape))
    rows, columns = (n // 2 for n in pixels.shape)
    y, x = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    ring = np.rint(np.hypot(y - rows, x - columns)).astype(np.int64).ravel()
    values = pixels.ravel().astype(np.float64) - float(pixels.mean())
    count = np.bincount(ring)
    mean = np.bincount(ring, values) / count
    square = np.bincount(ring, values**2) / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))[: side // 2]
    strongest = float(spread.max())
    varied = np.flatnonzero(spread > flat * strongest)
    if strongest <= 0 or not varied.size or varied[-1] >= side // 2 - 1:
        return side / 2.0
    last = int(varied[-1])
    step = max(1.0, side / 64.0)
    inner = slice(max(0, int(last - GROUND_PX[1] * step)), max(1, int(last - GROUND_PX[0] * step)))
    ground = float(np.median(spread[inner]))
    return int(np.flatnonzero(spread >= 0.5 * min(ground, strongest))[-1]) + 0.5


def _standardised(pixels: FloatArray, radius: float, blank: bool) -> tuple[FloatArray, float]:
    """Return a square average about its ring's median, deviation 1 within the mask, and that."""
    side = min(pixels.shape)
    top, left = ((n - side) // 2 for n in pixels.shape)
    square = pixels[top : top + side, left : left + side]
    if blank:
        return np.zeros_like(square), 0.0
    rho = distance(side, radius)
    inside = rho <= RING[1]
    ring = inside & (rho >= RING[0])
    ground = float(np.median(square[ring]))
    deviation = float(square[inside].std())
    if deviation <= 0.0:
        return np.zeros_like(square), 0.0
    # What lies outside of the mask is the mask's, not the particle's.
    shown = np.where(rho <= 1.0, square - np.float32(ground), np.float32(0.0))
    return np.asarray(shown / np.float32(deviation), dtype=np.float32), deviation


def _centre(image: FloatArray, radius: float) -> float:
    """Return the mean of the inner half of the mask, in deviations above the ring."""
    return float(image[distance(image.shape[0], radius) < 0.5].mean())


def _rescaled(image: FloatArray, radius: float) -> FloatArray:
    """Return an average on the common grid: resampled in Fourier space, then cut or padded."""
    side = image.shape[0]
    wanted = 2 * round(0.5 * side * RADIUS_PX / radius)
    spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(_centred(image))))
    even = spectrum.shape[0]
    moved = _fitted(spectrum, wanted)
    back = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(moved))).real * (wanted / even) ** 2
    return np.asarray(_fitted(back, SIDE_PX), dtype=np.float32)


def _centred(image: FloatArray) -> FloatArray:
    """Return an image of even side."""
    return image if image.shape[0] % 2 == 0 else np.pad(image, ((0, 1), (0, 1)))


def _fitted(image: NDArray[Any], side: int) -> NDArray[Any]:
    """Return an array cut or padded with zeros about its centre pixel; all sides are even."""
    have = image.shape[0]
    if side <= have:
        start = have // 2 - side // 2
        return image[start : start + side, start : start + side]
    pad = side // 2 - have // 2
    return np.pad(image, pad)
