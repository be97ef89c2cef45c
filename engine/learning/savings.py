"""What a run cost beside another one, and which of their particles are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.run_cost import RunCost, read_cost
from cryoverdict.engine.parameter_file import read_parameter_file
from cryoverdict.features.star import read_star

STACK = "good_particles.star"
FILE = "savings.json"
# Centres nearer than this, in diameters, are of the same particle.
NEAR_DIAMETERS = 0.35
MICROGRAPH, X, Y = "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParticles:
    """Particles of two stacks in the micrographs that both runs saw."""

    both: int
    mine: int
    theirs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Cost and yield of a run, and of the one it is compared with.

    ``shared`` is ``None`` where the two saw no micrograph in common.
    """

    name: str
    other: str
    cost: RunCost
    other_cost: RunCost
    particles: int | None
    other_particles: int | None
    shared: SharedParticles | None

    @property
    def time_share(self) -> float:
        """Seconds a micrograph, over those of the other run."""
        mine = self.cost.total_s / max(1, self.cost.micrographs)
        theirs = self.other_cost.total_s / max(1, self.other_cost.micrographs)
        return mine / max(theirs, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "run": {"name": self.name, "particles": self.particles, **self.cost.to_dict()},
            "other": {
                "name": self.other,
                "particles": self.other_particles,
                **self.other_cost.to_dict(),
            },
            "time_share": round(self.time_share, 4),
            "shared": None
            if self.shared is None
            else {
                "both": self.shared.both,
                "mine": self.shared.mine,
                "theirs": self.shared.theirs,
            },
        }

    def write(self, path: Path) -> None:
        """Write ``savings.json``."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def savings_against_teacher(run: Path, card: dict[str, Any]) -> Savings | None:
    """Return the savings of a run against the runs that taught its model; ``None`` if unknown."""
    mine, theirs = read_cost(run), card.get("cost")
    if mine is None or theirs is None:
        return None
    return Savings(
        name=run.resolve().name,
        other=", ".join(card["learnt_from"]),
        cost=mine,
        other_cost=RunCost(**theirs),
        particles=len(_centres(run)[0]),
        other_particles=int(card["stack"]),
        shared=None,
    )


def savings_against(run: Path, other: Path) -> Savings:
    """Return the savings of a run against a full one; raises `EngineError` for unfinished runs."""
    costs = [read_cost(folder) for folder in (run, other)]
    if costs[0] is None or costs[1] is None:
        msg = f"{run}, {other}: no provenance.json of a finished run in one of them"
        raise EngineError(msg)
    (names, xy), (their_names, their_xy) = _centres(run), _centres(other)
    return Savings(
        name=run.resolve().name,
        other=other.resolve().name,
        cost=costs[0],
        other_cost=costs[1],
        particles=len(names),
        other_particles=len(their_names),
        shared=_shared((names, xy), (their_names, their_xy), _near_px(other)),
    )


def _shared(
    mine: tuple[Sequence[str], np.ndarray[Any, Any]],
    theirs: tuple[Sequence[str], np.ndarray[Any, Any]],
    near_px: float,
) -> SharedParticles | None:
    """Return how many particles are in both stacks; micrographs are told by file name."""
    from scipy.spatial import KDTree

    ours = np.array([Path(name).name for name in mine[0]])
    others = np.array([Path(name).name for name in theirs[0]])
    common = sorted(set(ours) & set(others))
    if not common:
        return None
    both = total = other_total = 0
    for name in common:
        a, b = mine[1][ours == name], theirs[1][others == name]
        total, other_total = total + len(a), other_total + len(b)
        both += int((KDTree(b).query(a)[0] <= near_px).sum())
    return SharedParticles(both=both, mine=total - both, theirs=max(0, other_total - both))


def _near_px(run: Path) -> float:
    """Return within how many pixels of the micrographs two centres of a run are one particle."""
    path = run / "classification" / "classification.json"
    settled = read_parameter_file(path, "classification")
    binning = settled.number("box_px") / settled.number("binned_box_px")
    pixel_a = settled.number("binned_pixel_size_a") / binning
    return NEAR_DIAMETERS * settled.number("mask_diameter_a") / pixel_a


def _centres(run: Path) -> tuple[tuple[str, ...], np.ndarray[Any, Any]]:
    """Return micrograph and centre of each particle of a run's stack."""
    table = read_star(run / STACK)["particles"]
    x, y = (np.array(table.column(label) or (), np.float64) for label in (X, Y))
    return table.column(MICROGRAPH) or (), np.stack([x, y], axis=1)
