"""The particles to learn from: picked quickly in a run's micrographs, named by the run's result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.particle_lists import read_particle_lists
from cryoverdict.engine.classification.particle_stack import ParticleStack, open_stack
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.extraction.extraction import STAR, extract_all
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.picked_micrographs import read_picked
from cryoverdict.engine.kinds.micrograph_yield import MICROGRAPH_YIELD
from cryoverdict.engine.learning.finished_run import FinishedRun, PlacedClasses
from cryoverdict.engine.learning.quick_picking import (
    LOWEST_THRESHOLD,
    with_threshold,
    write_quick_picking,
)
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking_files.picking_list import read_picking_list
from cryoverdict.engine.picking_files.template_file import read_templates
from cryoverdict.engine.picking_run.picking_step import PickingRequest, run_picking
from cryoverdict.features.optics import Optics
from cryoverdict.rules.rule_loader import load_rules

# A pick nearer to one of the run's particles than this, in diameters, is that particle.
NEAR_DIAMETERS = 0.35
# What the run never picked is junk, but was never looked at: it counts less.
UNSEEN_WEIGHT = 0.3
NO_CLASS = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticleLesson:
    """Particles with what is known of each, ``(n,)`` unless said otherwise.

    ``good`` is the label, ``weight`` how much it counts, ``number`` the class, counted from 0 in
    ``averages`` ``(K, box, box)``, of which ``good_class`` ``(K,)`` are good. ``micrograph`` names
    each one's micrograph, ``run`` its run. ``defocus_a`` is NaN where unknown.
    """

    stack: ParticleStack
    micrograph: NDArray[np.str_]
    run: NDArray[np.str_]
    xy_px: NDArray[np.float64]
    score: NDArray[np.float64]
    good: NDArray[np.bool_]
    weight: NDArray[np.float64]
    number: NDArray[np.int64]
    averages: NDArray[np.float32]
    good_class: NDArray[np.bool_]
    diameter_px: float

    @property
    def defocus_a(self) -> NDArray[np.float64]:
        """Mean defocus of each particle; NaN where it is unknown."""
        if self.stack.defocus_a is None:
            return np.full(len(self.good), np.nan)
        return np.asarray(self.stack.defocus_a.mean(axis=1), np.float64)


def gather_lesson(
    run: FinishedRun, classification: ParameterFile, work: Path, *, threads: int
) -> ParticleLesson:
    """Pick a run's micrographs quickly, cut the particles out below ``work``, and label them.

    ``classification`` says how they are cut: the model's, where several runs teach one. Picks and
    images of an earlier call are used again.
    """
    settled = with_threshold(run.picking, LOWEST_THRESHOLD)
    templates = read_templates(run.selection / "class_averages_good.star")
    work.mkdir(parents=True, exist_ok=True)
    path = write_quick_picking(work, settled, templates)
    listed = read_picking_list([run.folder / "judged"], Optics())
    request = PickingRequest(
        parameters=PickingParameters.from_settings(settled.parameters),
        templates=read_templates(path.parent / str(settled.templates)),
        templates_are_views=False,
        threads=threads,
    )
    rules = load_rules(MICROGRAPH_YIELD.id, (), features=MICROGRAPH_YIELD.units())
    run_picking(listed, request, work / "picked", rules=rules, tracked=_untracked)
    settings = ExtractionSettings.from_settings(classification.parameters)
    picked = read_picked([work / "picked"], Optics())
    (work / "extracted").mkdir(exist_ok=True)
    extract_all(picked, settings, work / "extracted", threads=threads)
    size = listed.subjects[0].micrograph.optics.pixel_size_a or run.pixel_size_a
    diameter_px = classification.number("mask_diameter_a") / size
    return labelled_lesson(open_stack(work / "extracted" / STAR), run, diameter_px)


def labelled_lesson(stack: ParticleStack, run: FinishedRun, diameter_px: float) -> ParticleLesson:
    """Name each particle by what the run made of the one that lies there."""
    table = stack.particles
    micrograph = np.array(table.column("rlnMicrographName") or ())
    x, y = (_column(table.column(f"rlnCoordinate{axis}"), len(micrograph)) for axis in "XY")
    xy = np.stack([x, y], axis=1)
    near = NEAR_DIAMETERS * diameter_px
    of_good = nearest_particles(micrograph, xy, run.good, near)
    of_junk = nearest_particles(micrograph, xy, run.junk, near)
    good = of_good >= 0
    junk = ~good & (of_junk >= 0)
    number = np.full(len(micrograph), NO_CLASS, np.int64)
    number[good] = run.good.number[of_good[good]]
    shift = len(run.good.averages)
    own = run.junk.number[of_junk[junk]] if junk.any() else np.zeros(0, np.int64)
    number[junk] = np.where(own >= 0, own + shift, NO_CLASS)
    averages = [a for a in (run.good.averages, run.junk.averages) if len(a)]
    return ParticleLesson(
        stack=stack,
        micrograph=micrograph,
        run=np.full(len(micrograph), run.name),
        xy_px=xy,
        score=_column(table.column("rlnAutopickFigureOfMerit"), len(micrograph)),
        good=good,
        weight=np.where(good | junk, 1.0, UNSEEN_WEIGHT),
        number=number,
        averages=resampled(
            np.concatenate(averages), run.pixel_size_a, stack.pixel_size_a, stack.box
        ),
        good_class=np.arange(sum(map(len, averages))) < shift,
        diameter_px=diameter_px,
    )


def resampled(
    averages: NDArray[np.float32], pixel_size_a: float, wanted_a: float, box: int
) -> NDArray[np.float32]:
    """Return averages ``(K, own box, own box)`` at another pixel size, in another box.

    The centre, pixel box // 2, stays the centre; what the averages do not reach is 0. Cubic splines
    do: the averages only say how particles lie before they are averaged anew.
    """
    from scipy.ndimage import affine_transform

    own = averages.shape[-1]
    step = wanted_a / pixel_size_a
    if own == box and round(step, 3) == 1.0:
        return averages
    start = own // 2 - step * (box // 2)
    made = [
        affine_transform(a, (step, step), (start, start), (box, box), order=3) for a in averages
    ]
    return np.array(made, np.float32).reshape(-1, box, box)


def nearest_particles(
    micrograph: NDArray[np.str_],
    xy_px: NDArray[np.float64],
    others: PlacedClasses,
    within_px: float,
) -> NDArray[np.int64]:
    """Return for each place which of the others it is, nearest pairs first, each used once; or −1.

    Micrographs are told by their names.
    """
    from scipy.spatial import KDTree

    found = np.full(len(micrograph), -1, np.int64)
    names = np.array(others.micrograph)
    for name in np.unique(micrograph):
        mine, theirs = np.flatnonzero(micrograph == name), np.flatnonzero(names == name)
        if not len(theirs):
            continue
        tree = KDTree(others.xy_px[theirs])
        distances = tree.sparse_distance_matrix(
            KDTree(xy_px[mine]), within_px, output_type="ndarray"
        )
        used = np.zeros(len(theirs), bool)
        for pair in np.sort(distances, order=("v", "i", "j")):
            if not used[pair["i"]] and found[mine[pair["j"]]] < 0:
                used[pair["i"]] = True
                found[mine[pair["j"]]] = theirs[pair["i"]]
    return found


def _column(words: Sequence[str] | None, count: int) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where the list lacks it."""
    return np.full(count, np.nan) if words is None else np.array(words, np.float64)


def _untracked(items: Iterable[Any], _: str, __: int) -> Any:
    """Go through items without telling anybody."""
    return iter(items)


def joined_lessons(lessons: Sequence[ParticleLesson]) -> ParticleLesson:
    """Return several lessons as one; raises `EngineError` for particles of different sizes."""
    if len(lessons) == 1:
        return lessons[0]
    sizes = {(one.stack.box, round(one.stack.pixel_size_a, 3)) for one in lessons}
    if len(sizes) > 1:
        msg = f"runs with particles of different sizes ({sorted(sizes)}); learn from each apart"
        raise EngineError(msg)
    shifts = np.cumsum([0, *(len(one.averages) for one in lessons)])
    number = [
        np.where(one.number >= 0, one.number + shift, NO_CLASS)
        for one, shift in zip(lessons, shifts, strict=False)
    ]
    stacks = read_particle_lists([one.stack.source for one in lessons])
    return ParticleLesson(
        stack=stacks.stack,
        micrograph=np.concatenate([one.micrograph for one in lessons]),
        run=np.concatenate([one.run for one in lessons]),
        xy_px=np.concatenate([one.xy_px for one in lessons]),
        score=np.concatenate([one.score for one in lessons]),
        good=np.concatenate([one.good for one in lessons]),
        weight=np.concatenate([one.weight for one in lessons]),
        number=np.concatenate(number),
        averages=np.concatenate([one.averages for one in lessons]),
        good_class=np.concatenate([one.good_class for one in lessons]),
        diameter_px=lessons[0].diameter_px,
    )
