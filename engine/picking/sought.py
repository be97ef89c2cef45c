"""What a picking looks for: balls of some sizes, a round shape, or the views of class averages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.reference import Profile, Reference, Turned, ladder
from cryoverdict.engine.picking.templates import Templates

_Float = NDArray[np.float32]

# Sizes looked for in one picking differ by at most this.
STEP = 1.16
# A ball responds best to particles of this many times its size, whose rims are ragged.
BALL_SIZE = 0.87
# Angle between turned copies of a template: half of it turns the rim of a particle by less than
# the detail that picking uses, a sixth of the diameter. And how many views are looked for at most.
ANGLE_DEG = 12.0
MOST_VIEWS = 160
# A template this like itself turned by a quarter and an eighth is round.
ROUND = 0.985


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sought:
    """Round references, and the turned views that are looked for in their stead, if any.

    ``diameters_a`` are the sizes that a find by each of what is looked for stands for.
    """

    round_ones: tuple[Reference, ...]
    views: tuple[Turned, ...]
    diameters_a: tuple[float, ...]


def sought(parameters: PickingParameters, templates: Templates | None) -> Sought:
    """Return what is looked for.

    Without templates: soft balls from the smallest to the largest diameter. A round template is
    scaled over the same range; others are turned in steps, the most frequent first, and the noise
    is learned by their mean over all angles.
    """
    scales = ladder(parameters.diameter_min_a, parameters.diameter_max_a, STEP)
    if templates is None:
        balls = tuple(Profile(diameter_a=BALL_SIZE * size) for size in scales)
        return Sought(round_ones=balls, views=(), diameters_a=scales)
    if len(templates.images) == 1 and is_round(templates.images[0]):
        shapes = tuple(
            Turned(
                image=templates.images[0],
                pixel_size_a=templates.pixel_size_a * size / parameters.diameter_a,
                diameter_a=size,
            )
            for size in scales
        )
        return Sought(round_ones=shapes, views=(), diameters_a=scales)
    views = _views(templates, parameters.diameter_a)
    mean = Turned(
        image=_rounded(np.average(templates.images, axis=0, weights=templates.weights)),
        pixel_size_a=templates.pixel_size_a,
        diameter_a=parameters.diameter_a,
    )
    return Sought(
        round_ones=(mean,), views=views, diameters_a=(parameters.diameter_a,) * len(views)
    )


def _views(templates: Templates, diameter_a: float) -> tuple[Turned, ...]:
    """Return templates turned in steps, as many as may be looked for."""
    views: list[Turned] = []
    for number in np.argsort(-templates.weights, kind="stable"):
        image = templates.images[number]
        angles = (0.0,) if is_round(image) else tuple(np.arange(0.0, 360.0, ANGLE_DEG))
        if len(views) + len(angles) > MOST_VIEWS:
            break
        views.extend(
            Turned(
                image=image,
                pixel_size_a=templates.pixel_size_a,
                diameter_a=diameter_a,
                angle_deg=float(angle),
            )
            for angle in angles
        )
    return tuple(views)


def _rounded(image: NDArray[np.float64] | _Float) -> _Float:
    """Return an image's mean over all angles round its centre."""
    side = image.shape[0]
    y, x = np.mgrid[:side, :side] - side // 2
    radius = np.hypot(y, x)
    ring = np.rint(radius).astype(np.intp)
    sums = np.bincount(ring.ravel(), image.ravel())
    profile = sums / np.maximum(np.bincount(ring.ravel()), 1)
    mean = np.interp(radius, np.arange(len(profile)), profile)
    return np.where(radius <= 0.5 * side - 1.0, mean, 0.0).astype(np.float32)


def is_round(image: _Float) -> bool:
    """Return whether a template is alike in all directions."""
    from scipy import ndimage

    side = image.shape[0]
    y, x = np.mgrid[:side, :side] - side // 2
    inside = np.hypot(y, x) < 0.45 * side
    turned = [
        ndimage.rotate(np.pad(image, ((0, 1 - side % 2),) * 2), angle, reshape=False, order=1)[
            :side, :side
        ][inside]
        for angle in (0.0, 45.0, 90.0)
    ]
    return all(float(np.corrcoef(turned[0], other)[0, 1]) > ROUND for other in turned[1:])
