"""Benchmark of 2D classification: the embedded classifier against `relion_refine`.

Run it as a command: ``python tests/benchmarks/classification.py [--sets low mixed] [--seeds 5]
[--real FOLDER] [--relion]``. Each program classifies the same STAR file into the same number of
classes with the same number of threads, one after the other; wall and CPU time and peak memory are
the child processes' own. What is compared is read from the RELION files that both write:

* simulated sets (three mixtures of species, each with junk): purity and mutual information of
  classes with species and junk, true particles kept and junk left when classes of mostly junk are
  dropped, the smallest number of classes of any species, and how well the clean images of a class
  agree once turned and moved as found;
* the real particles: area under the ROC curve of a particle's class's share of good ones (the
  particle itself left out), as labelled by an independent expert's run.

``--scaling`` instead shows that time is linear in particles and classes, and extrapolates it. With
``--output`` a page with all figures and both programs' averages side by side is written. The exit
code is 1 where a target is missed: 5 times faster, no figure more than 0.01 below RELION's, every
species in at least two classes.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import IterationReport
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.classification.simulated_particles import (
    JUNK,
    SimulatedParticles,
    simulated_particles,
    write_particles,
)
from cryoverdict.features.star import read_star, table_of, write_star

MIXTURES = {
    "tetramer+barrel+nucleosome": ("tetramer", "barrel", "nucleosome"),
    "spike+chaperone": ("spike", "chaperone"),
    "globule+micelle-receptor": ("globule", "micelle-receptor"),
}
# Contrast (variance of signal over noise before the CTF) and share of junk of each kind of set.
SETS = {"low": (0.25, 0.27), "mixed": (1.2, 0.30)}
MASK_DIAMETER_A = 200.0
FASTER = 5.0
TOLERANCE = 0.01
HIGHER_IS_BETTER = ("purity", "nmi", "ami", "kept", "agreement", "auc_rejected", "auc_all")
GOOD = ("good_refined", "good_selected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One program's run: what it cost and the files it left."""

    program: str
    wall_s: float
    cpu_s: float
    peak_mib: float
    number: NDArray[np.int64]
    turn_deg: NDArray[np.float64]
    shift_px: NDArray[np.float64]
    averages: NDArray[np.float32]
    shares: NDArray[np.float64]
    resolutions_a: NDArray[np.float64]


def main() -> int:
    """Run what was asked for; return 0 where all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sets", nargs="*", choices=sorted(SETS), default=["low"])
    parser.add_argument("--mixtures", type=int, default=len(MIXTURES), help="how many of the three")
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the embedded classifier")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real", type=Path, help="folder with particles.star and labels.csv")
    parser.add_argument("--relion", action="store_true", help="run relion_refine too (one seed)")
    parser.add_argument("--relion-finished", type=Path, help="folder of a finished run on --real")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--output", type=Path, help="folder for the page")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(*given.child)
    if given.scaling:
        return scaling(given.threads)
    report = Report(page=given.output)
    with tempfile.TemporaryDirectory() as scratch:
        for kind in given.sets:
            for name in list(MIXTURES)[: given.mixtures]:
                simulated(report, kind, name, given, Path(scratch) / f"{kind}-{name}")
        if given.real is not None:
            real(report, given, Path(scratch) / "real")
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
    report.add(
        f"{kind}: {name}", runs, relion, [simulated_figures(truth, r) for r in runs + relion]
    )


def real(report: Report, given: argparse.Namespace, at: Path) -> None:
    """Compare the programs on real particles; RELION gets them as float32."""
    stack = open_stack(given.real / "particles.star")
    at.mkdir(parents=True)
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
    relion = []
    if given.relion_finished is not None:
        relion = [read_run("relion_refine", given.relion_finished, float("nan"), None)]
    elif given.relion:
        relion = [relion_refine(at / "all.star", at / "relion", 30, given)]
    report.add("real", runs, relion, [real_figures(known, r) for r in runs + relion])


def embedded(star: Path, folder: Path, classes: int, given: argparse.Namespace, seed: int) -> Run:
    """Run the embedded classifier in a process of its own."""
    settings = [star, folder, classes, given.iterations, seed, given.threads]
    return measured("embedded", [sys.executable, __file__, "--child", *map(str, settings)], folder)


def child(star: str, folder: str, classes: str, iterations: str, seed: str, threads: str) -> int:
    """Classify as the child process that is measured."""
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters
    from cryoverdict.engine.classification.relion_output import write_relion_output

    torch.set_num_threads(int(threads))
    stack = open_stack(Path(star))
    parameters = ClassificationParameters(
        classes=int(classes), mask_diameter_a=MASK_DIAMETER_A, iterations=int(iterations)
    )
    found = classify(stack, parameters, seed=int(seed))
    write_relion_output(found, stack, parameters, Path(folder), seed=int(seed))
    return 0


def relion_refine(star: Path, folder: Path, classes: int, given: argparse.Namespace) -> Run:
    """Run `relion_refine` with the settings of its own 2D classification jobs."""
    if shutil.which("relion_refine") is None:
        sys.exit("relion_refine is not installed")
    folder.mkdir(parents=True)
    options = "--ctf --tau2_fudge 2 --flatten_solvent --zero_mask --oversampling 1 --psi_step 12"
    more = "--offset_range 5 --offset_step 2 --norm --scale --pool 30 --preread_images"
    command = ["relion_refine", "--i", star.name, "--o", str(folder / "run")]
    command += [*options.split(), *more.split(), "--random_seed", "1"]
    command += ["--iter", str(given.iterations), "--K", str(classes), "--j", str(given.threads)]
    command += ["--particle_diameter", f"{MASK_DIAMETER_A:g}"]
    return measured("relion_refine", command, folder, cwd=star.parent)


def measured(program: str, command: list[str], folder: Path, cwd: Path | None = None) -> Run:
    """Run a command and return what it cost and left; its own words where it failed."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        if status:
            words.seek(0)
            sys.exit(f"{program} failed: {words.read()[-2000:].decode(errors='replace')}")
    return read_run(program, folder, wall_s, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss))


def read_run(program: str, folder: Path, wall_s: float, usage: tuple[float, int] | None) -> Run:
    """Return the run whose last iteration's files lie in ``folder``, particles in image order."""
    data = sorted(folder.glob("run_it*_data.star"))[-1]
    particles = read_star(data)["particles"]
    model = read_star(data.with_name(data.name.replace("_data", "_model")))
    size_a = float((model["model_general"].column("rlnPixelSize") or ("nan",))[0])

    def column(label: str, table: str = "") -> NDArray[np.float64]:
        source = model[table] if table else particles
        return np.array([float(v) for v in source.column(label) or ()])

    names = particles.column("rlnImageName") or ()
    order = np.argsort(
        np.array([name.split("@")[1] + name.split("@")[0].zfill(9) for name in names])
    )
    import mrcfile

    with mrcfile.open(Path(str(data).replace("_data.star", "_classes.mrcs"))) as stream:
        averages = np.array(stream.data)
    origin = np.stack([column("rlnOriginXAngst"), column("rlnOriginYAngst")], axis=1) / size_a
    return Run(
        program=program,
        wall_s=wall_s,
        cpu_s=float("nan") if usage is None else usage[0],
        peak_mib=float("nan") if usage is None else usage[1] / 1024,
        number=column("rlnClassNumber").astype(np.int64)[order] - 1,
        turn_deg=-column("rlnAnglePsi")[order],
        shift_px=-origin[order],
        averages=averages,
        shares=column("rlnClassDistribution", "model_classes"),
        resolutions_a=column("rlnEstimatedResolution", "model_classes"),
    )


def simulated_figures(truth: SimulatedParticles, run: Run) -> dict[str, float]:
    """Return how well a run's classes agree with the truth."""
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    kind, number = truth.species, run.number
    counts = np.zeros((len(run.shares), len(truth.names) + 1), dtype=np.int64)
    np.add.at(counts, (number, kind + 1), 1)
    most = counts.argmax(axis=1) - 1
    used = counts.sum(axis=1) > 0
    good = counts[:, 1:].sum(axis=1) >= 0.5 * counts.sum(axis=1)
    kept = good[number] & used[number]
    true = kind != JUNK
    return {
        "purity": float(counts.max(axis=1).sum() / len(kind)),
        "nmi": float(normalized_mutual_info_score(kind, number)),
        "ami": float(adjusted_mutual_info_score(kind, number)),
        "kept": float(kept[true].mean()),
        "junk_left": float((~true[kept]).mean()) if kept.any() else 0.0,
        "agreement": agreement(truth, run),
        "fewest_classes": float(min((most[used] == s).sum() for s in range(len(truth.names)))),
        **common_figures(run),
    }


def real_figures(labels: NDArray[np.str_], run: Run) -> dict[str, float]:
    """Return the ROC areas of the share of good particles in a particle's class."""
    from sklearn.metrics import roc_auc_score

    good = np.isin(labels, GOOD)
    figures = {}
    for name, bad in (
        ("auc_rejected", ("rejected_by_2D",)),
        ("auc_all", ("rejected_by_2D", "not_picked_by_template")),
    ):
        used = good | np.isin(labels, bad)
        y, k = good[used].astype(float), run.number[used]
        size, sum_good = np.bincount(k), np.bincount(k, y)
        score = (sum_good[k] - y + y.mean()) / size[k]  # itself left out, one average one added
        figures[name] = float(roc_auc_score(y, score))
    return {**figures, **common_figures(run)}


def common_figures(run: Run) -> dict[str, float]:
    """Return what says something without a truth."""
    sizes = np.bincount(run.number, minlength=len(run.shares))
    known = run.resolutions_a[(run.resolutions_a < 500) & (sizes > 0)]
    return {
        "alive": float((sizes > 0.1 * sizes.mean()).sum()),
        "largest": float(sizes.max() / sizes.sum()),
        "resolution_a": float(np.median(known)) if len(known) else float("nan"),
    }


def agreement(truth: SimulatedParticles, run: Run) -> float:
    """Return how alike a class's true particles are, turned as found: 1 all the same, 0 unrelated.

    The power of the mean of their clean images over the images' mean power, over all classes.
    """
    from scipy.ndimage import affine_transform

    middle = truth.clean.shape[-1] // 2
    shared, total = 0.0, 0.0
    for k in range(len(run.shares)):
        members = np.flatnonzero((run.number == k) & (truth.species != JUNK))[:200]
        if len(members) < 5:
            continue
        aligned = []
        for i in members:
            c, s = np.cos(np.radians(run.turn_deg[i])), np.sin(np.radians(run.turn_deg[i]))
            turn = np.array([[c, s], [-s, c]])
            offset = middle - turn @ (middle, middle)
            aligned.append(affine_transform(truth.clean[i], turn, offset, order=1).reshape(-1))
        flat = np.array(aligned)
        flat -= flat.mean(axis=1, keepdims=True)
        each = float((flat**2).sum(axis=1).mean())
        mean = float((flat.mean(axis=0) ** 2).sum())
        n = len(members)
        shared += n * (mean - each / n) * n / (n - 1)  # without each image's likeness to itself
        total += n * each
    return shared / total if total else 0.0


@dataclass(slots=True)
class Report:
    """What is printed, and kept for the page."""

    page: Path | None
    missed: int = 0
    parts: tuple[str, ...] = ()

    def add(
        self, title: str, runs: list[Run], relion: list[Run], figures: list[dict[str, float]]
    ) -> None:
        """Print one set's figures and compare the median of the seeds with RELION's."""
        print(f"\n{title}", flush=True)
        lines = []
        for run, values in zip(runs + relion, figures, strict=True):
            words = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
            cost = f"{run.wall_s:7.1f} s wall {run.cpu_s:7.1f} s CPU {run.peak_mib:6.0f} MiB"
            lines.append(f"{run.program:14s} {cost}  {words}")
            print(lines[-1], flush=True)
        lines += self._compared(runs, relion, figures)
        sheets = "".join(
            f"<figure><img src='{sheet(r)}' alt=''><figcaption>{r.program}</figcaption></figure>"
            for r in runs[:1] + relion
        )
        text = html.escape("\n".join(lines))
        self.parts += (f"<h2>{html.escape(title)}</h2><pre>{text}</pre>{sheets}",)

    def _compared(
        self, runs: list[Run], relion: list[Run], figures: list[dict[str, float]]
    ) -> list[str]:
        """Return the lines on the targets; count those missed."""
        ours = figures[: len(runs)]
        found = []
        if "fewest_classes" in ours[0]:
            fewest = min(f["fewest_classes"] for f in ours)
            found.append((fewest >= 2, f"every species in at least {fewest:.0f} classes"))
        if relion:
            theirs = figures[-1]
            faster = relion[0].wall_s / float(np.median([r.wall_s for r in runs]))
            if np.isfinite(faster):
                found.append((faster >= FASTER, f"{faster:.1f} times faster"))
            for name in (*HIGHER_IS_BETTER, "junk_left"):
                if name not in theirs:
                    continue
                sign = -1.0 if name == "junk_left" else 1.0
                median = float(np.median([f[name] for f in ours]))
                held = sign * (median - theirs[name]) >= -TOLERANCE
                found.append((held, f"{name} {median:.3f}, RELION {theirs[name]:.3f}"))
        lines = [f"  {'met' if held else 'MISSED'}: {words}" for held, words in found]
        self.missed += sum(not held for held, _ in found)
        print("\n".join(lines), flush=True)
        return lines

    def finish(self) -> int:
        """Write the page; return the exit code."""
        if self.page is not None:
            self.page.mkdir(parents=True, exist_ok=True)
            style = "body{font:14px sans-serif;margin:2em}img{image-rendering:pixelated}"
            body = "".join(self.parts)
            (self.page / "classification.html").write_text(
                f"<!doctype html><meta charset=utf-8><title>2D classification</title>"
                f"<style>{style}</style><h1>2D classification</h1>{body}"
            )
        return int(self.missed > 0)


def sheet(run: Run, columns: int = 10) -> str:
    """Return the averages, largest class first, as a PNG in a data address."""
    from PIL import Image

    order = np.argsort(-run.shares, kind="stable")
    box = run.averages.shape[-1] + 2
    canvas = np.zeros((-(-len(order) // columns) * box, columns * box), dtype=np.uint8)
    for i, k in enumerate(order):
        low, high = np.percentile(run.averages[k], [0.5, 99.5])
        grey = np.clip((run.averages[k] - low) / max(high - low, 1e-12), 0, 1) * 255
        top, left = i // columns * box, i % columns * box
        canvas[top : top + box - 2, left : left + box - 2] = grey.astype(np.uint8)
    image = Image.fromarray(canvas)
    stream = io.BytesIO()
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def scaling(threads: int, sizes: Sequence[tuple[int, int]] = ()) -> int:
    """Print the time of one whole iteration over particles and classes, and the formula."""
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters

    torch.set_num_threads(threads)
    truth = simulated_particles(
        seed=1, count=1000, species=("barrel", "spike"), junk_share=0.3, contrast=0.5
    )
    rates = []
    with tempfile.TemporaryDirectory() as scratch:
        for count, classes in sizes or (
            (1000, 25),
            (2000, 25),
            (4000, 25),
            (2000, 50),
            (2000, 100),
        ):
            star = Path(scratch) / f"{count}.star"
            write_particles(truth, Path(scratch))
            blocks = read_star(Path(scratch) / "particles.star")
            table = blocks["particles"]
            rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            repeated = [rows[i % len(rows)] for i in range(count)]
            write_star(star, {"optics": blocks["optics"], "particles": table_of(repeated)})
            parameters = ClassificationParameters(
                classes=classes,
                mask_diameter_a=MASK_DIAMETER_A,
                iterations=4,
                subset_per_class=10**6,
            )
            at = [time.process_time()]

            def note(_: IterationReport, at: list[float] = at) -> None:
                at.append(time.process_time())

            classify(open_stack(star), parameters, progress=note)
            each = float(np.median(np.diff(at)[1:]))
            rates.append(each / (count * classes))
            rate_us = f"{rates[-1] * 1e6:.2f} µs a particle and class"
            print(
                f"{count:6d} x {classes:3d}: {each:7.2f} s CPU an iteration, {rate_us}", flush=True
            )
    rate = float(np.median(rates))
    print(f"50,000 x 100: {rate * 5e6:.0f} s CPU an iteration (particles x classes x rate)")
    return int(max(rates) > 2.0 * min(rates))


if __name__ == "__main__":
    sys.exit(main())
