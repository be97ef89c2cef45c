"""Whether the detail of finished class averages is the particles' own, or noise turned alike.

Particles are turned to the averages once more, by coarse detail alone. Detail that the particles
hold comes out of their sums even so; detail that is noise, which each particle brought to the
average that it was turned to, does not (the idea of Chen et al. 2013, Ultramicroscopy 135:24,
without a second classification). It needs no more than averages and images, whoever made them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.classification.batching import batch_size, random_part
from cryoverdict.engine.classification.expectation import expected, prepared_search
from cryoverdict.engine.classification.maximisation import Accumulator, summed
from cryoverdict.engine.classification.noise import ImagePower
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack, part_of
from cryoverdict.engine.classification.polar import polar_grid
from cryoverdict.engine.classification.polar_images import PolarImages
from cryoverdict.engine.classification.references import References
from cryoverdict.engine.classification.resolution import ring_correlations
from cryoverdict.engine.classification.schedule import Stage

# Particles of a class that are looked at, and of all.
PER_CLASS, MOST = 60, 6000
# Share of the rings up to the claimed resolution by which particles are placed.
COARSE = 0.65
FEWEST_RINGS = 6
# Next to the rings compared lies one that the mask mixes with them.
LEAKING = 1
# Below this agreement within the rings compared there is nothing to be suspicious of.
LEAST_WITHIN = 0.3
REACH_PX, STEP_PX = 2.0, 1.0


def held_back_agreement(
    stack: ParticleStack,
    parameters: ClassificationParameters,
    *,
    averages: NDArray[np.float32],
    share: NDArray[np.float64],
    centres_px: NDArray[np.int64],
    claimed_a: float,
    seed: int = 0,
) -> float | None:
    """Return how far the averages' halves agree on detail held back, over that on detail compared.

    ``averages`` ``(K, box, box)`` with their ``share`` of the particles; ``centres_px`` ``(n, 2)``
    where each particle lies (x, y from its box's centre); ``claimed_a`` the resolution that the
    averages claim. The mean Fourier ring correlation of two rings beyond those compared, over that
    of the last two compared: near 1 what is seen is there, near 0 it is noise. ``None`` where the
    averages claim too little to hold any back, or share nothing anyway.
    """
    rng = np.random.default_rng(seed)
    looked_at = random_part(len(stack), min(PER_CLASS * len(averages), MOST), rng)
    grid = polar_grid(
        box=stack.box,
        pixel_size_a=stack.pixel_size_a,
        mask_diameter_a=parameters.mask_diameter_a,
        resolution_limit_a=claimed_a,
        mask_edge_px=parameters.mask_edge_px,
    )
    if grid.compared < FEWEST_RINGS:
        return None
    rings = int(COARSE * grid.compared)
    with torch.inference_mode():
        images = PolarImages(
            stack=part_of(stack, looked_at),
            grid=grid,
            parameters=replace(parameters, resident_mib=0),
            device=torch.device("cpu"),
        )
        images.move(centres_px[looked_at])
        correlations, members = _placed_coarsely(images, averages, share, rings)
    weights = members / members.sum().clamp(min=1e-9)
    within = float(weights @ correlations[:, rings - 2 : rings].mean(dim=1))
    first = rings + LEAKING
    beyond = float(weights @ correlations[:, first : first + 2].mean(dim=1))
    return None if within < LEAST_WITHIN else beyond / within


def _placed_coarsely(
    images: PolarImages,
    averages: NDArray[np.float32],
    share: NDArray[np.float64],
    rings: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ring correlations ``(K, R)`` of the halves and the classes' members ``(K,)``."""
    grid, count = images.grid, len(images.stack)
    everything = np.arange(count)
    harmonics = grid.harmonics(grid.transform(torch.from_numpy(averages)))
    references = References(
        averages=harmonics,
        variance=torch.zeros(len(averages), grid.rings),
        members=torch.from_numpy((share * count).astype(np.float32)),
        signal_power=grid.power(harmonics).mean(dim=0),
    )
    search = prepared_search(grid, references, _stage(rings, count))
    size = batch_size(search, images)
    groups = len(images.stack.optics)
    power = ImagePower.nothing(groups, grid)
    for batch in images.batches(everything, size):
        power.add(batch)
    inverse = 1.0 / power.mean_power()
    halves = [Accumulator.nothing(search, grid, groups) for _ in range(2)]
    for number, batch in enumerate(images.batches(everything, size)):
        inverse_noise = inverse[batch.group]
        posterior = expected(batch, search, inverse_noise)
        halves[number % 2].add(batch, posterior, inverse_noise, torch.ones(len(batch.indices)))
    sums = summed(halves, grid)
    return ring_correlations(sums, grid), sums.total_members


def _stage(rings: int, particles: int) -> Stage:
    """Return the settings of the one comparison: near the known places, at its due sharpness."""
    return Stage(
        rings=rings,
        sharpness=1.0,
        flatness=0.0,
        shift_reach_px=REACH_PX,
        shift_step_px=STEP_PX,
        particles=particles,
        step=1.0,
        moves=False,
        reseeds=False,
    )
