"""Particles that no model learns from: a later model must not be worse on them.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.particle_stack import ParticleStack, open_stack
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.particle_lesson import ParticleLesson
from cryoverdict.engine.learning.particle_measuring import Eyes, measure_particles
from cryoverdict.engine.learning.particle_model import ParticleModel
from cryoverdict.features.particle_feature import Values
from cryoverdict.features.particle_places import ParticlePlaces
from cryoverdict.features.star import StarTable, write_star

STAR, STACK = "frozen.star", "frozen.mrcs"
LABEL = "cryoverdictLabel"
# Enough to know an area under the ROC curve to about 0.02.
MOST = 800


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrozenParticles:
    """Particles of micrographs that were kept back, with the labels of their run."""

    stack: ParticleStack
    good: NDArray[np.bool_]
    places: ParticlePlaces

    def log_odds(self, eyes: Eyes, model: ParticleModel) -> Values:
        """Return what a model says of the particles; `EngineError` where it wants another size."""
        indices = np.arange(len(self.stack))
        seen = measure_particles(self.stack, indices, self.places, eyes, threads=1)
        return model.log_odds(seen.values)


def write_frozen(folder: Path, lesson: ParticleLesson, kept_back: NDArray[np.bool_]) -> None:
    """Write the particles kept back, whole micrographs, at most about `MOST`."""
    chosen: list[NDArray[np.int64]] = []
    for name in np.unique(lesson.micrograph[kept_back]):
        if sum(map(len, chosen)) < MOST:
            chosen.append(np.flatnonzero(kept_back & (lesson.micrograph == name)))
    rows = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    table = lesson.stack.particles
    image = table.columns.index("rlnImageName")
    cells = []
    for number, i in enumerate(rows.tolist(), start=1):
        own = list(table.rows[i])
        own[image] = f"{number:06d}@{STACK}"
        cells.append((*own, str(int(lesson.good[i]))))
    if not cells:
        return
    write_mrcs(folder / STACK, lesson.stack.read(rows), lesson.stack.pixel_size_a)
    particles = StarTable(columns=(*table.columns, LABEL), rows=tuple(cells))
    optics = lesson.stack.optics_table
    blocks = {} if optics is None else {"optics": optics}
    diameter = StarTable(columns=("cryoverdictDiameterPx",), rows=((f"{lesson.diameter_px:.6f}",),))
    write_star(folder / STAR, {**blocks, "particles": particles, "lesson": diameter})


def read_frozen(folder: Path) -> FrozenParticles:
    """Return what `write_frozen` wrote; raises `EngineError` where a model has none."""
    from cryoverdict.features.star import read_star

    star = folder / STAR
    if not star.is_file():
        msg = f"{folder}: has no {STAR}; accepted is a folder that `learn` wrote"
        raise EngineError(msg)
    stack = open_stack(star)
    table = stack.particles
    names = np.array(table.column("rlnMicrographName") or ())
    x, y, score = (
        np.array(table.column(label) or ["nan"] * len(names), np.float64)
        for label in ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    )
    diameter = read_star(star)["lesson"].column("cryoverdictDiameterPx") or ("nan",)
    return FrozenParticles(
        stack=stack,
        good=np.array(table.column(LABEL) or ()) == "1",
        places=ParticlePlaces(
            x_px=x,
            y_px=y,
            score=score,
            micrograph=np.unique(names, return_inverse=True)[1].astype(np.int64),
            diameter_px=float(diameter[0]),
        ),
    )
