"""Grey levels of a single particle image by distance from its centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.particle_feature import particle_feature
from cryoverdict.features.particle_view import ParticleView

_Values = NDArray[np.float32]
# Directions in which the surroundings are compared.
SECTORS = 12
SCREENING = "Xmipp screen particles (statistics of rings, Vargas et al. 2013)"


@particle_feature(source=SCREENING)
def core_level(view: ParticleView) -> _Values:
    """Mean grey of the inner half of the particle, in deviations of the ground."""
    return np.asarray(view.within(0.0, 0.5).mean(axis=1))


@particle_feature(source=SCREENING)
def particle_level(view: ParticleView) -> _Values:
    """Mean grey within the particle's radius, in deviations of the ground."""
    return np.asarray(view.within(0.0, 1.0).mean(axis=1))


@particle_feature(source=SCREENING)
def edge_step(view: ParticleView) -> _Values:
    """Fall of the grey level from just within the particle's radius to just beyond."""
    inside = view.within(0.6, 0.9).mean(axis=1)
    return np.asarray(inside - view.within(1.0, 1.3).mean(axis=1))


@particle_feature(better="lower", source="empty surroundings of a well-separated particle")
def surround_unevenness(view: ParticleView) -> _Values:
    """Deviation of the grey level between directions just outside the particle."""
    axis = np.arange(view.box) - view.box // 2
    angle = np.arctan2(axis[:, None], axis[None, :])
    sector = np.floor((angle / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    around = (view.radius >= 0.95) & (view.radius < 1.3)
    means = [view.images[:, around & (sector == s)].mean(axis=1) for s in range(SECTORS)]
    return np.asarray(np.std(means, axis=0))


@particle_feature(better="lower", source="a ground that slopes is no flat ice")
def ground_slope(view: ParticleView) -> _Values:
    """Change of grey from one side of the box to the other, in deviations of the ground."""
    axis = (np.arange(view.box, dtype=np.float32) - view.box // 2) / view.box
    outside = view.radius > 1.0
    x = np.broadcast_to(axis[None, :], outside.shape)[outside]
    y = np.broadcast_to(axis[:, None], outside.shape)[outside]
    design = np.stack([np.ones_like(x), x, y])
    found = np.linalg.lstsq(design.T, view.images[:, outside].T, rcond=None)[0]
    return np.asarray(np.hypot(found[1], found[2]))


@particle_feature(source=SCREENING)
def inner_deviation(view: ParticleView) -> _Values:
    """Natural logarithm of the deviation within the particle over that of the ground."""
    return np.asarray(np.log(np.maximum(view.within(0.0, 1.0).std(axis=1), 1e-3)))


@particle_feature(source=SCREENING)
def inner_skewness(view: ParticleView) -> _Values:
    """Skewness of the softened grey values within the particle."""
    chosen = view.soft[:, view.radius < 1.0]
    away = chosen - chosen.mean(axis=1, keepdims=True)
    spread = np.maximum(away.std(axis=1), 1e-6)
    return np.asarray((away**3).mean(axis=1) / spread**3)


@particle_feature(source="ice, gold and cracks are far brighter or darker than protein")
def highest_grey(view: ParticleView) -> _Values:
    """Highest softened grey value in the box, in deviations of the softened ground."""
    spread = np.maximum(view.soft[:, view.radius > 1.0].std(axis=1), 1e-6)
    return np.asarray(view.soft.max(axis=(1, 2)) / spread)


@particle_feature(source="ice, gold and cracks are far brighter or darker than protein")
def lowest_grey(view: ParticleView) -> _Values:
    """Lowest softened grey value in the box, in deviations of the softened ground."""
    spread = np.maximum(view.soft[:, view.radius > 1.0].std(axis=1), 1e-6)
    return np.asarray(view.soft.min(axis=(1, 2)) / spread)


@particle_feature(better="lower", source="a centred particle's weight lies in the middle")
def off_centre(view: ParticleView) -> _Values:
    """Distance of the weight within the particle from its centre, in particle radii."""
    axis = (np.arange(view.box, dtype=np.float32) - view.box // 2) / np.float32(view.radius_px)
    inside = view.radius < 1.0
    light = np.maximum(view.soft, 0.0) * inside
    total = np.maximum(light.sum(axis=(1, 2)), 1e-6)
    x = (light.sum(axis=1) @ axis) / total
    y = (light.sum(axis=2) @ axis) / total
    return np.asarray(np.hypot(x, y))


FEATURES = (
    core_level,
    particle_level,
    edge_step,
    surround_unevenness,
    ground_slope,
    inner_deviation,
    inner_skewness,
    highest_grey,
    lowest_grey,
    off_centre,
)
