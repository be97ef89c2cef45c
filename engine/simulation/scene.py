"""What lies in the beam: the phase and the loss of the wave, and what is unusable where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.electron import interaction_constant
from cryoverdict.engine.simulation.grid import FloatArray, Grid

# The label names are those of the decision's defects; each has a bit in the scene's label map.
AREA_LABELS = (
    "contamination",
    "film",
    "empty_no_ice",
    "crystalline_ice",
    "broken_exposure",
)


@dataclass(slots=True, kw_only=True)
class Scene:
    """The specimen while it is being painted; all arrays are ``(ny, nx)`` of the grid.

    ``phase`` (rad) is that of thin, fine things (particles, grain, fragments), which the amplitude
    contrast goes with; ``bulk`` (rad) that of layers and bodies, whose absorption is in ``loss``,
    an optical depth: intensity falls by exp(−loss). ``slabs`` are further phases of particles with
    the height (Å) above the middle at which they lie. ``thickness_a`` is the vitreous ice;
    ``labels`` has one bit for each of `AREA_LABELS`. ``centres`` are the true particles as rows
    (y, x) in grid pixels, ``orientations`` their rotations ``(3, 3)``.
    """

    grid: Grid
    voltage_kv: float
    phase: FloatArray
    bulk: FloatArray
    loss: FloatArray
    thickness_a: FloatArray
    labels: NDArray[np.uint8]
    slabs: list[tuple[float, FloatArray]] = field(default_factory=list)
    centres: list[tuple[float, float]] = field(default_factory=list)
    orientations: list[FloatArray] = field(default_factory=list)

    @property
    def sigma(self) -> float:
        """Phase in rad that 1 V gives along 1 Å."""
        return interaction_constant(self.voltage_kv)

    def window(self, y: float, x: float, reach: float) -> tuple[slice, slice] | None:
        """Return the slices of the square ``reach`` px round (y, x), or None when outside."""
        top, bottom = max(0, int(y - reach)), min(self.grid.ny, int(y + reach) + 2)
        left, right = max(0, int(x - reach)), min(self.grid.nx, int(x + reach) + 2)
        if bottom <= top or right <= left:
            return None
        return slice(top, bottom), slice(left, right)

    def mark(
        self, label: str, where: NDArray[np.bool_], window: tuple[slice, slice] | None = None
    ) -> None:
        """Note that ``where`` (of the window, or all) is unusable because of ``label``."""
        bit = np.uint8(1 << AREA_LABELS.index(label))
        part = self.labels[window] if window is not None else self.labels
        part |= where.astype(np.uint8) * bit

    def marked(self, label: str) -> NDArray[np.bool_]:
        """Return where ``label`` was noted."""
        bit = np.uint8(1 << AREA_LABELS.index(label))
        marked: NDArray[np.bool_] = (self.labels & bit) != 0
        return marked

    def fraction(self, label: str) -> float:
        """Return the fraction of the micrograph (margins left out) that ``label`` takes.

        Every fourth pixel each way is looked at: painters ask after each body they paint.
        """
        g = self.grid
        cut = self.labels[
            g.margin_y : g.margin_y + g.out_ny : 4, g.margin_x : g.margin_x + g.out_nx : 4
        ]
        bit = np.uint8(1 << AREA_LABELS.index(label))
        return float(np.count_nonzero(cut & bit)) / cut.size


def empty_scene(grid: Grid, voltage_kv: float) -> Scene:
    """Return a scene of nothing but vacuum."""
    return Scene(
        grid=grid,
        voltage_kv=voltage_kv,
        phase=np.zeros(grid.shape, dtype=np.float32),
        bulk=np.zeros(grid.shape, dtype=np.float32),
        loss=np.zeros(grid.shape, dtype=np.float32),
        thickness_a=np.zeros(grid.shape, dtype=np.float32),
        labels=np.zeros(grid.shape, dtype=np.uint8),
    )
