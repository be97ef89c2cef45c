"""The good particle stack beside the particles that a simulated session truly holds."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.simulation.data_set_files import MICROGRAPHS_CSV, PARTICLES_STAR
from cryoverdict.features.star import read_star

Centres = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackCompared:
    """How much of what is true is in a stack, and how much of the stack is true.

    ``true`` are the particles in good micrographs, ``found`` those of them that the stack has;
    ``stack`` is the number of its particles, ``junk`` of those that are no particle, or one that
    the stack has already.
    """

    true: int
    found: int
    stack: int
    junk: int

    @property
    def recall(self) -> float:
        """Share of the true particles in good micrographs that are in the stack."""
        return self.found / self.true if self.true else 0.0

    @property
    def junk_share(self) -> float:
        """Share of the stack that is junk."""
        return self.junk / self.stack if self.stack else 0.0


def compare_stack(truth: Path, stack: Path, *, radius_px: float) -> StackCompared:
    """Match a list of particles with the truth of the session in the folder ``truth``.

    Micrographs are matched by file name. A particle is the true one nearest to it within
    ``radius_px`` (pixels of the micrograph), which counts once. Raises `EngineError` for a list
    without coordinates.
    """
    true = _centres(truth / PARTICLES_STAR)
    listed = _centres(stack)
    good = _good(truth / MICROGRAPHS_CSV)
    found = matched = 0
    for name, centres in listed.items():
        hits = _matches(true.get(name, np.empty((0, 2))), centres, radius_px)
        matched += hits
        found += hits if good.get(name, False) else 0
    total = sum(len(centres) for centres in listed.values())
    return StackCompared(
        true=sum(len(c) for name, c in true.items() if good.get(name, False)),
        found=found,
        stack=total,
        junk=total - matched,
    )


def _centres(path: Path) -> Centres:
    """Return the coordinates ``(n, 2)`` of each micrograph's particles by its file name."""
    table = read_star(path)["particles"]
    columns = [
        table.column(name) for name in ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    ]
    if any(column is None for column in columns):
        msg = f"{path}: has no coordinates; accepted is a list of particles of micrographs"
        raise EngineError(msg)
    names, x, y = (column or () for column in columns)
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, one, other in zip(names, x, y, strict=True):
        places[Path(name).name].append((float(one), float(other)))
    return {name: np.array(found) for name, found in places.items()}


def _good(path: Path) -> Mapping[str, bool]:
    """Return of each micrograph whether it is truly good."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["name"]: row["verdict"] == "good" for row in csv.DictReader(lines)}


def _matches(true: NDArray[np.float64], found: NDArray[np.float64], radius: float) -> int:
    """Return how many true centres have a found one, nearest pairs first, each used once."""
    if not len(true):
        return 0
    distance = np.linalg.norm(true[:, None] - found[None], axis=2)
    pairs = np.argwhere(distance <= radius)
    order = np.argsort(distance[tuple(pairs.T)], kind="stable")
    taken_true: set[int] = set()
    taken_found: set[int] = set()
    for i, j in pairs[order].tolist():
        if i not in taken_true and j not in taken_found:
            taken_true.add(i)
            taken_found.add(j)
    return len(taken_true)
