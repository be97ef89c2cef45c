"""All measurements of single particles, made of a stack in one go.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.learning import reference_match
from cryoverdict.engine.learning.learnt_references import Geometry, LearntReferences
from cryoverdict.engine.learning.particle_network import (
    ParticleNetwork,
    network_log_odds,
    particle_pictures,
)
from cryoverdict.engine.learning.reference_match import Match, match_particles
from cryoverdict.features import particle_bands, particle_places, particle_rings
from cryoverdict.features.particle_feature import ParticleFeature, Values, particle_feature
from cryoverdict.features.particle_places import ParticlePlaces
from cryoverdict.features.particle_view import ParticleView

AT_ONCE = 256
# How far from its pick a particle is looked for, in diameters: pickers err by a fraction of one.
REACH_DIAMETERS = 0.16


@particle_feature(better="higher", source="convolutional network trained on the run's particles")
def network_view(log_odds: Values) -> Values:
    """Log-odds of a good particle, as the run's own image network sees it."""
    return log_odds


@cache
def particle_features() -> tuple[ParticleFeature, ...]:
    """Return every measurement of a particle, in the order of the columns.

    None is compared with the other picks of its micrograph: what these are hangs on how low the
    picking went, and a micrograph full of good particles has no usual one.
    """
    families = (particle_places, particle_rings, particle_bands, reference_match)
    return (*(f for family in families for f in family.FEATURES), network_view)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Eyes:
    """What a model has learnt to look with: averages and networks, and the geometry of both."""

    geometry: Geometry
    references: LearntReferences
    networks: tuple[ParticleNetwork, ...]

    @property
    def radius_px(self) -> float:
        """Radius of the particle's mask in pixels of its image."""
        return 0.5 * self.geometry.mask_diameter_a / self.geometry.pixel_size_a

    @property
    def reach_px(self) -> float:
        """How far from the box's centre a particle is looked for."""
        return max(2.0, min(self.geometry.offset_range_px, 2 * REACH_DIAMETERS * self.radius_px))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredParticles:
    """The measurements ``(n, features)`` of some particles, and how each lies in its box."""

    values: NDArray[np.float64]
    match: Match


def measure_particles(
    stack: ParticleStack,
    indices: NDArray[np.int64],
    places: ParticlePlaces,
    eyes: Eyes,
    *,
    threads: int,
) -> MeasuredParticles:
    """Measure the particles ``indices`` (ascending) of a stack; ``places`` are of these."""
    match = match_particles(
        eyes.geometry.images(stack),
        eyes.references,
        indices,
        reach_px=eyes.reach_px,
        threads=threads,
    )
    columns = {f.name: f.measure(places) for f in particle_places.FEATURES}
    columns |= {f.name: f.measure(match) for f in reference_match.FEATURES}
    seen = [_seen(stack, indices[i : i + AT_ONCE], eyes) for i in range(0, len(indices), AT_ONCE)]
    for name in seen[0]:
        columns[name] = np.concatenate([part[name] for part in seen])
    values = np.stack([columns[one.name] for one in particle_features()], axis=1)
    return MeasuredParticles(values=values, match=match)


def _seen(stack: ParticleStack, indices: NDArray[np.int64], eyes: Eyes) -> dict[str, Values]:
    """Return what is measured of the images alone."""
    view = ParticleView.of(stack.read(indices), eyes.radius_px)
    families = (particle_rings, particle_bands)
    found = {f.name: f.measure(view) for family in families for f in family.FEATURES}
    pictures = particle_pictures(stack, indices, eyes.radius_px)
    found[network_view.name] = network_log_odds(eyes.networks, pictures)
    return found
