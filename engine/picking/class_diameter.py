"""What good class averages say of the particles' size, and the templates they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.templates import Templates

_Float = NDArray[np.float32]

MOST_TEMPLATES = 5
# Density above this share of the average's peak belongs to the particle.
RIM_LEVEL = 0.12


# The soft edge of a mask, and how much of the circle within it a particle must fill to be cut.
MASK_EDGE_PX, CUT_ARC = 5.0, 0.03
# Beyond a mask an average varies less than this share of what it does inside.
BEYOND_MASK = 0.003
# The longest extent is that of the views up to this share of the particles: a pair in one class
# is no particle.
LONGEST_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSizes:
    """Sizes (Å) of class averages: two different ones.

    ``diameter_a`` is that of the disc with the mean area of the views, ``smallest_a`` and
    ``largest_a`` its range; ``longest_a`` is the longest extent of any view, pairs aside.
    ``cut_share`` is the share of the particles whose average reaches the edge of its mask: of
    these, the sizes are lower bounds.
    """

    diameter_a: float
    longest_a: float
    smallest_a: float
    largest_a: float
    cut_share: float


def class_sizes(averages: Templates) -> ClassSizes | None:
    """Return the sizes of class averages weighted by their particles, ``None`` without any.

    A class's diameter is that of the disc with the area above the rim level round its centre, its
    longest dimension the largest distance in that area.
    """
    diameters, lengths, cut, weights = [], [], [], []
    for image, weight in zip(averages.images, averages.weights, strict=True):
        inside = _particle(image)
        area = int(np.count_nonzero(inside))
        if area < 9:
            continue
        places = np.argwhere(inside)
        angles = np.radians(np.arange(0.0, 180.0, 5.0))
        reach = places @ np.stack((np.sin(angles), np.cos(angles)))
        longest = float((reach.max(axis=0) - reach.min(axis=0)).max()) + 1.0
        diameters.append(2.0 * (area / np.pi) ** 0.5 * averages.pixel_size_a)
        lengths.append(longest * averages.pixel_size_a)
        cut.append(_is_cut(inside, mask_radius_px(image)))
        weights.append(max(float(weight), 1e-6))
    if not diameters:
        return None
    rising = np.argsort(lengths, kind="stable")
    share = np.cumsum(np.array(weights)[rising]) / np.sum(weights)
    longest_at = int(rising[int(np.searchsorted(share, LONGEST_SHARE - 1e-9))])
    return ClassSizes(
        diameter_a=float(np.average(diameters, weights=weights)),
        longest_a=lengths[longest_at],
        smallest_a=float(np.min(diameters)),
        largest_a=float(np.max(diameters)),
        cut_share=float(np.average(cut, weights=weights)),
    )


def mask_radius_px(image: _Float) -> float:
    """Return the radius of the mask of an average: beyond it the image is of one grey value.

    It is half of the side where there is no mask.
    """
    side = image.shape[0]
    y, x = np.mgrid[:side, :side] - side // 2
    ring = np.rint(np.hypot(y, x)).astype(np.intp).ravel()
    count = np.bincount(ring)
    mean = np.bincount(ring, image.ravel()) / count
    spread = np.bincount(ring, np.square(image.ravel() - mean[ring])) / count
    varied = np.flatnonzero(np.sqrt(spread) > BEYOND_MASK * float(image.std()))
    return float(min(varied.max(initial=0) + 1, side // 2))


def _is_cut(inside: NDArray[np.bool_], mask_px: float) -> bool:
    """Return whether a particle fills part of the circle where its mask begins to fade.

    Without a mask it is the border of the box that would cut.
    """
    side = inside.shape[0]
    y, x = np.mgrid[:side, :side] - side // 2
    fades = MASK_EDGE_PX if mask_px < side // 2 else 1.0
    circle = np.abs(np.hypot(y, x) - (mask_px - fades)) < 1.0
    return bool(circle.any()) and float(inside[circle].mean()) > CUT_ARC


def _particle(image: _Float) -> NDArray[np.bool_]:
    """Return the pixels of the particle in the middle of an average."""
    from scipy import ndimage as nd

    side = image.shape[0]
    y, x = np.mgrid[:side, :side] - side // 2
    radius = np.hypot(y, x)
    ground = float(np.median(image[radius > 0.46 * side]))
    flat = nd.gaussian_filter(image - ground, 1.0)
    peak = float(np.percentile(flat[radius < 0.4 * side], 98.0))
    inside: NDArray[np.bool_] = (flat > RIM_LEVEL * peak) & (radius < 0.48 * side)
    labels, count = nd.label(inside)
    if not count:
        return inside
    sizes = nd.sum_labels(inside, labels, np.arange(1, count + 1))
    whole: NDArray[np.bool_] = nd.binary_fill_holes(labels == int(np.argmax(sizes)) + 1)
    return whole


def class_templates(averages: Templates) -> Templates:
    """Return the averages of most particles as templates: ground 0, masked, unit peak."""
    from scipy import ndimage

    order = np.argsort(-averages.weights, kind="stable")[:MOST_TEMPLATES]
    images = []
    for number in order:
        image = averages.images[number]
        inside = _particle(image)
        ring = ndimage.binary_dilation(inside, iterations=3)
        ground = float(image[~ring].mean()) if (~ring).any() else 0.0
        soft = ndimage.gaussian_filter(ring.astype(np.float32), 1.5)
        flat = (image - ground) * soft
        images.append((flat / (float(np.abs(flat).max()) or 1.0)).astype(np.float32))
    return Templates(
        images=np.stack(images),
        pixel_size_a=averages.pixel_size_a,
        weights=averages.weights[order],
    )
