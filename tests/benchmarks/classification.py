"""Benchmark of 2D classification: the embedded classifier against `relion_refine`.

Run it from the project's folder: ``python -m tests.benchmarks.classification [--sets low mixed]
[--seeds 5] [--real FOLDER] [--relion]``. Each program classifies the same STAR file into the same
number of classes with the same number of threads, one after the other; wall and CPU time and peak
memory are the child processes' own. What is compared is read from the RELION files that both write:

* simulated sets (three mixtures of species, each with junk): purity and mutual information of
  classes with species and junk, true particles kept and junk left when classes of mostly junk are
  dropped, the smallest number of classes of any species, and how well the clean images of a class
  agree once turned and moved as found;
* the real particles: area under the ROC curve of a particle's class's share of good ones (the
  particle itself left out), as labelled by an independent expert's run.

``--scaling N K`` instead shows that time is linear in particles and classes up to N and K, and
extrapolates it; ``--memory N BOX`` measures the memory that N particles of BOX pixels need. With
``--output`` a page with all figures and both programs' averages side by side is written. ``--runs``
keeps the sets and the programs' files in a folder; a RELION run that finished there with the same
command is read instead of repeated (its cost is kept beside it), the embedded classifier is always
run. The exit code is 1 where a target is missed: 5 times faster by the wall and in CPU time, no
figure more than 0.01 below RELION's, every species in at least two classes.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.classification.simulated_particles import (
    simulated_particles,
    write_particles,
)
from cryoverdict.features.star import table_of, write_star
from tests.benchmarks.classification_figures import real_figures, simulated_figures
from tests.benchmarks.classification_programs import child, embedded, relion_refine
from tests.benchmarks.classification_report import Report
from tests.benchmarks.classification_scaling import memory, scaling

MIXTURES = {
    "tetramer+barrel+nucleosome": ("tetramer", "barrel", "nucleosome"),
    "spike+chaperone": ("spike", "chaperone"),
    "globule+micelle-receptor": ("globule", "micelle-receptor"),
}
# Contrast (variance of signal over noise before the CTF) and share of junk of each kind of set.
SETS = {"low": (0.25, 0.27), "mixed": (1.2, 0.30)}


def main() -> int:
    """Run what was asked for; return 0 where all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sets", nargs="*", choices=sorted(SETS), default=["low"])
    parser.add_argument("--mixtures", nargs="*", choices=sorted(MIXTURES), default=list(MIXTURES))
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the embedded classifier")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real", type=Path, help="folder with particles.star and labels.csv")
    parser.add_argument("--relion", action="store_true", help="run relion_refine too (one seed)")
    parser.add_argument("--runs", type=Path, help="folder that keeps sets and runs; see above")
    parser.add_argument("--scaling", nargs=2, type=int, metavar=("N", "K"))
    parser.add_argument("--memory", nargs=2, type=int, metavar=("N", "BOX"))
    parser.add_argument("--output", type=Path, help="folder for the page")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(*given.child)
    if given.scaling:
        return scaling((given.scaling[0], given.scaling[1]), given.threads)
    if given.memory:
        count, box = given.memory
        return memory(count, box, given.classes, given.threads)
    report = Report(page=given.output)
    with tempfile.TemporaryDirectory() as scratch:
        runs = given.runs or Path(scratch)
        for kind in given.sets:
            for name in given.mixtures:
                simulated(report, kind, name, given, runs / f"{kind}-{name}-{given.particles}")
        if given.real is not None:
            real(report, given, runs / "real")
    return report.finish()


def simulated(report: Report, kind: str, name: str, given: argparse.Namespace, at: Path) -> None:
    """Compare the programs on one simulated set."""
    contrast, junk = SETS[kind]
    truth = simulated_particles(
        seed=1, count=given.particles, species=MIXTURES[name], junk_share=junk, contrast=contrast
    )
    star = write_particles(truth, at)
    runs = [embedded(star, at / f"seed{s}", given.classes, given, s) for s in range(given.seeds)]
    relion = [relion_refine(star, at / "relion", given.classes, given)] if given.relion else []
    theirs = [simulated_figures(truth, run) for run in relion]
    allowed = theirs[0]["junk_left"] if theirs else None
    ours = [simulated_figures(truth, run, allowed) for run in runs]
    report.add(f"{kind}: {name}", runs, relion, ours + theirs)


def real(report: Report, given: argparse.Namespace, at: Path) -> None:
    """Compare the programs on real particles; RELION gets them as float32."""
    stack = open_stack(given.real / "particles.star")
    at.mkdir(parents=True, exist_ok=True)
    write_mrcs(at / "all.mrcs", stack.read(np.arange(len(stack))), stack.pixel_size_a)
    names = stack.particles.column("rlnImageName") or ()
    rows = [
        {**dict(zip(stack.particles.columns, row, strict=True)), "rlnImageName": f"{i}@all.mrcs"}
        for i, row in enumerate(stack.particles.rows, start=1)
    ]
    assert stack.optics_table is not None
    write_star(at / "all.star", {"optics": stack.optics_table, "particles": table_of(rows)})
    with (given.real / "labels.csv").open(newline="") as stream:
        labels = {row["rlnImageName"]: row["label"] for row in csv.DictReader(stream)}
    known = np.array([labels.get(name, "") for name in names])
    runs = [embedded(at / "all.star", at / f"seed{s}", 30, given, s) for s in range(given.seeds)]
    relion = [relion_refine(at / "all.star", at / "relion", 30, given)] if given.relion else []
    report.add("real", runs, relion, [real_figures(known, r) for r in runs + relion])


if __name__ == "__main__":
    sys.exit(main())
