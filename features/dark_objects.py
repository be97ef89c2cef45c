"""Objects in the ice that are no particles: ice crystals, ethane, dirt, aggregates, tears.

An object stands out at some scale by more than the image's own noise does, its border is sharp
(ice that gets thicker has none), and it is not one of a population of things that are alike:
particles resemble each other, contamination does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.alike_things import (
    SCALES,
    Population,
    connected_things,
    find_population,
)
from cryoverdict.features.ice_noise import clearness, smoothed, undisturbed

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

# Where the pixel size is unknown, the longer side is taken for this long: fields of view of
# single-particle work are 2,500 to 6,000 Å wide.
USUAL_FIELD_A = 4000.0
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
# The border step in deviations of the noise at the finest scale; a fainter step will do where the
# object is beyond doubt at its own scale. The step must be a fair part of the whole darkness, too,
# and more so where it is faint, but not where it is strong: clouds of thicker ice fade out.
VERY_SHARP = 10.0
SHARP, SHARP_PART = 4.5, 0.2
SHARP_IF_CERTAIN, SHARP_PART_IF_CERTAIN = 2.5, 0.45
CERTAIN = 12.0
# What is no member of a population, nor a chain of touching members, has this many times the mass
# of one, and is this many times as dark or as wide.
OUTLIER_MASS = 3.0
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
    population: Population | None

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
    finest = smoothed(rest, SCALES[0] * unit)
    search = _Search(
        rest=rest,
        finest=finest,
        unit=unit,
        pixel_a=pixel_a,
        noise=undisturbed(finest, free, SCALES[0] * unit),
        population=find_population(rest, finest, free, unit, pixel_a),
    )
    dark = _joined(list(_objects(search, free)), free, pixel_a)
    return (*dark, *_bright_objects(search, free, dark))


def _objects(search: _Search, free: _Bool) -> Iterator[IceObject]:
    """Yield dark objects from fine to coarse scales; what was found is not looked at again."""
    from scipy import ndimage

    free = free.copy()
    rest, finest, unit = search.rest, search.finest, search.unit
    for scale in SCALES:
        smooth = finest
        if scale > SCALES[0]:
            smooth = smoothed(np.where(free, rest, np.float32(0.0)), scale * unit)
        noise = undisturbed(smooth, free, scale * unit)
        clear = clearness(smooth, free, noise)
        if float(clear.max()) <= CLEAR:
            continue
        seeds = connected_things(clear, clear > FAINT)
        # Most seeds are particles; those that are far too small need no closer look.
        likely = (seeds.peaks > CLEAR) & (seeds.areas > 0.4 * search.smallest_px)
        if search.population is not None:
            masses = seeds.sums * noise[1]
            likely &= masses > 0.5 * OUTLIER_MASS * search.population.mass
        if not likely.any():
            continue
        # The border of a wide object is sharper than the smoothing at which it stands out.
        sharper = finest if scale < 4.0 else smoothed(rest, 0.4 * scale * unit)
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
    sharp = step > VERY_SHARP or (step > SHARP and step > SHARP_PART * depth / deviation)
    if peak > CERTAIN and step > SHARP_IF_CERTAIN:
        sharp |= step > SHARP_PART_IF_CERTAIN * depth / deviation
    if not sharp:
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
        smooth = smoothed(inverse, scale * search.unit)
        clear = clearness(smooth, away, undisturbed(smooth, away, scale * search.unit))
        if float(clear.max()) <= CLEAR_BRIGHT:
            continue
        seeds = connected_things(clear, clear > 0.5 * CLEAR_BRIGHT)
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
