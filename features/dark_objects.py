"""Objects in the ice that are no particles: ice crystals, ethane, dirt, aggregates, tears.

An object stands out at some scale by more than the image's own noise does, its border is sharp
(ice that gets thicker has none), and it is not one of a population of things that are alike:
particles resemble each other, contamination does not.

Noise is measured on the light side of the grey-value distribution and in the quiet quarter of the
image, because particles and contamination are dark. In a dense field of particles the particles
themselves are that noise, and only what is darker than them stands out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.cell_grid import cell_means

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

# Standard deviations of the smoothing, in pixels of an image of 256 on the longer side.
SCALES = (1.0, 2.0, 3.5, 6.0, 10.0)
# The scales at which particles are still seen one by one.
POPULATION_SCALES = (1.0, 2.0)
# Where to look for objects, and from where on they count, in deviations of the noise.
FAINT = 2.5
CLEAR = 5.0
# A thing of a particle's size counts only when it is this clear.
CLEAR_SMALL = 7.0
# Diameters in units of the longer side. A field is 3,000 to 6,000 Å wide, a particle 80 to 300 Å.
SMALLEST_DIAMETER = 0.03
LARGE_DIAMETER = 0.09
# The border step in deviations of the noise at the finest scale.
SHARP = 4.5
# A population has this many members, with this much spread of the logarithm of their areas.
FEWEST_ALIKE = 5
ALIKE_SPREAD = 0.45
POPULATION_CLEAR = 4.5
# What is no member of a population has this many times its mass, and is this much darker or wider.
OUTLIER_MASS = 4.0
OUTLIER_DARKNESS = 1.6
OUTLIER_WIDTH = 2.2

ObjectKind = Literal["contamination", "aggregate", "bright"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IceObject:
    """One object: its kind, its pixels, how far it stands out.

    ``window`` and ``pixels`` give its place in the image at half sampling; ``area_fraction`` is
    of the image, ``contrast`` its mean darkness (brightness for a bright one) in deviations of
    the noise at the finest scale, ``edge_step`` the step at its border in the same unit.
    """

    kind: ObjectKind
    window: tuple[slice, slice]
    pixels: _Bool = field(repr=False)
    area_fraction: float
    contrast: float
    edge_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Population:
    """Things that are alike: median area (px), mass (grey × px), clearness and half width (px)."""

    area: float
    mass: float
    clearness: float
    half_width: float


def find_ice_objects(rest: _Float, free: _Bool) -> tuple[IceObject, ...]:
    """Return the objects in ``rest`` ``(y, x)``, an image at half sampling without background.

    Only ``free`` pixels are looked at; ``rest`` must be 0 elsewhere.
    """
    if np.count_nonzero(free) < 1000:
        return ()
    unit = max(rest.shape) / 256.0
    finest = _smooth(rest, SCALES[0] * unit)
    noise = _noise(finest, free, SCALES[0] * unit)
    population = _population(rest, finest, free, unit)
    return tuple(_objects(rest, finest, free, unit, noise, population))


def _smooth(image: _Float, scale: float) -> _Float:
    """Return ``image`` smoothed by a Gaussian of a deviation of ``scale`` pixels.

    Wide ones are computed at half the sampling.
    """
    from scipy import ndimage

    if scale < 4.0:
        return np.asarray(ndimage.gaussian_filter(image, scale, truncate=3.0), np.float32)
    shape = (-(-image.shape[0] // 2), -(-image.shape[1] // 2))
    half = ndimage.gaussian_filter(cell_means(image, shape), scale / 2.0, truncate=3.0)
    zoom = (image.shape[0] / shape[0], image.shape[1] / shape[1])
    wide = ndimage.zoom(half, zoom, order=1, grid_mode=True, mode="nearest")
    return np.asarray(wide, np.float32)


def _noise(image: _Float, free: _Bool, scale: float) -> tuple[float, float]:
    """Return level and deviation of the undisturbed image, smoothed at ``scale``.

    The level is the median after dark outliers are cut off. The deviation is the smaller of that
    of the light side and that within blocks of twelve scales, in the quietest quarter of them.
    """
    values = image[free][::3]
    level = light = 0.0
    for _ in range(6):
        level, bright = (float(q) for q in np.quantile(values, (0.5, 0.8413)))
        light = max(bright - level, 1e-9)
        kept = values[(values > level - 3.0 * light) & (values < level + 4.0 * light)]
        if len(kept) in (0, len(values)):
            break
        values = kept
    blocks = tuple(int(n / (12.0 * scale)) for n in image.shape)
    if min(blocks) < 3:
        return level, light
    shape = (blocks[0], blocks[1])
    known = cell_means(free.astype(np.float32), shape)
    inside = np.where(free, image - np.float32(level), np.float32(0.0))
    mean = cell_means(inside, shape) / np.maximum(known, 1e-3)
    square = cell_means(inside * inside, shape) / np.maximum(known, 1e-3)
    variance = (square - mean * mean)[known > 0.5]
    if len(variance) < 9:
        return level, light
    # In white noise the quietest quarter of such blocks has 1 / 1.16 of the deviation.
    quiet = 1.16 * float(np.sqrt(max(np.quantile(variance, 0.25), 0.0)))
    return level, max(min(light, quiet), 1e-9)


def _clearness(image: _Float, free: _Bool, scale: float) -> _Float:
    """Return how far each free pixel of a smoothed image is darker than the level, in noises."""
    level, noise = _noise(image, free, scale)
    clear = (np.float32(level) - image) / np.float32(noise)
    return np.asarray(np.where(free, clear, np.float32(0.0)), np.float32)


def _population(rest: _Float, finest: _Float, free: _Bool, unit: float) -> _Population | None:
    """Return the population of things that are alike, or None where there is none.

    Things are seen as what exceeds half of its own peak; of the scales at which they are alike
    the one that gives the heavier things counts.
    """
    from scipy import ndimage

    best: _Population | None = None
    for scale in POPULATION_SCALES:
        smooth = finest if scale == SCALES[0] else _smooth(rest, scale * unit)
        clear = _clearness(smooth, free, scale * unit)
        level, noise = _noise(smooth, free, scale * unit)
        labels, count = ndimage.label(clear > 3.0)
        if count < FEWEST_ALIKE:
            continue
        peaks = np.concatenate(([0.0], ndimage.maximum(clear, labels, np.arange(1, count + 1))))
        labels, count = ndimage.label((labels > 0) & (clear > 0.5 * peaks[labels]))
        flat = labels.ravel()
        areas = np.bincount(flat, minlength=count + 1)[1:]
        masses = np.bincount(flat, clear.ravel(), count + 1)[1:] * noise
        peaks = ndimage.maximum(clear, labels, np.arange(1, count + 1))
        clearly = peaks > POPULATION_CLEAR
        if np.count_nonzero(clearly) < FEWEST_ALIKE:
            continue
        logarithm = np.log(areas[clearly])
        spread = 1.4826 * np.median(np.abs(logarithm - np.median(logarithm)))
        mass = float(np.median(masses[clearly]))
        if spread <= ALIKE_SPREAD and (best is None or mass > best.mass):
            area = float(np.median(areas[clearly]))
            best = _Population(
                area=area,
                mass=mass,
                clearness=float(np.median(peaks[clearly])),
                half_width=float(np.sqrt(area / np.pi)),
            )
    return best


def _objects(
    rest: _Float,
    finest: _Float,
    free: _Bool,
    unit: float,
    noise: tuple[float, float],
    population: _Population | None,
) -> Iterator[IceObject]:
    """Yield dark objects from fine to coarse scales; what was found is not looked at again."""
    from scipy import ndimage

    free = free.copy()
    for scale in SCALES:
        smooth = finest
        if scale > SCALES[0]:
            smooth = _smooth(np.where(free, rest, np.float32(0.0)), scale * unit)
        clear = _clearness(smooth, free, scale * unit)
        if float(clear.max()) <= CLEAR:
            continue
        labels, count = ndimage.label(clear > FAINT)
        peaks = ndimage.maximum(clear, labels, np.arange(1, count + 1))
        # The border of a wide object is sharper than the smoothing at which it stands out.
        sharper = finest if scale < 4.0 else _smooth(rest, 0.4 * scale * unit)
        windows = ndimage.find_objects(labels)
        for number in np.flatnonzero(peaks > CLEAR):
            peak = float(peaks[number])
            window = _widened(windows[number], int(scale * unit) + 8, free.shape)
            seed = labels[window] == number + 1
            core = seed & (clear[window] > min(0.6 * peak, 3.0 * CLEAR))
            reach = max(1, int(scale * unit / 2.0))
            place = ndimage.binary_dilation(seed, iterations=reach) & free[window]
            pixels = _outlined(sharper[window], core, place, noise)
            if pixels is None:
                continue
            found = _judged(
                rest[window], pixels, free[window], window, free.shape, peak, noise, population
            )
            if found is not None:
                free[window] &= ~pixels
                yield found


def _widened(
    window: tuple[slice, ...], margin: int, shape: tuple[int, ...]
) -> tuple[slice, slice]:
    """Return a window with a margin on all sides, cut at the borders of the image."""
    rows, columns = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(window, shape, strict=True)
    )
    return rows, columns


def _outlined(
    image: _Float, core: _Bool, place: _Bool, noise: tuple[float, float]
) -> _Bool | None:
    """Return the pixels of ``place`` around ``core`` that are at least half as dark as it."""
    from scipy import ndimage

    level, deviation = noise
    depth = level - float(image[core].mean())
    # A very dark object has fainter parts that belong to it too.
    threshold = level - min(0.5 * depth, 12.0 * deviation)
    labels, _ = ndimage.label((image < threshold) & place)
    numbers = np.unique(labels[core])
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return None
    filled: _Bool = ndimage.binary_fill_holes(np.isin(labels, numbers))
    return filled & place


def _judged(
    rest: _Float,
    pixels: _Bool,
    free: _Bool,
    window: tuple[slice, slice],
    shape: tuple[int, ...],
    peak: float,
    noise: tuple[float, float],
    population: _Population | None,
) -> IceObject | None:
    """Return the object that ``pixels`` of a window are, or None where they are none."""
    from scipy import ndimage

    area = int(np.count_nonzero(pixels))
    longer = max(shape)
    diameter = 2.0 * np.sqrt(area / np.pi) / longer
    depth = noise[0] - float(rest[pixels].mean())
    large = diameter > LARGE_DIAMETER
    if population is not None:
        if depth * area < OUTLIER_MASS * population.mass:
            return None
    elif diameter < SMALLEST_DIAMETER or (peak < CLEAR_SMALL and not large):
        return None
    near = ndimage.binary_dilation(pixels)
    ring = ndimage.binary_dilation(near, iterations=3) & ~near & free
    rim = pixels & ~ndimage.binary_erosion(pixels, iterations=2, border_value=1)
    if np.count_nonzero(ring) < 4 or not rim.any():
        return None
    step = (float(rest[ring].mean()) - float(rest[rim].mean())) / noise[1]
    if step < SHARP:
        return None
    half_width = float(ndimage.distance_transform_edt(np.pad(pixels, 1)).max())
    if half_width < 2.5 * longer / 256.0:
        return None  # a line, or a strip along the border
    if population is not None and not (
        peak > OUTLIER_DARKNESS * population.clearness
        or half_width > OUTLIER_WIDTH * population.half_width
    ):
        return None
    return IceObject(
        kind="contamination",
        window=window,
        pixels=pixels,
        area_fraction=area / (shape[0] * shape[1]),
        contrast=depth / noise[1],
        edge_step=step,
    )
