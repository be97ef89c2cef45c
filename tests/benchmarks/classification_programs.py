"""The two classifiers as measured child processes, and what they leave."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.features.star import read_star

MASK_DIAMETER_A = 200.0
COST = "cost.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run took, as the operating system counted it for the child process."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One program's run: what it cost and the files it left."""

    program: str
    cost: Cost
    number: NDArray[np.int64]
    turn_deg: NDArray[np.float64]
    shift_px: NDArray[np.float64]
    averages: NDArray[np.float32]
    shares: NDArray[np.float64]
    resolutions_a: NDArray[np.float64]


COMMAND = ("-m", "tests.benchmarks.classification", "--child")
ROOT = Path(__file__).resolve().parents[2]


def embedded(star: Path, folder: Path, classes: int, given: argparse.Namespace, seed: int) -> Run:
    """Run the embedded classifier in a process of its own."""
    settings = [star.resolve(), folder.resolve(), classes, given.iterations, seed, given.threads]
    command = [sys.executable, *COMMAND, *map(str, settings)]
    return measured("embedded", command, folder, cwd=ROOT)


def child(star: str, folder: str, classes: str, iterations: str, seed: str, threads: str) -> int:
    """Classify as the child process that is measured."""
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters
    from cryoverdict.engine.classification.relion_output import write_relion_output

    torch.set_num_threads(1)
    stack = open_stack(Path(star))
    parameters = ClassificationParameters(
        classes=int(classes), mask_diameter_a=MASK_DIAMETER_A, iterations=int(iterations)
    )
    found = classify(stack, parameters, seed=int(seed), threads=int(threads))
    write_relion_output(found, stack, parameters, Path(folder), seed=int(seed))
    return 0


def relion_refine(star: Path, folder: Path, classes: int, given: argparse.Namespace) -> Run:
    """Run `relion_refine` with the settings of its own 2D classification jobs.

    A run that the same command has finished in ``folder`` before is read, not repeated.
    """
    if shutil.which("relion_refine") is None:
        sys.exit("relion_refine is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    options = "--ctf --tau2_fudge 2 --flatten_solvent --zero_mask --oversampling 1 --psi_step 12"
    more = "--offset_range 5 --offset_step 2 --norm --scale --pool 30 --preread_images"
    command = ["relion_refine", "--i", star.name, "--o", str(folder / "run")]
    command += [*options.split(), *more.split(), "--random_seed", "1"]
    command += ["--iter", str(given.iterations), "--K", str(classes), "--j", str(given.threads)]
    command += ["--particle_diameter", f"{MASK_DIAMETER_A:g}"]
    return finished("relion_refine", command, folder) or measured(
        "relion_refine", command, folder, cwd=star.parent
    )


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
    cost = Cost(
        wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_mib=usage.ru_maxrss / 1024
    )
    (folder / COST).write_text(json.dumps({"command": command, **asdict(cost)}, indent=1))
    return read_run(program, folder, cost)


def finished(program: str, command: list[str], folder: Path) -> Run | None:
    """Return the run that the same command finished in ``folder`` before, else None."""
    if not (folder / COST).is_file():
        return None
    kept = json.loads((folder / COST).read_text())
    if kept.pop("command") != command:
        return None
    return read_run(program, folder, Cost(**kept))


def read_run(program: str, folder: Path, cost: Cost) -> Run:
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
        cost=cost,
        number=column("rlnClassNumber").astype(np.int64)[order] - 1,
        turn_deg=-column("rlnAnglePsi")[order],
        shift_px=-origin[order],
        averages=averages,
        shares=column("rlnClassDistribution", "model_classes"),
        resolutions_a=column("rlnEstimatedResolution", "model_classes"),
    )
