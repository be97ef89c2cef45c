"""How the time of 2D classification grows with particles and classes, and its memory."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryoverdict.engine.classification.classification import IterationReport
from cryoverdict.engine.classification.mrcs import write_mrcs_in_parts
from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.classification.simulated_particles import (
    simulated_particles,
    write_particles,
)
from cryoverdict.features.star import read_star, table_of, write_star
from tests.benchmarks.classification_programs import MASK_DIAMETER_A


def scaling(threads: int, sizes: Sequence[tuple[int, int]] = ()) -> int:
    """Print the time of one whole iteration over particles and classes, and the formula."""
    import torch

    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters

    torch.set_num_threads(1)
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

            classify(open_stack(star), parameters, threads=threads, progress=note)
            each = float(np.median(np.diff(at)[1:]))
            rates.append(each / (count * classes))
            rate_us = f"{rates[-1] * 1e6:.2f} µs a particle and class"
            print(
                f"{count:6d} x {classes:3d}: {each:7.2f} s CPU an iteration, {rate_us}", flush=True
            )
    rate = float(np.median(rates))
    print(f"50,000 x 100: {rate * 5e6:.0f} s CPU an iteration (particles x classes x rate)")
    return int(max(rates) > 2.0 * min(rates))


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
