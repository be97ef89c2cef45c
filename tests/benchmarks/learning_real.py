"""What a particle classifier makes of real particles that experts have labelled.

A command, not a test: ``python -m tests.benchmarks.learning_real FOLDER [--keep DIR]``, from the
repository's root; FOLDER is the shared data's ``particles``: 2,374 images of β-galactosidase, 5 of
whose 10 micrographs have labels of an independent expert's run.

All particles are classified in 2D and the classes selected, as a run does. Two classifiers are
trained: one on that selection of the micrographs *without* labels; one on the expert's own 2D
selection of some labelled micrographs, the others left out in turn. Both are tested on labelled
micrographs that had no part: good (refined or selected) versus rejected by the expert's 2D run.
Beside them stand the probability of the particle's class, as our own 2D run and selection give it,
and the picker's own score. Areas under the ROC curve, 95 % intervals over bootstrapped particles.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack, open_stack, part_of
from cryoverdict.engine.learning.particle_lesson import ParticleLesson
from cryoverdict.engine.learning.particle_measuring import measure_particles
from cryoverdict.engine.learning.particle_training import places_of, train_particles
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.training.quality import quality
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.features.star import read_star, table_of, write_star

PROGRAM = Path(sys.executable).with_name("cryoverdict")
CLASSES, ITERATIONS, MASK_A, MICROGRAPH_PIXEL_A = 30, 25, 180.0, 0.885
GOOD = ("good_refined", "good_selected")
BAD = "rejected_by_2D"


def main() -> None:
    """Classify, train twice, test, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the 2D run here; what is there is read")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = (given.keep or Path(scratch)).resolve()
        stack = prepared(given.folder, root)
        lesson, probability = selected_lesson(stack, root)
        labels = expert_labels(given.folder, open_stack(given.folder / "particles.star"))
        labelled = np.isin(lesson.micrograph, np.unique(lesson.micrograph[labels != ""]))
        tested = labelled & np.isin(labels, (*GOOD, BAD))
        good = np.isin(labels, GOOD)
        own = trained_and_tested(lesson, ~labelled, tested)
        expert = expert_score(lesson, good, tested)
        print(f"{int(tested.sum())} particles tested, {int((tested & good).sum())} good")
        for name, score in (
            ("trained on our 2D selection of the other micrographs", own),
            ("trained on the expert's 2D selection of the other micrographs", expert),
            ("probability of the particle's class, our 2D run", probability),
            ("the picker's own score", lesson.score),
        ):
            found = quality(score[tested].astype(np.float64), good[tested])
            area, low, high = found.auc
            print(f"{name:62s} AUC {area:.3f} ({low:.3f} to {high:.3f})", flush=True)


def prepared(folder: Path, root: Path) -> ParticleStack:
    """Write the particles as one float32 stack, classify them and select classes; return them."""
    stack = open_stack(folder / "particles.star")
    root.mkdir(parents=True, exist_ok=True)
    write_mrcs(root / "all.mrcs", stack.read(np.arange(len(stack))), stack.pixel_size_a)
    rows = [
        {**dict(zip(stack.particles.columns, row, strict=True)), "rlnImageName": f"{i}@all.mrcs"}
        for i, row in enumerate(stack.particles.rows, start=1)
    ]
    assert stack.optics_table is not None
    write_star(root / "all.star", {"optics": stack.optics_table, "particles": table_of(rows)})
    parameters = {"classes": CLASSES, "mask_diameter_a": MASK_A, "iterations": ITERATIONS}
    ParameterFile(kind="classification", parameters=parameters).write(root / "classification.json")
    if not (root / "classes" / "ledger.json").is_file():
        classify = ["classify", "all.star", "--parameters", "classification.json"]
        select = ["decide-classes", "--run", "classified", "--output", "classes", "--quiet"]
        for command in ([*classify, "--output", "classified", "--quiet"], select):
            subprocess.run([str(PROGRAM), *command], cwd=root, check=True)
    return open_stack(root / "all.star")


def selected_lesson(stack: ParticleStack, root: Path) -> tuple[ParticleLesson, NDArray[np.float64]]:
    """Return all particles labelled by our own selection, and each one's class's probability."""
    run = read_class_run(root / "classified")
    kept = read_star(root / "classes" / "particles_good.star")["particles"]
    lost = read_star(root / "classes" / "particles_rejected.star")["particles"]
    told: dict[str, tuple[bool, int, float]] = {}
    for table, is_good in ((kept, True), (lost, False)):
        columns = (
            table.column(c) or ()
            for c in ("rlnImageName", "rlnClassNumber", "cryoverdictClassProbability")
        )
        for name, number, value in zip(*columns, strict=True):
            told[name] = (is_good, int(number), float(value))
    names = stack.particles.column("rlnImageName") or ()
    place = {a.number: i for i, a in enumerate(run.averages)}
    chosen = read_star(root / "classes" / "backup_selection.star")[""].column("rlnSelected") or ()
    good_class = np.array([c == "1" for c in chosen])
    good = np.array([told[n][0] for n in names])
    number = np.array([place[told[n][1]] for n in names])
    xy = [
        np.array(stack.particles.column(f"rlnCoordinate{axis}") or (), np.float64) for axis in "XY"
    ]
    lesson = ParticleLesson(
        stack=stack,
        micrograph=np.array(stack.particles.column("rlnMicrographName") or ()),
        run=np.full(len(names), "real"),
        xy_px=np.stack(xy, axis=1),
        score=np.array(stack.particles.column("rlnAutopickFigureOfMerit") or (), np.float64),
        good=good,
        weight=np.ones(len(names)),
        number=np.where(good | ~good_class[number], number, -1),
        averages=np.array([a.pixels for a in run.averages], np.float32),
        good_class=good_class,
        diameter_px=MASK_A / MICROGRAPH_PIXEL_A,
    )
    return lesson, np.array([told[n][2] for n in names])


def expert_labels(folder: Path, stack: ParticleStack) -> NDArray[np.str_]:
    """Return the expert's label of each particle; empty where there is none."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        told = {row["rlnImageName"]: row["label"] for row in csv.DictReader(stream)}
    return np.array([told.get(n, "") for n in stack.particles.column("rlnImageName") or ()])


def part(
    lesson: ParticleLesson, chosen: NDArray[np.bool_], good: NDArray[np.bool_]
) -> ParticleLesson:
    """Return some particles of a lesson with labels of another source.

    A class is good where more than the usual share of its particles are.
    """
    rows = np.flatnonzero(chosen)
    usual = good[rows].mean()
    numbers = lesson.number[rows]
    share = [
        good[rows][numbers == k].mean() if (numbers == k).any() else 0.0
        for k in range(len(lesson.averages))
    ]
    good_class = np.array(share) >= usual
    own = np.where(good[rows] == good_class[np.maximum(numbers, 0)], numbers, -1)
    return ParticleLesson(
        stack=part_of(lesson.stack, rows),
        micrograph=lesson.micrograph[rows],
        run=lesson.run[rows],
        xy_px=lesson.xy_px[rows],
        score=lesson.score[rows],
        good=good[rows],
        weight=lesson.weight[rows],
        number=own,
        averages=lesson.averages,
        good_class=good_class,
        diameter_px=lesson.diameter_px,
    )


def trained_and_tested(
    lesson: ParticleLesson,
    taught: NDArray[np.bool_],
    tested: NDArray[np.bool_],
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the log-odds of the tested particles by a model of the taught ones; NaN elsewhere."""
    own = part(lesson, taught, lesson.good if good is None else good)
    parameters = ClassificationParameters(mask_diameter_a=MASK_A, resolution_limit_a=12.0)
    trained = train_particles(own, parameters, seed=0, threads=1)
    # All picks of a micrograph are there when one of them is looked at.
    whole = np.isin(lesson.micrograph, np.unique(lesson.micrograph[tested]))
    indices = np.flatnonzero(whole)
    seen = measure_particles(
        lesson.stack, indices, places_of(lesson, whole), trained.eyes, threads=1
    )
    score = np.full(len(tested), np.nan)
    score[indices] = trained.model.log_odds(seen.values)
    return score


def expert_score(
    lesson: ParticleLesson, good: NDArray[np.bool_], tested: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return log-odds by models of the expert's labels on the other labelled micrographs."""
    score = np.full(len(tested), np.nan)
    for name in np.unique(lesson.micrograph[tested]):
        out = lesson.micrograph == name
        found = trained_and_tested(lesson, tested & ~out, tested & out, good)
        score[tested & out] = found[tested & out]
    return score


if __name__ == "__main__":
    main()
