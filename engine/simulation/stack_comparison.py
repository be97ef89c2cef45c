"""The good particle stack beside the particles that a simulated session truly holds."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTruth:
    """What a simulated session truly holds: centres by micrograph, and which of these are good."""

    centres: Centres
    good: Mapping[str, bool]

    def whole(self, margin_px: float, side: int) -> SessionTruth:
        """Return the truth without the particles nearer than a margin to a border."""
        low, high = margin_px, side - 1 - margin_px
        return SessionTruth(
            centres={
                name: xy[((xy >= low) & (xy <= high)).all(axis=1)]
                for name, xy in self.centres.items()
            },
            good=self.good,
        )


def read_truth(folder: Path) -> SessionTruth:
    """Read what `write_data_set` wrote beside the micrographs."""
    return SessionTruth(
        centres=read_centres(folder / PARTICLES_STAR), good=_good(folder / MICROGRAPHS_CSV)
    )


def compare_stack(truth: Path, stack: Path, *, radius_px: float) -> StackCompared:
    """Match a list of particles with the truth of the session in the folder ``truth``.

    Raises `EngineError` for a list without coordinates.
    """
    return compare_centres(read_truth(truth), read_centres(stack), radius_px=radius_px)


def compare_centres(truth: SessionTruth, listed: Centres, *, radius_px: float) -> StackCompared:
    """Match places with the truth; micrographs are matched by file name.

    A place is the true particle nearest to it within ``radius_px`` (pixels of the micrograph),
    which counts once.
    """
    found = matched = 0
    for name, centres in listed.items():
        hits = int(true_places(truth.centres.get(name, np.empty((0, 2))), centres, radius_px).sum())
        matched += hits
        found += hits if truth.good.get(name, False) else 0
    total = sum(len(centres) for centres in listed.values())
    return StackCompared(
        true=sum(len(c) for name, c in truth.centres.items() if truth.good.get(name, False)),
        found=found,
        stack=total,
        junk=total - matched,
    )


def read_centres(path: Path) -> Centres:
    """Return the coordinates ``(n, 2)`` of each micrograph's particles by its file name.

    Raises `EngineError` for a list without coordinates.
    """
    table = read_star(path)["particles"]
    columns = [
        table.column(name) for name in ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    ]
    if any(column is None for column in columns):
        msg = f"{path}: has no coordinates; accepted is a list of particles of micrographs"
        raise EngineError(msg)
    names, x, y = (column or () for column in columns)
    return centres_of(names, [float(v) for v in x], [float(v) for v in y])


def centres_of(names: Iterable[str], x: Iterable[float], y: Iterable[float]) -> Centres:
    """Return places by the file name of their micrographs."""
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, one, other in zip(names, x, y, strict=True):
        places[Path(name).name].append((one, other))
    return {name: np.array(found) for name, found in places.items()}


def _good(path: Path) -> Mapping[str, bool]:
    """Return of each micrograph whether it is truly good."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["name"]: row["verdict"] == "good" for row in csv.DictReader(lines)}


def true_places(
    true: NDArray[np.float64], found: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    """Return which found places have a true centre of their own, nearest pairs first."""
    hit = np.zeros(len(found), np.bool_)
    if not len(true) or not len(found):
        return hit
    distance = np.linalg.norm(true[:, None] - found[None], axis=2)
    pairs = np.argwhere(distance <= radius)
    order = np.argsort(distance[tuple(pairs.T)], kind="stable")
    taken: set[int] = set()
    for i, j in pairs[order].tolist():
        if i not in taken and not hit[j]:
            taken.add(i)
            hit[j] = True
    return hit
