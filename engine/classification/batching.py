"""Which particles an iteration looks at, and how many are compared at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.expectation import Search
from cryoverdict.engine.classification.polar_images import PolarImages

# Log-likelihoods of one batch: large enough for the matrix products, small enough for the cache.
BATCH_VALUES = 4_000_000
BATCH_VALUES_GPU = 200_000_000
FEWEST_AT_ONCE, MOST_AT_ONCE = 8, 64


def random_part(count: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return ``wanted`` random particles in ascending order, or all."""
    if wanted >= count:
        return np.arange(count)
    return np.sort(rng.choice(count, wanted, replace=False))


def batch_size(search: Search, images: PolarImages) -> int:
    """Return how many particles are compared at once."""
    each = search.reference.shape[2] * len(search.turns_rad)
    room = BATCH_VALUES if images.device.type == "cpu" else BATCH_VALUES_GPU
    return int(
        np.clip(room // each, FEWEST_AT_ONCE, MOST_AT_ONCE if room == BATCH_VALUES else 4096)
    )
