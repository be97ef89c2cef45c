"""What the usable-area map holds for contamination though it is particles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.found import Found
from cryoverdict.engine.picking.peaks import apart
from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.features.area_map import AreaKind

_Kinds = NDArray[np.uint8]

# What large particles may be taken for.
MISTAKEN = (AreaKind.CONTAMINATION, AreaKind.AGGREGATE)
# A region no larger than so many particles, of which so much lies within this many diameters of
# places that score as particles do, is particles. In six simulated sessions of particles from 230
# to 610 Å particles filled 0.76 of such a region and more, contamination 0.68 and less.
MOST_PARTICLES, FILLED, REACH = 5.0, 0.75, 0.55


def corrected_kind(
    image: PickingImage, found: Found, parameters: PickingParameters, ceiling: float
) -> _Kinds:
    """Return what lies in each pixel, regions that are filled with particles made usable.

    One micrograph alone does not tell a capsid from a crystal of ice of its size; what was found
    in all of them does. ``found`` are the places of the micrograph wherever they lie, best first;
    those from the threshold to a ``ceiling`` count.
    """
    from scipy import ndimage

    barren = np.isin(image.kind, MISTAKEN)
    there = barren[found.pixels(barren.shape)]
    usual = (found.score >= parameters.score_threshold) & (found.score <= ceiling)
    alike = found.only(there & usual)
    if not len(alike):
        return image.kind
    size_px = parameters.diameter_a / image.pixel_size_a
    alike = alike.only(apart(alike.y, alike.x, parameters.spacing_a / image.pixel_size_a))
    away = np.ones(barren.shape, np.bool_)
    away[alike.pixels(away.shape)] = False
    near = ndimage.distance_transform_edt(away) < REACH * size_px
    regions, count = ndimage.label(barren)
    areas = np.bincount(regions.ravel(), minlength=count + 1)
    filled = np.bincount(regions.ravel(), near.ravel(), minlength=count + 1)
    particles = filled >= FILLED * areas
    particles &= areas <= MOST_PARTICLES * np.pi * (0.5 * size_px) ** 2
    particles[0] = False
    return np.where(particles[regions], np.uint8(AreaKind.USABLE), image.kind)
