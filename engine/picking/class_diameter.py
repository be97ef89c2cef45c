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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSizes:
    """Mean diameter and longest dimension (Å) of class averages, and the range of the means."""

    diameter_a: float
    longest_a: float
    smallest_a: float
    largest_a: float


def class_sizes(averages: Templates) -> ClassSizes | None:
    """Return the sizes of class averages weighted by their particles, ``None`` without any.

    A class's diameter is that of the disc with the area above the rim level round its centre, its
    longest dimension the largest distance in that area.
    """
    diameters, lengths, weights = [], [], []
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
        weights.append(max(float(weight), 1e-6))
    if not diameters:
        return None
    return ClassSizes(
        diameter_a=float(np.average(diameters, weights=weights)),
        longest_a=float(np.max(lengths)),
        smallest_a=float(np.min(diameters)),
        largest_a=float(np.max(diameters)),
    )


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
