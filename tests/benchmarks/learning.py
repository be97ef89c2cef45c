# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""What learning from the first part of a session makes of the rest, beside the full workflow.

A command, not a test: ``python -m tests.benchmarks.learning [--only NAME …] [--micrographs N]
[--side PX] [--threads N] [--keep DIR]``, from the repository's root. It needs the atomic models of
the shared data folder.

Each session is simulated anew, of a particle that no shipped model learnt from, with data-set seeds
of its own (4301 to 4303), bad micrographs among good ones. The first 20 micrographs go through
``run``, ``learn`` learns from that, and the next 40 go through ``run --with`` and, for comparison,
through the full ``run``. Round one takes 400 particles, as in the demonstration.

Printed: the area under the ROC curve of the particle classifier on the next micrographs, against
the truth, in all and in truly good micrographs (a place is a particle within 0.35 diameters of a
true centre, each used once), beside that of the picker's score; for both stacks how many of the
true particles in good micrographs they hold and how many are junk, and how many of those that the
full workflow found the learnt one has too; wall and processor seconds of both. All is simulated.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.data_set_files import MICROGRAPHS_CSV, write_data_set
from cryoverdict.engine.simulation.micrograph import _model
from cryoverdict.engine.simulation.stack_comparison import (
    SessionTruth,
    compare_centres,
    read_centres,
    read_truth,
    true_places,
)
from cryoverdict.engine.training.quality import area_under_roc
from cryoverdict.features.star import read_star
from tests.benchmarks.end_to_end import SESSIONS, Session, adopt_orphans, ran
from tests.benchmarks.stage_losses import MATCH

SEEDS = {"proteasome": 4301, "apoferritin": 4302, "spike": 4303}
FIRST = 20
OPTICS = ("--cs-mm", "2.7", "--amplitude-contrast", "0.1", "--set", "trial_particles=400")


def main() -> None:
    """Take the sessions one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], choices=tuple(SESSIONS))
    parser.add_argument("--micrographs", type=int, default=60)
    parser.add_argument("--side", type=int, default=1280, help="side of a micrograph in pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the files here; a killed run resumes")
    given = parser.parse_args()
    adopt_orphans()
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.only or list(SEEDS):
            root = (given.keep or Path(scratch)).resolve() / f"{name}_{SEEDS[name]}"
            try:
                benchmark(name, replace(SESSIONS[name], seed=SEEDS[name]), root, given)
            except RuntimeError as error:  # a failure is a result too, and the next set is run
                print(error, flush=True)


def benchmark(name: str, session: Session, root: Path, given: argparse.Namespace) -> None:
    """Simulate one session, learn from its beginning, use it on the rest, and print figures."""
    root.mkdir(parents=True, exist_ok=True)
    spec = session.spec(name, given.micrographs, given.side)
    micrographs = root / "micrographs"
    if not (micrographs / MICROGRAPHS_CSV).exists():
        write_data_set(spec, micrographs, seed=session.seed, threads=given.threads)
    paths = [f"micrographs/{p.name}" for p in sorted(micrographs.glob("*.mrc"))]
    threads = ["--threads", str(given.threads)]
    shared = [*OPTICS[:4], "--voltage-kv", f"{session.voltage_kv:g}", *threads]
    trial = list(OPTICS[4:])
    print(f"# {name}: {len(paths)} micrographs, wall and CPU seconds", flush=True)
    if not (root / "first" / "provenance.json").is_file():
        ran(root, ["run", *paths[:FIRST], "--output", "first", *shared, *trial])
    if not (root / "learnt" / "model.json").is_file():
        print("learn      ", ran(root, ["learn", "first", "--output", "learnt", *threads]))
    rest = ["run", *paths[FIRST:]]
    learnt = ran(root, [*rest, "--with", "learnt", "--output", "with", *shared])
    near_px = MATCH * _model(session.particle, str(spec.base.particle.path)).mean_diameter_a
    near_px /= session.pixel_a
    truth = read_truth(micrographs)
    later = {Path(p).name for p in paths[FIRST:]}
    truth = SessionTruth(
        centres={m: xy for m, xy in truth.centres.items() if m in later},
        good={m: g for m, g in truth.good.items() if m in later},
    )
    score, picker, true, good = judged(root / "with" / "sorted", truth, near_px)
    for where, chosen in (("all micrographs", np.ones(len(good), bool)), ("good ones", good)):
        print(
            f"AUC against truth, {where}: learnt {area_under_roc(score[chosen], true[chosen]):.4f}"
            f", picker's score {area_under_roc(picker[chosen], true[chosen]):.4f}"
        )
    print(row("learnt", root / "with", truth, near_px), learnt, flush=True)
    full = ran(root, [*rest, "--output", "full", *shared, *trial])
    print(row("full workflow", root / "full", truth, near_px), full)
    both, theirs = kept_of_full(root, truth, near_px)
    print(f"of {theirs} true particles in the full stack {both} are in the learnt one", flush=True)


def judged(
    folder: Path, truth: SessionTruth, near_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return probability, picker's score, truth, and whether the micrograph is good, of each."""
    columns: list[list[str]] = [[], [], [], [], []]
    labels = (
        "rlnMicrographName",
        "rlnCoordinateX",
        "rlnCoordinateY",
        "cryoverdictGoodProbability",
        "rlnAutopickFigureOfMerit",
    )
    for name in ("particles_good.star", "particles_rejected.star"):
        table = read_star(folder / name)["particles"]
        for column, label in zip(columns, labels, strict=True):
            column += table.column(label) or ()
    micrograph = np.array([Path(m).name for m in columns[0]])
    x, y, probability, score = (np.array(c, np.float64) for c in columns[1:])
    xy = np.stack([x, y], axis=1)
    true = np.zeros(len(x), bool)
    for m in np.unique(micrograph):
        mine = micrograph == m
        true[mine] = true_places(truth.centres.get(m, np.empty((0, 2))), xy[mine], near_px)
    good = np.array([truth.good.get(m, False) for m in micrograph])
    return probability, score, true, good


def row(name: str, run: Path, truth: SessionTruth, near_px: float) -> str:
    """Return what a stack holds."""
    found = compare_centres(truth, read_centres(run / "good_particles.star"), radius_px=near_px)
    return (
        f"{name:14s} {found.found:5d} of {found.true} true in good micrographs, "
        f"{found.junk:4d} junk of {found.stack:5d}; s"
    )


def kept_of_full(root: Path, truth: SessionTruth, near_px: float) -> tuple[int, int]:
    """Return how many true particles both stacks hold, and how many the full one holds."""
    stacks = [read_centres(root / run / "good_particles.star") for run in ("with", "full")]
    both = theirs = 0
    for name, centres in truth.centres.items():
        # Asked the other way round: which true centres have a place of the stack.
        held = [true_places(s.get(name, np.empty((0, 2))), centres, near_px) for s in stacks]
        both += int((held[0] & held[1]).sum())
        theirs += int(held[1].sum())
    return both, theirs


if __name__ == "__main__":
    main()
