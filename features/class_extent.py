"""What stands in the middle of a class average: how large, how many, how far out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import FloatArray
from cryoverdict.features.class_band import BLANK
from cryoverdict.features.class_view import RADIUS_PX, ClassView, distance
from cryoverdict.features.feature import Absent, Answer, Feature, feature

# Half of the way from the ground to what the brightest part of the average reaches.
LEVEL, BRIGHT = 0.45, 97.0
SMOOTH_PX = 2.0
# An island smaller than this share of the mask is no object.
SMALLEST = 0.01
NOTHING = Absent("no object stands out in the average")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The objects of an average, largest first.

    ``main`` ``(80, 80)`` bool is the particle; ``areas`` are in pixels, the particle's first, then
    the others by size; ``smooth`` is the average in which they were found.
    """

    smooth: FloatArray
    main: NDArray[np.bool_]
    areas: tuple[float, ...]


@feature(source="RELION class ranker (protein mask); SIMPLE")
def object_area_share(view: ClassView) -> Answer:
    """Share of the mask that the brightest object covers."""
    found = view.once(extent)
    return found if isinstance(found, Absent) else found.areas[0] / (np.pi * RADIUS_PX**2)


@feature(better="higher", source="SIMPLE and RELION: averages without particles are left blank")
def shown_share(view: ClassView) -> Answer:
    """Share of the mask in which the average shows anything at all."""
    if view.blank:
        return 0.0
    inside = view.native[distance(view.native.shape[0], view.native_radius_px) < 0.9]
    values, counts = np.unique(inside, return_counts=True)
    return 1.0 - float(counts.max() - 1) / inside.size if len(values) > 1 else 0.0


@feature(better="lower", source="2DAssess check_center (a second object)")
def object_number(view: ClassView) -> Answer:
    """Separate objects in the mask."""
    found = view.once(extent)
    return found if isinstance(found, Absent) else float(len(found.areas))


@feature(better="lower", source="2DAssess check_center (half of the largest)")
def second_object_ratio(view: ClassView) -> Answer:
    """Area of the second largest object, relative to the largest."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    return found.areas[1] / found.areas[0] if len(found.areas) > 1 else 0.0


@feature(better="lower", source="SIMPLE (centre of mass outside the mask); 2DAssess (0.15 box)")
def object_offset(view: ClassView) -> Answer:
    """Distance of the object's centre of mass from the centre, in mask radii."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    weight = np.where(found.main, np.maximum(found.smooth, 0.0), 0.0)
    axis = np.arange(weight.shape[0]) - weight.shape[0] // 2
    total = float(weight.sum())
    y, x = float((weight.sum(axis=1) @ axis) / total), float((weight.sum(axis=0) @ axis) / total)
    return float(np.hypot(x, y) / RADIUS_PX)


@feature(source="isoperimetric quotient")
def object_compactness(view: ClassView) -> Answer:
    """How round the object's outline is: 4 π area over its square, 1 for a disc."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    from skimage.measure import perimeter_crofton

    outline = float(perimeter_crofton(found.main, directions=4))
    return min(4.0 * np.pi * float(found.main.sum()) / max(outline, 1.0) ** 2, 1.2)


@feature(better="higher", source="area over that of the convex hull")
def object_solidity(view: ClassView) -> Answer:
    """How free of bays the object's outline is: its area over that of its convex hull."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    from scipy.ndimage import binary_fill_holes
    from scipy.spatial import ConvexHull, QhullError

    filled = binary_fill_holes(found.main)
    y, x = np.nonzero(filled)
    corners = np.concatenate(
        [np.stack([y + dy, x + dx], axis=1) for dy in (-0.5, 0.5) for dx in (-0.5, 0.5)]
    )
    try:
        hull = float(ConvexHull(corners).volume)
    except QhullError:
        return NOTHING
    return float(filled.sum()) / hull


@feature(source="second moments of the object")
def object_elongation(view: ClassView) -> Answer:
    """Length of the object over its width, from its second moments."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    points = np.argwhere(found.main).astype(float)
    spread = np.linalg.eigvalsh(np.cov(points.T) + np.eye(2) / 12.0)
    return float(np.sqrt(spread[1] / spread[0]))


@feature(source="SIMPLE and RELION: size against the mask")
def object_reach(view: ClassView) -> Answer:
    """Radius that holds 95 % of the object, from the centre, in mask radii."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    return float(np.quantile(distance()[found.main], 0.95))


@feature(better="lower", source="SIMPLE (pixels of the main object outside the mask)")
def clipped_share(view: ClassView) -> Answer:
    """Share of the object that lies in the outermost tenth of the mask."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    return float((distance()[found.main] > 0.9).mean())


@feature(better="lower", source="RELION class ranker (ring features)")
def rim_contact_share(view: ClassView) -> Answer:
    """Share of the mask's rim that an object touches."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    rho = distance()
    rim = (rho > 0.88) & (rho < 0.96)
    return float((found.smooth[rim] > _level(found.smooth)).mean())


@feature(better="higher", source="contrast of object and ground in deviations of the ground")
def object_contrast(view: ClassView) -> Answer:
    """How far the object stands above the rest of the mask, in deviations of the rest."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    from scipy.ndimage import binary_dilation

    rest = (distance() < 0.96) & ~binary_dilation(found.main, iterations=3)
    if rest.sum() < 100:
        return Absent("the object fills the mask")
    ground = view.pixels[rest]
    above = float(view.pixels[found.main].mean() - ground.mean())
    return above / max(float(ground.std()), 1e-3)


@feature(source="size relative to the other classes of the run")
def object_size_ratio(view: ClassView) -> Answer:
    """Area of the object, relative to the weighted median over the run."""
    found = view.once(extent)
    if isinstance(found, Absent):
        return found
    sizes = view.run.values(_area)
    weights = view.run.weights * np.isfinite(sizes)
    if weights.sum() <= 0:
        return NOTHING
    order = np.argsort(np.where(np.isfinite(sizes), sizes, np.inf), kind="stable")
    half = np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())
    return found.areas[0] / float(sizes[order[half]])


def _area(view: ClassView) -> float | None:
    """Return the area of the main object."""
    found = view.once(extent)
    return None if isinstance(found, Absent) else found.areas[0]


def _level(smooth: FloatArray) -> float:
    """Return the grey value from which a pixel belongs to an object."""
    return LEVEL * float(np.percentile(smooth[distance() < 0.96], BRIGHT))


def extent(view: ClassView) -> Extent | Absent:
    """Return the objects of an average, or why there are none."""
    if view.blank:
        return BLANK
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(view.pixels, SMOOTH_PX)
    level = _level(smooth)
    if level <= 0.0:
        return NOTHING
    labels, count = ndimage.label((smooth > level) & (distance() <= 1.0))
    if count == 0:
        return NOTHING
    areas = np.bincount(labels.ravel())[1:].astype(float)
    # The particle is what stands in the middle; a brighter neighbour is a neighbour still.
    middle = np.maximum(smooth, 0.0) * np.exp(-((distance() / 0.6) ** 2))
    weights = np.bincount(labels.ravel(), middle.ravel())[1:]
    large = areas >= SMALLEST * np.pi * RADIUS_PX**2
    if not large.any():
        return NOTHING
    main = int(np.argmax(np.where(large, weights, -1.0)))
    others = np.sort(areas[large & (np.arange(count) != main)])[::-1]
    return Extent(
        smooth=np.asarray(smooth, dtype=np.float32),
        main=labels == main + 1,
        areas=(float(areas[main]), *(float(a) for a in others)),
    )


FEATURES: tuple[Feature, ...] = (
    shown_share,
    object_area_share,
    object_number,
    second_object_ratio,
    object_offset,
    object_compactness,
    object_solidity,
    object_elongation,
    object_reach,
    clipped_share,
    rim_contact_share,
    object_contrast,
    object_size_ratio,
)
