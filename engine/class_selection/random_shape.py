"""Particles drawn at random, so that no model of class averages learns the shapes of a few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.particle import BeadModel
from cryoverdict.engine.simulation.particle_shapes import SHAPES, generated_particle

FloatArray = NDArray[np.float32]
# A bead stands for a few amino acids; class averages are too coarse to show fewer.
BEAD_SPACING_A = 8.0
BEAD_SIGMA_A, HOLE_SIGMA_A = 2.6, 5.0
# Excess of protein over the ice it displaces, per bead, in arbitrary units.
PROTEIN, ICE = 7.3, 4.8
DIAMETERS_A = (70.0, 320.0)


def random_shape(rng: np.random.Generator) -> BeadModel:
    """Return a particle: half of the time a known shape, else a random assembly of domains."""
    if rng.random() < 0.45:
        names = [name for name in SHAPES if name != "virus"]
        return generated_particle(names[int(rng.integers(len(names)))])
    return random_assembly(rng)


def random_assembly(rng: np.random.Generator) -> BeadModel:
    """Return one to six ellipsoidal domains, copied by a random point symmetry, 70 to 320 Å."""
    diameter = float(np.exp(rng.uniform(*np.log(DIAMETERS_A))))
    fold = int(rng.choice([1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8]))
    dihedral = bool(rng.random() < 0.4) and fold > 1
    domains = int(rng.integers(2, 7)) if fold == 1 else int(rng.integers(1, 5))
    parts = [_domain(rng) for _ in range(domains)]
    points = np.concatenate([p for p, _ in parts])
    weights = np.concatenate([w for _, w in parts])
    if fold > 1:
        reach = float(np.abs(points).max())
        points = points + np.array([rng.uniform(0.5, 1.6) * reach, 0.0, 0.0])
        points, weights = _turned(points, weights, fold)
    if dihedral:
        points = points + np.array([0.0, 0.0, rng.uniform(0.4, 1.0) * float(np.ptp(points[:, 2]))])
        flipped = points * np.array([1.0, -1.0, -1.0])
        points, weights = np.concatenate([points, flipped]), np.tile(weights, 2)
    points = points - points.mean(axis=0)
    points *= diameter / (2.0 * np.sqrt((points**2).sum(axis=1).max()))
    points, weights = _thinned(rng, points, weights)
    return BeadModel(
        name="assembly",
        positions_a=points.astype(np.float32),
        potential_va3=(PROTEIN * weights).astype(np.float32),
        displaced_va3=np.full(len(points), ICE, dtype=np.float32),
        bead_sigma_a=BEAD_SIGMA_A,
        hole_sigma_a=HOLE_SIGMA_A,
    )


def _domain(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return beads that fill one ellipsoid with clefts, about unit size, and their weights."""
    radii = np.exp(rng.normal(0.0, 0.35, 3)) * rng.uniform(0.25, 0.6)
    centre = rng.normal(0.0, 0.5, 3)
    points = rng.uniform(-1.0, 1.0, (4000, 3))
    waves = rng.normal(0.0, 1.0, (12, 3)) * 5.0
    field = np.cos(points @ waves.T + rng.uniform(0, 2 * np.pi, 12)).sum(axis=1) / 2.5
    inside = np.sqrt((points**2).sum(axis=1)) + 0.12 * field < 1.0
    kept = points[inside & (field < 1.3)]
    weight = np.full(len(kept), rng.uniform(0.92, 1.12))
    return kept * radii + centre, weight


def _turned(
    points: NDArray[np.float64], weights: NDArray[np.float64], fold: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the copies of a protomer about the z axis."""
    copies = []
    for k in range(fold):
        c, s = np.cos(2 * np.pi * k / fold), np.sin(2 * np.pi * k / fold)
        copies.append(points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]))
    return np.concatenate(copies), np.tile(weights, fold)


def _thinned(
    rng: np.random.Generator, points: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one bead a cell of the bead spacing, so that density is even and size is bounded."""
    order = rng.permutation(len(points))
    cells = np.floor(points[order] / BEAD_SPACING_A).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    chosen = order[np.sort(first)]
    return points[chosen], weights[chosen]
