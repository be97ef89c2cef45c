"""How the time of 2D classification grows with particles and classes, and its memory."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cryoverdict.engine.classification.classification import IterationReport
from cryoverdict.engine.classification.mrcs import write_mrcs_in_parts
from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.classification.simulated_particles import (
    simulated_particles,
    write_particles,
)
from cryoverdict.features.star import StarTable, read_star, table_of, write_star
from tests.benchmarks.classification_programs import MASK_DIAMETER_A

# Parts of the largest set and number of classes that are measured.
GRID = ((0.04, 0.25), (0.2, 0.25), (1.0, 0.25), (0.04, 1.0), (0.2, 1.0), (1.0, 1.0))
# How far a measured time may lie from the formula and still be called linear.
NEAR = 0.35
LARGER = ((50_000, 100), (500_000, 200))


def scaling(largest: tuple[int, int], threads: int) -> int:
    """Print the time of a whole iteration over particles and classes, and the formula it follows.

    Each size is run for two iterations over all of its particles, of which the second is taken:
    the first also prepares the particles. The formula a N + b N K + c K (c: averages made ready for
    all places) is fitted by least squares of the relative error. Returns 1 where a size lies far
    off it.
    """
    sizes = [(round(n * largest[0]), round(k * largest[1])) for n, k in GRID]
    truth = simulated_particles(
        seed=1, count=1000, species=("barrel", "spike"), junk_share=0.3, contrast=0.5
    )
    taken = []
    with tempfile.TemporaryDirectory() as scratch:
        write_particles(truth, Path(scratch))
        for count, classes in sizes:
            star = _repeated(Path(scratch) / "particles.star", count)
            taken.append(_iteration_s(star, classes, threads))
            each_us = taken[-1] / (count * classes) * 1e6
            words = f"{taken[-1]:7.2f} s CPU an iteration, {each_us:5.1f} µs a particle and class"
            print(f"{count:6d} x {classes:3d}: {words}", flush=True)
    n, k = np.array(sizes, dtype=float).T
    measured_s = np.array(taken)
    terms = np.stack([n, n * k, k], axis=1) / measured_s[:, None]
    (a, b, c), *_ = np.linalg.lstsq(terms, np.ones(len(sizes)), rcond=None)
    off = np.abs(terms @ (a, b, c) - 1.0)
    constants = f"a = {a * 1e6:.0f} µs, b = {b * 1e6:.1f} µs, c = {c * 1e3:.1f} ms"
    print(f"time of an iteration = a N + b N K + c K; {constants}")
    print(f"largest difference from the formula {100 * off.max():.0f} %")
    for count, classes in LARGER:
        seconds = a * count + b * count * classes + c * classes
        print(f"{count:,} x {classes} by the formula: {seconds:.0f} s CPU an iteration")
    return int(off.max() > NEAR)


def _repeated(star: Path, count: int) -> Path:
    """Return a list of ``count`` particles that names those of another again and again."""
    blocks = read_star(star)
    table = blocks["particles"]
    rows = tuple(table.rows[i % len(table.rows)] for i in range(count))
    path = star.with_name(f"{count}.star")
    write_star(path, {**blocks, "particles": StarTable(columns=table.columns, rows=rows)})
    return path


def _iteration_s(star: Path, classes: int, threads: int) -> float:
    """Return the CPU time of an iteration over all particles of a list."""
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters

    torch.set_num_threads(1)
    parameters = ClassificationParameters(
        classes=classes,
        mask_diameter_a=MASK_DIAMETER_A,
        iterations=2,
        starts=1,
        subset_per_class=10**6,
    )
    at = [time.process_time()]

    def note(_: IterationReport) -> None:
        """Take the time after an iteration."""
        at.append(time.process_time())

    classify(open_stack(star), parameters, threads=threads, progress=note)
    return at[-1] - at[-2]


def memory(count: int, box: int, classes: int, threads: int) -> int:
    """Print the most memory that two iterations over ``count`` images of ``box`` px need.

    One stack of noise is written once and its images are named again and again, so that the disk
    need not hold them all; every image is read anew in each iteration, as from a full stack.
    """
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters
    from cryoverdict.engine.classification.relion_output import write_relion_output

    torch.set_num_threads(1)
    stored = min(count, 5000)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        parts = (rng.standard_normal((1, box, box), dtype=np.float32) for _ in range(stored))
        write_mrcs_in_parts(Path(scratch) / "noise.mrcs", parts, (stored, box, box), 1.77)
        optics = {
            "rlnOpticsGroupName": "a",
            "rlnOpticsGroup": "1",
            "rlnVoltage": "300",
            "rlnSphericalAberration": "2.7",
            "rlnAmplitudeContrast": "0.1",
            "rlnImagePixelSize": "1.77",
        }
        rows = (
            {
                "rlnImageName": f"{i % stored + 1}@noise.mrcs",
                "rlnOpticsGroup": "1",
                "rlnMicrographName": f"MotionCorr/job002/Micrographs/grid_{i // 300:06d}.mrc",
                "rlnCoordinateX": f"{i % 3837}.000000",
                "rlnCoordinateY": f"{i % 3709}.000000",
                "rlnDefocusU": f"{9000 + i % 9973}.000000",
                "rlnDefocusV": f"{8900 + i % 9967}.000000",
                "rlnDefocusAngle": f"{i % 179}.500000",
                "rlnCtfMaxResolution": "4.100000",
                "rlnAutopickFigureOfMerit": f"{i % 997 / 100:.6f}",
            }
            for i in range(count)
        )
        star = Path(scratch) / "particles.star"
        write_star(star, {"optics": table_of([optics]), "particles": table_of(rows)})
        stack = open_stack(star)
        listed = _peak_mib()
        parameters = ClassificationParameters(
            classes=classes, mask_diameter_a=180.0, iterations=2, starts=1, subset_per_class=20
        )
        found = classify(stack, parameters, threads=threads)
        write_relion_output(found, stack, parameters, Path(scratch) / "out")
    print(
        f"{count:7d} x {box} px, {classes} classes: {_peak_mib():.0f} MiB at most,"
        f" {listed:.0f} of them for the list"
    )
    return int(_peak_mib() > 8192)


def _peak_mib() -> float:
    """Return the most memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 2**20
