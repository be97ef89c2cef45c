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

    Darts are thrown and kept where there is room. ``clustering`` favours the crests of a slow
    random field and lets that share of the darts land beside a particle already there, so that
    rafts grow; ``overlap`` is the fraction that ignores its neighbours, ``allowed`` where any may
    lie.
    """
    count = min(count, MOST_PARTICLES)
    if count <= 0:
        return np.zeros((0, 2), dtype=np.float32)
    darts = TRIES * count
    y, x = rng.uniform(0, grid.ny, darts), rng.uniform(0, grid.nx, darts)
    chance = np.ones(grid.shape, dtype=np.float32)
    if clustering > 0.0:
        crest = smooth_field(rng, grid, max(900.0, 6.0 * distance_px * grid.pixel_size_a))
        chance = np.exp(np.clip(2.0 * clustering * (crest - 0.8), -4.0, 0.0))
    if allowed is not None:
        chance = chance * allowed
    lucky = rng.random(darts)
    free = rng.random(darts) < overlap
    beside = rng.random(darts) < 0.75 * clustering
    angle = rng.uniform(0.0, 2.0 * np.pi, darts)
    reach = distance_px * rng.uniform(1.0, 1.15, darts)
    partner = rng.random(darts)
    placed: list[tuple[float, float]] = []
    cells = _Cells(grid, distance_px)
    for dart in range(darts):
        py, px = float(y[dart]), float(x[dart])
        if beside[dart] and placed:
            near_y, near_x = placed[int(partner[dart] * len(placed))]
            py = near_y + float(reach[dart] * np.sin(angle[dart]))
            px = near_x + float(reach[dart] * np.cos(angle[dart]))
            if not (0.0 <= py < grid.ny and 0.0 <= px < grid.nx):
                continue
        if lucky[dart] >= chance[int(py), int(px)]:
            continue
        if not free[dart] and cells.crowded(py, px):
            continue
        cells.add(py, px)
        placed.append((py, px))
        if len(placed) >= count:
            break
    return np.array(placed, dtype=np.float32).reshape(-1, 2)


class _Cells:
    """Places in square cells as wide as the least distance, so that neighbours are found fast."""

    def __init__(self, grid: Grid, distance_px: float) -> None:
        """Make empty cells over the grid, with a rim."""
        self._width = max(1.0, distance_px)
        self._columns = int(grid.nx / self._width) + 3
        rows = int(grid.ny / self._width) + 3
        self._cells: list[list[tuple[float, float]]] = [[] for _ in range(rows * self._columns)]

    def _cell(self, y: float, x: float) -> int:
        """Return the number of the cell of a place."""
        return (int(y / self._width) + 1) * self._columns + int(x / self._width) + 1

    def crowded(self, y: float, x: float) -> bool:
        """Return whether a place is nearer than the least distance to another."""
        cell, c, limit = self._cell(y, x), self._columns, self._width**2
        return any(
            (y - a) ** 2 + (x - b) ** 2 < limit
            for step in (-c - 1, -c, -c + 1, -1, 0, 1, c - 1, c, c + 1)
            for a, b in self._cells[cell + step]
        )

    def add(self, y: float, x: float) -> None:
        """Note a place."""
        self._cells[self._cell(y, x)].append((y, x))
