"""Which micrographs are asked: a part of them, enough to hold some dozen particles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cryoverdict.engine.picking.picking_image import PickingImage

# Sizes are looked for in this many micrographs, for many trials are made.
FEWEST = 4
# Of large particles a field holds a few: more micrographs are asked until so many squares of the
# diameter are usable, which hold sixty particles that cover a tenth of them.
DIAMETERS_SQUARED = 470.0


def sample(images: Sequence[PickingImage], most: int) -> list[PickingImage]:
    """Return at most ``most`` of the images, evenly over their order."""
    at = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(int))
    return [images[i] for i in at]


def sample_for(
    images: Sequence[PickingImage], diameter_a: float, fewest: int = FEWEST
) -> list[PickingImage]:
    """Return ``fewest`` images, more where they would hold too few particles of a size."""
    usable_a2 = np.mean([float(i.usable.sum()) * i.pixel_size_a**2 for i in images])
    wanted = int(np.ceil(DIAMETERS_SQUARED * diameter_a**2 / max(float(usable_a2), 1.0)))
    return sample(images, max(fewest, wanted))
