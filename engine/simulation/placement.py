"""Where particles lie: spread out or in clouds, apart from each other, sometimes overlapping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.grid import FloatArray, Grid
from cryoverdict.engine.simulation.random_fields import smooth_field

MOST_PARTICLES = 6000
TRIES = 6


def place_particles(
    rng: np.random.Generator,
    grid: Grid,
    *,
    count: int,
    distance_px: float,
    clustering: float,
    overlap: float,
    allowed: NDArray[np.bool_] | None,
) -> FloatArray:
    """Return up to ``count`` centres ``(n, 2)`` as (y, x), at least ``distance_px`` apart.

    Darts are thrown and kept where there is room; a dense picture fills up to about 0.5 of the area
    (random sequential packing) and then stops. ``clustering`` favours the crests of a slow random
    field, ``overlap`` is the fraction that ignores its neighbours, ``allowed`` where any may lie.
    """
    count = min(count, MOST_PARTICLES)
    if count <= 0:
        return np.zeros((0, 2), dtype=np.float32)
    darts = TRIES * count
    y, x = rng.uniform(0, grid.ny, darts), rng.uniform(0, grid.nx, darts)
    iy, ix = y.astype(int), x.astype(int)
    keep = np.ones(darts, dtype=np.bool_)
    if clustering > 0.0:
        crest = smooth_field(rng, grid, max(900.0, 6.0 * distance_px * grid.pixel_size_a))
        chance = np.exp(np.clip(2.0 * clustering * (crest[iy, ix] - 0.8), -4.0, 0.0))
        keep &= rng.random(darts) < chance
    if allowed is not None:
        keep &= allowed[iy, ix]
    free = rng.random(darts) < overlap
    cell = max(1.0, distance_px)
    rows, columns = int(grid.ny / cell) + 3, int(grid.nx / cell) + 3
    buckets: list[list[tuple[float, float]]] = [[] for _ in range(rows * columns)]
    placed: list[tuple[float, float]] = []
    limit = distance_px**2
    for at in np.flatnonzero(keep):
        py, px = float(y[at]), float(x[at])
        bucket = (int(py / cell) + 1) * columns + int(px / cell) + 1
        near = (
            place
            for step in (
                -columns - 1,
                -columns,
                -columns + 1,
                -1,
                0,
                1,
                columns - 1,
                columns,
                columns + 1,
            )
            for place in buckets[bucket + step]
        )
        if not free[at] and any((py - a) ** 2 + (px - b) ** 2 < limit for a, b in near):
            continue
        buckets[bucket].append((py, px))
        placed.append((py, px))
        if len(placed) >= count:
            break
    return np.array(placed, dtype=np.float32).reshape(-1, 2)
