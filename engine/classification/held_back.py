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
from torch import Tensor

from cryoverdict.engine.classification.batching import batch_size, random_part
from cryoverdict.engine.classification.expectation import expected, prepared_search
from cryoverdict.engine.classification.maximisation import Accumulator, summed, unshifted
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack, part_of
from cryoverdict.engine.classification.polar import polar_grid
from cryoverdict.engine.classification.polar_images import PREPARED_AT_ONCE, PolarImages
from cryoverdict.engine.classification.references import References, Sums, solved
from cryoverdict.engine.classification.resolution import ring_correlations
from cryoverdict.engine.classification.schedule import Stage
from cryoverdict.engine.classification.seeding import image_power

# Particles of a class that are looked at, and of all.
PER_CLASS, MOST = 60, 6000
# Share of the rings up to the claimed resolution by which particles are placed.
COARSE = 0.65
# Averages of fewer rings hold too little for the test: noise alone gave 0.2 to 0.6 there.
FEWEST_RINGS = 10
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
) -> tuple[Tensor, Tensor]:
    """Return ring correlations ``(K, R)`` of the halves and the classes' members ``(K,)``.

    Each half of the particles is placed by the given averages, and then by the other half's: a
    particle would find its old place by its own noise in an average that it is part of.
    """
    grid, count = images.grid, len(images.stack)
    harmonics = grid.harmonics(grid.transform(torch.from_numpy(averages)))
    given = References(
        averages=harmonics,
        variance=torch.zeros(len(averages), grid.rings),
        members=torch.from_numpy((share * count).astype(np.float32)),
        signal_power=grid.power(harmonics).mean(dim=0).clamp(min=1e-9),
    )
    noise = image_power(images, np.arange(count), PREPARED_AT_ONCE).mean_power()
    sums = _halves(images, noise, (given, given), rings)
    first, second = (solved(sums.half(i), noise, given.signal_power) for i in (0, 1))
    sums = _halves(images, noise, (second, first), rings)
    return ring_correlations(sums, grid), sums.total_members


def _halves(
    images: PolarImages, noise: Tensor, references: tuple[References, References], rings: int
) -> Sums:
    """Return the sums of every other particle, each half placed by its own references."""
    grid = images.grid
    everything = np.arange(len(images.stack))
    halves = []
    for half, reference in enumerate(references):
        search = prepared_search(grid, reference, _stage(rings, len(everything)))
        sums = Accumulator.nothing(search, grid, len(images.stack.optics))
        for batch in images.batches(everything[half::2], batch_size(search, images)):
            inverse_noise = 1.0 / noise[batch.group]
            posterior = expected(batch, search, inverse_noise)
            sums.add(batch, posterior, inverse_noise, torch.ones(len(batch.indices)))
        halves.append(sums)
    return summed([unshifted(half, grid) for half in halves])


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
