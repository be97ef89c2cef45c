"""Round profiles as template images, and templates as what is looked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.reference import Profile, Reference, Turned, ladder
from cryoverdict.engine.picking.templates import Templates

_Float = NDArray[np.float32]

PIXELS_ACROSS = 24.0
# Sizes looked for in one picking differ by at most this.
STEP = 1.16
# A ball responds best to particles of this many times its size, whose rims are ragged.
BALL_SIZE = 0.87
# Angle between turned copies of a template, and how many pictures are looked for at most.
ANGLE_DEG = 15.0
MOST_REFERENCES = 120
# A template this like itself turned by a quarter and an eighth is round.
ROUND = 0.985


def radial_template(profile: Profile, diameter_a: float) -> Templates:
    """Return a round profile as one template, light on dark ground, peak 1."""
    from scipy import fft

    pixel_a = diameter_a / PIXELS_ACROSS
    side = int(fft.next_fast_len(round(2.2 * PIXELS_ACROSS), real=True)) // 2 * 2
    frequency = np.hypot(
        fft.fftfreq(side, pixel_a)[:, None], fft.rfftfreq(side, pixel_a)[None, :]
    ).astype(np.float32)
    image = fft.fftshift(fft.irfft2(profile.at(frequency), s=(side, side)))
    peak = float(np.abs(image).max()) or 1.0
    return Templates(
        images=(image / peak).astype(np.float32)[None],
        pixel_size_a=pixel_a,
        weights=np.ones(1),
    )


def references_for(
    parameters: PickingParameters, templates: Templates | None
) -> tuple[tuple[Reference, ...], tuple[float, ...]]:
    """Return what is looked for, and the diameter (Å) that a find by each stands for.

    Without templates: soft balls from the smallest to the largest diameter. A round template is
    scaled over the same range; others are turned in steps, the most frequent first.
    """
    scales = ladder(parameters.diameter_min_a, parameters.diameter_max_a, STEP)
    if templates is None:
        balls = tuple(Profile(diameter_a=BALL_SIZE * size) for size in scales)
        return balls, scales
    order = np.argsort(-templates.weights, kind="stable")
    images = [templates.images[i] for i in order]
    if len(images) == 1 and is_round(images[0]):
        return tuple(
            Turned(
                image=images[0],
                pixel_size_a=templates.pixel_size_a * size / parameters.diameter_a,
                diameter_a=size,
            )
            for size in scales
        ), scales
    references: list[Reference] = []
    for image in images:
        angles = (0.0,) if is_round(image) else tuple(np.arange(0.0, 360.0, ANGLE_DEG))
        if len(references) + len(angles) > MOST_REFERENCES:
            break
        references.extend(
            Turned(
                image=image,
                pixel_size_a=templates.pixel_size_a,
                diameter_a=parameters.diameter_a,
                angle_deg=float(angle),
            )
            for angle in angles
        )
    return tuple(references), (parameters.diameter_a,) * len(references)


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
