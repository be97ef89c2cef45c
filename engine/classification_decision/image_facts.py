"""What a few extracted particle images tell of their ground and of dust."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.features.feature import Absent, Answer

LOOKED_AT = 400
# Gaussian noise passes this once in 500 million pixels.
DUST_DEVIATIONS = 6.0
GROUND = 0.45  # of the box: beyond it a particle image is background


def facts_of_images(stack: ParticleStack, *, seed: int = 0) -> Mapping[str, Answer]:
    """Return ``ground_slope`` and ``dust_share`` of at most `LOOKED_AT` random particles."""
    rng = np.random.default_rng((seed, len(stack)))
    count = min(LOOKED_AT, len(stack))
    images = stack.read(np.sort(rng.choice(len(stack), count, replace=False))).astype(np.float64)
    box = stack.box
    axis = np.arange(box) - box // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    ground = np.hypot(x, y) > GROUND * box
    values = images[:, ground]
    deviation = values.std(axis=1)
    alive = deviation > 0
    if not alive.any():
        blank = Absent("all trial images are blank")
        return {"ground_slope": blank, "dust_share": blank}
    planes = np.stack([x[ground], y[ground], np.ones(int(ground.sum()))], axis=1)
    fitted = np.linalg.lstsq(planes, values[alive].T, rcond=None)[0]
    level = values[alive] - (planes @ fitted).T
    noise = level.std(axis=1)
    fall = np.hypot(fitted[0], fitted[1]) * box / np.maximum(noise, 1e-12)
    # Robust deviations: dust itself widens the plain ones.
    median = np.median(images[alive], axis=(1, 2), keepdims=True)
    spread = 1.4826 * np.median(np.abs(images[alive] - median), axis=(1, 2), keepdims=True)
    far = np.abs(images[alive] - median) > DUST_DEVIATIONS * np.maximum(spread, 1e-12)
    return {
        "ground_slope": float(np.median(fall)),
        "dust_share": float((far & ground).any(axis=(1, 2)).mean()),
    }
