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

# Where the pixel size is unknown, the longer side is taken for this long: fields of view of
# single-particle work are 2,500 to 6,000 Å wide.
USUAL_FIELD_A = 4000.0
# Standard deviations of the smoothing, in pixels of an image of 256 on the longer side.
SCALES = (1.0, 2.0, 3.5, 6.0, 10.0)
HISTOGRAM_BINS = 4096
# Where to look for objects, and from where on they count, in deviations of the noise.
FAINT = 2.5
CLEAR = 5.0
# A thing of a particle's size counts only when it is this clear.
CLEAR_SMALL = 7.0
# Bright things are rarer, and a field of dark particles has bright gaps.
CLEAR_BRIGHT = 9.0
# Nothing smaller than a particle counts; what is larger than particles are counts more easily.
SMALLEST_DIAMETER_A = 120.0
LARGE_DIAMETER_A = 360.0
# Among particles that show in pieces (rings, side views) a whole one is no outlier.
SMALLEST_OUTLIER_A = 150.0
# The border step in deviations of the noise at the finest scale.
SHARP = 4.5
# Populations are sought at scales whose blobs are not wider than this.
POPULATION_BLOB_A = 130.0
# A population has this many members, with this much spread of the logarithm of their areas; a
# few must be more alike than many.
FEWEST_ALIKE = 3
ALIKE_SPREAD = 0.45
MANY_ALIKE = 5
FEW_ALIKE_SPREAD = 0.2
POPULATION_CLEAR = 4.5
# What is no member of a population, nor a chain of touching members, has this many times the mass
# of one, and is this many times as dark or as wide.
OUTLIER_MASS = 4.0
OUTLIER_DEPTH = 1.5
OUTLIER_WIDTH = 1.8
# Objects closer than this belong together; where they fill less than this fraction of what they
# enclose, or are at least three, they are an aggregate.
JOINED_GAP_A = 130.0
SOLID_FRACTION = 0.7

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
    """Things that are alike: mass (grey × px), depth (grey) and half width (px) of large ones."""

    mass: float
    depth: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """What the search for objects needs everywhere.

    ``rest`` is the image without background, ``finest`` the same smoothed at the finest scale,
    ``unit`` the size in pixels of a 256th of the longer side, ``pixel_a`` that of a pixel in Å,
    ``noise`` level and deviation of ``finest``.
    """

    rest: _Float
    finest: _Float
    unit: float
    pixel_a: float
    noise: tuple[float, float]
    population: _Population | None

    @property
    def smallest_px(self) -> float:
        """The area in pixels below which nothing counts, without a population."""
        if self.population is not None:
            return 0.0
        return float(np.pi / 4.0 * (SMALLEST_DIAMETER_A / self.pixel_a) ** 2)


def find_ice_objects(
    rest: _Float, free: _Bool, pixel_size_a: float | None
) -> tuple[IceObject, ...]:
    """Return the objects in ``rest`` ``(y, x)``, an image at half sampling without background.

    Only ``free`` pixels are looked at; ``rest`` must be 0 elsewhere. ``pixel_size_a`` is that of
    ``rest``.
    """
    if np.count_nonzero(free) < 1000:
        return ()
    unit = max(rest.shape) / 256.0
    pixel_a = pixel_size_a or USUAL_FIELD_A / max(rest.shape)
    finest = _smooth(rest, SCALES[0] * unit)
    search = _Search(
        rest=rest,
        finest=finest,
        unit=unit,
        pixel_a=pixel_a,
        noise=_noise(finest, free, SCALES[0] * unit),
        population=_population(rest, finest, free, unit, pixel_a),
    )
    dark = _joined(list(_objects(search, free)), free, pixel_a)
    return (*dark, *_bright_objects(search, free, dark))


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
    level, light = _light_side(image[free])
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


def _light_side(values: _Float) -> tuple[float, float]:
    """Return the median of the undisturbed values and the deviation of their light side.

    Values below the median by 3 deviations, or above it by 4, are cut off until none is left, on
    a histogram.
    """
    low, level, high = (float(q) for q in np.quantile(values, (0.1587, 0.5, 0.8413)))
    width = max(high - low, 1e-9)
    start, stop = level - 4.0 * width, level + 4.0 * width
    counts, edges = np.histogram(values, HISTOGRAM_BINS, (start, stop))
    below = np.concatenate(([0.0], np.cumsum(counts)))
    light = max(high - level, 1e-9)
    cut = (start, stop)
    for _ in range(8):
        cut = (max(cut[0], level - 3.0 * light), min(cut[1], level + 4.0 * light))
        first, last = np.interp(cut, edges, below)
        if last <= first:
            break
        wanted = first + (last - first) * np.array([0.5, 0.8413])
        new_level, bright = np.interp(wanted, below, edges)
        settled = abs(float(new_level) - level) < 1e-3 * light
        level, light = float(new_level), max(float(bright - new_level), 1e-9)
        if settled:
            break
    return level, light


def _clearness(image: _Float, free: _Bool, noise: tuple[float, float]) -> _Float:
    """Return how far each free pixel of a smoothed image is darker than the level, in noises."""
    clear = (np.float32(noise[0]) - image) / np.float32(noise[1])
    return np.asarray(np.where(free, clear, np.float32(0.0)), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Things:
    """Connected pixels, numbered from 1 in ``labels``: peak, area (px) and sum of each."""

    labels: NDArray[np.int32]
    peaks: NDArray[np.float64]
    areas: NDArray[np.float64]
    sums: NDArray[np.float64]


def _things(clear: _Float, where: _Bool) -> _Things:
    """Return the connected parts of ``where``, measured in ``clear``."""
    from scipy import ndimage

    labels, count = ndimage.label(where)
    inside = np.flatnonzero(labels)
    number, values = labels.ravel()[inside], clear.ravel()[inside]
    order = np.lexsort((values, number))
    last = np.searchsorted(number[order], np.arange(1, count + 1), side="right") - 1
    return _Things(
        labels=labels,
        peaks=values[order][last].astype(np.float64),
        areas=np.bincount(number, minlength=count + 1)[1:].astype(np.float64),
        sums=np.bincount(number, values, count + 1)[1:],
    )


def _population(
    rest: _Float, finest: _Float, free: _Bool, unit: float, pixel_a: float
) -> _Population | None:
    """Return the population of things that are alike, or None where there is none.

    Things are seen as what exceeds half of its own peak; of the scales at which they are alike
    the one that gives the heavier things counts.
    """
    best: _Population | None = None
    for scale in SCALES:
        if 2.83 * scale * unit * pixel_a > POPULATION_BLOB_A and scale > SCALES[1]:
            break
        smooth = finest if scale == SCALES[0] else _smooth(rest, scale * unit)
        noise = _noise(smooth, free, scale * unit)
        clear = _clearness(smooth, free, noise)
        found = _things(clear, clear > 3.0)
        if np.count_nonzero(found.peaks > POPULATION_CLEAR) < FEWEST_ALIKE:
            continue
        peaks = np.concatenate(([0.0], found.peaks))
        found = _things(clear, (found.labels > 0) & (clear > 0.5 * peaks[found.labels]))
        areas, masses = found.areas, found.sums * noise[1]
        clearly = found.peaks > POPULATION_CLEAR
        if np.count_nonzero(clearly) < FEWEST_ALIKE:
            continue
        logarithm = np.log(areas[clearly])
        spread = 1.4826 * np.median(np.abs(logarithm - np.median(logarithm)))
        # Upper quartiles, since particles show different faces, and some of them in pieces.
        mass = float(np.quantile(masses[clearly], 0.75))
        many = np.count_nonzero(clearly) >= MANY_ALIKE
        if spread > (ALIKE_SPREAD if many else FEW_ALIKE_SPREAD):
            continue
        if best is None or mass > best.mass:
            area = float(np.quantile(areas[clearly], 0.75))
            best = _Population(
                mass=mass, depth=mass / area, half_width=float(np.sqrt(area / np.pi))
            )
    return best


def _objects(search: _Search, free: _Bool) -> Iterator[IceObject]:
    """Yield dark objects from fine to coarse scales; what was found is not looked at again."""
    from scipy import ndimage

    free = free.copy()
    rest, finest, unit = search.rest, search.finest, search.unit
    for scale in SCALES:
        smooth = finest
        if scale > SCALES[0]:
            smooth = _smooth(np.where(free, rest, np.float32(0.0)), scale * unit)
        noise = _noise(smooth, free, scale * unit)
        clear = _clearness(smooth, free, noise)
        if float(clear.max()) <= CLEAR:
            continue
        seeds = _things(clear, clear > FAINT)
        # Most seeds are particles; those that are far too small need no closer look.
        likely = (seeds.peaks > CLEAR) & (seeds.areas > 0.4 * search.smallest_px)
        if search.population is not None:
            masses = seeds.sums * noise[1]
            likely &= masses > 0.5 * OUTLIER_MASS * search.population.mass
        if not likely.any():
            continue
        # The border of a wide object is sharper than the smoothing at which it stands out.
        sharper = finest if scale < 4.0 else _smooth(rest, 0.4 * scale * unit)
        windows = ndimage.find_objects(seeds.labels)
        for number in np.flatnonzero(likely):
            peak = float(seeds.peaks[number])
            window = _widened(windows[number], int(scale * unit) + 8, free.shape)
            seed = seeds.labels[window] == number + 1
            core = seed & (clear[window] > min(0.6 * peak, 3.0 * CLEAR))
            reach = max(1, int(scale * unit / 2.0))
            place = ndimage.binary_dilation(seed, iterations=reach) & free[window]
            pixels = _outlined(sharper[window], core, place, search.noise)
            if pixels is None:
                continue
            found = _judged(search, pixels, free[window], window, peak)
            if found is not None:
                free[window] &= ~pixels
                yield found


def _widened(window: tuple[slice, ...], margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return a window with a margin on all sides, cut at the borders of the image."""
    rows, columns = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(window, shape, strict=True)
    )
    return rows, columns


def _outlined(image: _Float, core: _Bool, place: _Bool, noise: tuple[float, float]) -> _Bool | None:
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
    search: _Search, pixels: _Bool, free: _Bool, window: tuple[slice, slice], peak: float
) -> IceObject | None:
    """Return the object that ``pixels`` of a window are, or None where they are none."""
    from scipy import ndimage

    rest = search.rest[window]
    population = search.population
    level, deviation = search.noise
    area = int(np.count_nonzero(pixels))
    diameter_a = 2.0 * np.sqrt(area / np.pi) * search.pixel_a
    depth = level - float(rest[pixels].mean())
    if population is not None:
        if depth * area < OUTLIER_MASS * population.mass or diameter_a < SMALLEST_OUTLIER_A:
            return None
    elif diameter_a < SMALLEST_DIAMETER_A or (peak < CLEAR_SMALL and diameter_a < LARGE_DIAMETER_A):
        return None
    step = _edge_step(rest, pixels, free) / deviation
    if step < SHARP:
        return None
    half_width = float(ndimage.distance_transform_edt(np.pad(pixels, 1)).max())
    if half_width < 2.5 * search.unit:
        return None  # a line, or a strip along the border
    if population is not None and not (
        depth > OUTLIER_DEPTH * population.depth
        or half_width > OUTLIER_WIDTH * population.half_width
    ):
        return None
    return IceObject(
        kind="contamination",
        window=window,
        pixels=pixels,
        area_fraction=area / search.rest.size,
        contrast=depth / deviation,
        edge_step=step,
    )


def _edge_step(rest: _Float, pixels: _Bool, free: _Bool) -> float:
    """Return how much brighter it is just outside than just inside ``pixels``, 0 if unknown."""
    from scipy import ndimage

    near = ndimage.binary_dilation(pixels)
    ring = ndimage.binary_dilation(near, iterations=3) & ~near & free
    rim = pixels & ~ndimage.binary_erosion(pixels, iterations=2, border_value=1)
    if np.count_nonzero(ring) < 4 or not rim.any():
        return 0.0
    return float(rest[ring].mean()) - float(rest[rim].mean())


def _joined(objects: list[IceObject], free: _Bool, pixel_a: float) -> tuple[IceObject, ...]:
    """Return the objects with those that lie close together made one, its gaps filled.

    Each is widened by a pixel, for the fringe around it.
    """
    from scipy import ndimage

    if not objects:
        return ()
    covered = np.zeros(free.shape, np.bool_)
    for found in objects:
        covered[found.window] |= found.pixels
    reach = int(np.clip(round(0.5 * JOINED_GAP_A / pixel_a), 2, 12))
    # Distances give round neighbourhoods at any reach in constant time.
    wide = ndimage.distance_transform_edt(~covered) <= reach
    closed = ndimage.distance_transform_edt(np.pad(wide, reach + 1, mode="edge")) > reach
    inner = slice(reach + 1, -reach - 1)
    closed = (closed[inner, inner] | covered | ndimage.binary_dilation(covered)) & free
    labels, count = ndimage.label(closed, np.ones((3, 3)))
    members: list[list[IceObject]] = [[] for _ in range(count + 1)]
    for found in objects:
        for number in np.unique(labels[found.window][found.pixels]):
            members[int(number)].append(found)
    joined = []
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        parts = members[number]
        if not parts:
            continue
        pixels = labels[window] == number
        areas = np.array([p.area_fraction for p in parts])
        area = int(np.count_nonzero(pixels))
        fill = np.count_nonzero(covered[window] & pixels) / area
        loose = fill < SOLID_FRACTION and np.sqrt(area) * pixel_a > LARGE_DIAMETER_A
        joined.append(
            IceObject(
                kind="aggregate" if loose else "contamination",
                window=window,
                pixels=pixels,
                area_fraction=area / free.size,
                contrast=float(np.average([p.contrast for p in parts], weights=areas)),
                edge_step=float(np.average([p.edge_step for p in parts], weights=areas)),
            )
        )
    return tuple(joined)


def _bright_objects(
    search: _Search, free: _Bool, dark: tuple[IceObject, ...]
) -> Iterator[IceObject]:
    """Yield bright objects, away from dark ones, whose fringes are bright too."""
    from scipy import ndimage

    near = ~free
    for found in dark:
        near[found.window] |= found.pixels
    away = ~ndimage.binary_dilation(near, iterations=4)
    if np.count_nonzero(away) < 1000:
        return
    inverse = np.where(away, -search.rest, np.float32(0.0)).astype(np.float32)
    for scale in SCALES[1:4:2]:
        smooth = _smooth(inverse, scale * search.unit)
        clear = _clearness(smooth, away, _noise(smooth, away, scale * search.unit))
        if float(clear.max()) <= CLEAR_BRIGHT:
            continue
        seeds = _things(clear, clear > 0.5 * CLEAR_BRIGHT)
        for number, window in enumerate(ndimage.find_objects(seeds.labels)):
            pixels = seeds.labels[window] == number + 1
            area = int(np.count_nonzero(pixels))
            diameter_a = 2.0 * np.sqrt(area / np.pi) * search.pixel_a
            if seeds.peaks[number] <= CLEAR_BRIGHT or diameter_a < LARGE_DIAMETER_A:
                continue
            step = _edge_step(inverse[window], pixels, away[window]) / search.noise[1]
            if step < SHARP:
                continue
            away[window] &= ~pixels
            yield IceObject(
                kind="bright",
                window=window,
                pixels=pixels,
                area_fraction=area / free.size,
                contrast=-float(inverse[window][pixels].mean()) / search.noise[1],
                edge_step=step,
            )
