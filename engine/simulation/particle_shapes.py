"""Particles made by code: assemblies with the sizes and densities of well-known ones.

Each is a solid of packed beads, so that a wheel needs no outside model. They are sketches: right in
size, mass, symmetry and gross shape, with invented inner detail.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cryoverdict.engine.simulation.electron import ICE_V, PROTEIN_V
from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.particle import BeadModel

# A bead is about one amino acid: 133 Å³ of protein at 1.35 g/cm³.
BEAD_SPACING_A = 5.1
NUCLEIC_ACID_V = 9.5
HEAD_GROUP_V = 6.3
CHAIN_V = 4.1

Points = FloatArray
Shape = Callable[[np.random.Generator], tuple[Points, FloatArray]]


def _lattice(rng: np.random.Generator, half_a: FloatArray, spacing_a: float) -> Points:
    """Return jittered lattice points in the box ``±half_a`` (3,), shifted at random."""
    axes = [
        np.arange(-h - spacing_a, h + spacing_a, spacing_a) + rng.uniform(0, spacing_a)
        for h in half_a
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points += rng.normal(0.0, 0.28 * spacing_a, points.shape)
    return points.astype(np.float32)


def _rugged(rng: np.random.Generator, points: Points, wavelength_a: float) -> FloatArray:
    """Return a random smooth function of about unit variance at ``points``, of many waves."""
    directions = rng.normal(0.0, 1.0, (32, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = directions / rng.uniform(0.7, 1.8, (32, 1)) / wavelength_a
    phases = rng.uniform(0.0, 2 * np.pi, 32)
    field: FloatArray = np.cos(2 * np.pi * points @ waves.T + phases).sum(axis=1) / 4.0
    return field


def _blob(
    rng: np.random.Generator, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Points:
    """Return beads filling an ellipsoid with a knobbly surface and clefts between its domains."""
    r = np.asarray(radii, dtype=np.float32)
    points = _lattice(rng, 1.3 * r, BEAD_SPACING_A)
    bumps = _rugged(rng, points, 24.0) * (3.2 / float(r.mean()))
    inside = np.sqrt(((points / r) ** 2).sum(axis=1)) + bumps < 1.0
    cleft = _rugged(rng, points, 19.0) > 1.25
    out: Points = points[inside & ~cleft] + np.asarray(centre, dtype=np.float32)
    return out


def _ring(points: Points, fold: int, *, twist_deg: float = 0.0) -> Points:
    """Return ``fold`` copies of ``points`` rotated about z."""
    copies = []
    for k in range(fold):
        a = 2 * np.pi * k / fold + np.radians(twist_deg)
        c, s = np.cos(a), np.sin(a)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=np.float32)
        copies.append(points @ turn)
    return np.concatenate(copies)


def _flip(points: Points) -> Points:
    """Return ``points`` turned by 180° about x (the two-fold of a dihedral assembly)."""
    return points * np.array([1, -1, -1], dtype=np.float32)


def _icosahedral(points: Points) -> Points:
    """Return the 60 copies of ``points`` under the icosahedral group."""
    phi = (1 + 5**0.5) / 2
    generators = [
        np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=float),
        np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], dtype=float),
        0.5 * np.array([[1, -phi, 1 / phi], [phi, 1 / phi, -1], [1 / phi, 1, phi]]),
    ]
    group = [np.eye(3)]
    grown = True
    while grown and len(group) < 60:
        grown = False
        for a in list(group):
            for b in generators:
                new = a @ b
                if all(np.abs(new - g).max() > 1e-6 for g in group):
                    group.append(new)
                    grown = True
    return np.concatenate([points @ g.astype(np.float32) for g in group])


def _protein(points: Points) -> tuple[Points, FloatArray]:
    """Return the points with protein's potential for each."""
    return points, np.full(len(points), PROTEIN_V, dtype=np.float32)


def _mixed(*parts: tuple[Points, float]) -> tuple[Points, FloatArray]:
    """Return parts of different potential (V) as one cloud."""
    points = np.concatenate([p for p, _ in parts])
    return points, np.concatenate([np.full(len(p), v, dtype=np.float32) for p, v in parts])


def _barrel(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """20S-like: four rings of seven, 115 Å wide, 150 Å long, D7."""
    inner = _blob(rng, (36.0, 0.0, 19.0), (22.0, 19.0, 20.0))
    outer = _blob(rng, (36.0, 4.0, 58.0), (21.0, 18.0, 19.0))
    half = _ring(np.concatenate([inner, outer]), 7)
    return _protein(np.concatenate([half, _flip(half)]))


def _shell(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Apoferritin-like: a hollow sphere, 122 Å outside, 78 Å inside, octahedral holes."""
    points = _lattice(rng, np.full(3, 62.0, dtype=np.float32), BEAD_SPACING_A)
    r = np.linalg.norm(points, axis=1)
    u = points / np.maximum(r, 1e-3)[:, None]
    cubic = (u**4).sum(axis=1)
    bumps = 2.5 * np.cos(2 * np.pi * (u * 3.0).prod(axis=1))
    keep = (r < 60.0 + bumps - 6.0 * (cubic > 0.93)) & (r > 39.0) & (cubic < 0.985)
    return _protein(points[keep])


def _micelle_receptor(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """GPCR-like: a receptor with a G protein in a detergent micelle, about 120 Å long."""
    receptor = _blob(rng, (0.0, 0.0, 12.0), (17.0, 17.0, 34.0))
    partner = _blob(rng, (4.0, 6.0, -46.0), (29.0, 24.0, 22.0))
    points = _lattice(rng, np.array([48, 44, 30], dtype=np.float32), BEAD_SPACING_A)
    points += np.array([0, 0, 14], dtype=np.float32)
    d = np.sqrt(
        (points[:, 0] / 46) ** 2 + (points[:, 1] / 42) ** 2 + ((points[:, 2] - 14) / 26) ** 2
    )
    clear = (np.hypot(points[:, 0], points[:, 1]) > 17.0) & (d < 1.0)
    heads, chains = points[clear & (d > 0.76)], points[clear & (d <= 0.76)]
    return _mixed(
        (receptor, PROTEIN_V), (partner, PROTEIN_V), (heads, HEAD_GROUP_V), (chains, CHAIN_V)
    )


def _spike(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Spike-like: a trimer, broad head and thin stalk, about 160 Å long."""
    head = _blob(rng, (27.0, 0.0, 42.0), (25.0, 24.0, 24.0))
    arm = _blob(rng, (44.0, 18.0, 28.0), (17.0, 17.0, 17.0))
    neck = _blob(rng, (15.0, 0.0, -8.0), (19.0, 17.0, 38.0))
    stalk = _blob(rng, (7.0, 0.0, -58.0), (11.0, 11.0, 22.0))
    return _protein(_ring(np.concatenate([head, arm, neck, stalk]), 3))


def _nucleosome(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Nucleosome-like: a protein core with 1.7 turns of DNA, 110 by 60 Å."""
    core = _blob(rng, (0.0, 0.0, 0.0), (31.0, 31.0, 24.0))
    t = np.linspace(0, 1.7 * 2 * np.pi, 1100)
    path = np.stack([42 * np.cos(t), 42 * np.sin(t), 27.0 * (t / t.max() - 0.5)], axis=1)
    strand = 2 * np.pi * np.arange(t.size) / 36.0
    out = np.stack([np.cos(t), np.sin(t), np.zeros_like(t)], axis=1)
    up = np.array([0.0, 0.0, 1.0])
    dna = [
        path + 7.5 * (np.cos(strand + s)[:, None] * out + np.sin(strand + s)[:, None] * up)
        for s in (0.0, 2.4)
    ]
    jitter = rng.normal(0.0, 1.5, (2 * t.size, 3))
    return _mixed(
        (core, PROTEIN_V),
        ((np.concatenate(dna) + jitter).astype(np.float32), 0.75 * NUCLEIC_ACID_V),
    )


def _ribosome(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Ribosome-like: two unequal subunits of RNA and protein, about 250 Å."""
    large = _blob(rng, (0.0, 0.0, -28.0), (100.0, 90.0, 60.0))
    crown = [
        _blob(rng, (x, y, z), (26.0, 22.0, 24.0))
        for x, y, z in ((78.0, 50.0, -8.0), (-84.0, 42.0, -10.0), (0.0, 92.0, -14.0))
    ]
    small = _blob(rng, (0.0, 4.0, 62.0), (62.0, 50.0, 34.0))
    head = _blob(rng, (70.0, 14.0, 70.0), (34.0, 34.0, 28.0))
    stalk = _blob(rng, (104.0, 56.0, -24.0), (30.0, 11.0, 11.0))
    body = np.concatenate([large, *crown, small, head])
    rna = _rugged(rng, body, 26.0) > -0.35
    return _mixed((body[rna], NUCLEIC_ACID_V), (body[~rna], PROTEIN_V), (stalk, PROTEIN_V))


def _tetramer(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """β-galactosidase-like: four elongated subunits, D2, 175 by 135 by 90 Å."""
    one = np.concatenate(
        [
            _blob(rng, (44.0, 26.0, 14.0), (30.0, 26.0, 25.0)),
            _blob(rng, (22.0, 34.0, -12.0), (20.0, 24.0, 20.0)),
            _blob(rng, (66.0, 20.0, -4.0), (20.0, 18.0, 18.0)),
        ]
    )
    turns = ((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1))
    return _protein(np.concatenate([one * np.array(t, dtype=np.float32) for t in turns]))


def _virus(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Small-virus-like: an icosahedral shell of 300 Å with knobs and nucleic acid inside."""
    axis = np.array([0.0, 1.0, (1 + 5**0.5) / 2])
    axis /= np.linalg.norm(axis)
    wall, knob = 122.0 * axis, 140.0 * axis
    side = np.array([30.0, 0.0, 0.0])
    unit = np.concatenate(
        [
            _blob(rng, tuple(wall + side), (22.0, 20.0, 17.0)),
            _blob(rng, tuple(0.96 * wall - 0.6 * side), (20.0, 22.0, 16.0)),
            _blob(rng, tuple(knob + 0.5 * side), (9.0, 9.0, 12.0)),
        ]
    )
    capsid = _icosahedral(unit[::2])
    core = _lattice(rng, np.full(3, 96.0, dtype=np.float32), 1.7 * BEAD_SPACING_A)
    core = core[np.linalg.norm(core, axis=1) < 94.0]
    return _mixed((capsid, PROTEIN_V), (core, 3.0 * ICE_V + 2.0))


def _rod(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Filament-like: a helical rod 90 Å wide and 420 Å long."""
    unit = _blob(rng, (24.0, 0.0, 0.0), (23.0, 19.0, 17.0))
    copies = []
    for k in range(30):
        a = np.radians(166.7 * k)
        turn = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
        copies.append(
            unit @ turn.astype(np.float32) + np.array([0, 0, 13.6 * (k - 14.5)], dtype=np.float32)
        )
    return _protein(np.concatenate(copies))


def _globule(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """Globule: a small protein of about 100 kDa and 90 Å, hard to see."""
    parts = [
        _blob(rng, (0.0, 0.0, 0.0), (25.0, 22.0, 24.0)),
        _blob(rng, (28.0, 6.0, 8.0), (18.0, 17.0, 16.0)),
        _blob(rng, (-24.0, 14.0, -6.0), (17.0, 16.0, 19.0)),
    ]
    return _protein(np.concatenate(parts))


def _chaperone(rng: np.random.Generator) -> tuple[Points, FloatArray]:
    """GroEL-like: two rings of seven with a wide cavity, 140 by 150 Å, D7."""
    base = _blob(rng, (44.0, 0.0, 17.0), (21.0, 19.0, 18.0))
    top = _blob(rng, (48.0, 8.0, 52.0), (19.0, 17.0, 22.0))
    half = _ring(np.concatenate([base, top]), 7)
    return _protein(np.concatenate([half, _flip(half)]))


# Name → shape, in the order in which random data sets draw them.
SHAPES: dict[str, Shape] = {
    "barrel": _barrel,
    "shell": _shell,
    "micelle-receptor": _micelle_receptor,
    "spike": _spike,
    "nucleosome": _nucleosome,
    "ribosome": _ribosome,
    "tetramer": _tetramer,
    "virus": _virus,
    "rod": _rod,
    "globule": _globule,
    "chaperone": _chaperone,
}


def generated_particle(name: str) -> BeadModel:
    """Return the particle ``name`` of `SHAPES`; always the same beads for the same name."""
    rng = np.random.default_rng(list(SHAPES).index(name) + 1)
    points, volts = SHAPES[name](rng)
    points = points - points.mean(axis=0)
    cell = np.float32(BEAD_SPACING_A**3)
    return BeadModel(
        name=name,
        positions_a=points.astype(np.float32),
        potential_va3=volts * cell,
        displaced_va3=np.full(len(points), ICE_V, dtype=np.float32) * cell,
        bead_sigma_a=1.9,
        hole_sigma_a=3.2,
    )
