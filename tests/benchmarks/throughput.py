"""How long measuring one micrograph takes, as a ratio to reading it and one Fourier transform.

A command, not a test: ``python tests/benchmarks/throughput.py``. It writes one simulated 4096²
float32 MRC to a temporary folder, then times, turn by turn in the same process and on one thread,
«mrcfile read + one scipy.fft.rfft2» and the whole measurement (read, prepare, every registered
feature), and prints the best of each, their ratio, the parts, and the peak memory of a fresh
process that measures the file. The aim is a ratio of at most 6 and less than 1.5 GB.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

AIM_RATIO = 6.0
AIM_GB = 1.5


def main() -> None:
    """Time the measurement and print the table."""
    parser = argparse.ArgumentParser(description="Time the measurement of one micrograph.")
    parser.add_argument("--side", type=int, default=4096, help="pixels a side (4096)")
    parser.add_argument("--turns", type=int, default=7, help="times each is run (7)")
    parser.add_argument("--do", choices=("write", "measure"), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # One thread each, set before the libraries that read it are loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if options.do == "write":
        write_micrograph(options.path, options.side)
        return
    if options.do == "measure":
        measure_file(options.path)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "micrograph.mrc"
        child(["--do", "write", "--path", str(path), "--side", str(options.side)])
        # A child starts with its parent's peak, so memory comes before this process has grown.
        peak_gb = int(child(["--do", "measure", "--path", str(path)])) * 1024 / 1e9
        print_times(path, options.turns)
        print(f"peak memory of one process   {peak_gb:8.2f} GB   (aim: less than {AIM_GB} GB)")


def child(arguments: list[str]) -> str:
    """Run this file in a process of its own; return what it printed."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write_micrograph(path: Path, side: int) -> None:
    """Write a simulated micrograph with particles, as float32 MRC with its pixel size."""
    import mrcfile

    from cryoverdict.engine.simulation.micrograph import simulate_micrograph
    from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec

    spec = MicrographSpec(shape=(side, side), pixel_size_a=1.0)
    with mrcfile.new(path) as file:
        file.set_data(simulate_micrograph(spec, seed=0).pixels)
        file.voxel_size = spec.pixel_size_a


def baseline(path: Path) -> None:
    """Read the file and transform it once."""
    import mrcfile
    from scipy.fft import rfft2

    with mrcfile.open(path) as file:
        rfft2(file.data)


def measure_file(path: Path) -> dict[str, float]:
    """Measure everything; return the seconds that each part took."""
    from cryoverdict.features.families import micrograph_features
    from cryoverdict.features.micrograph import Micrograph
    from cryoverdict.features.optics import Optics
    from cryoverdict.features.prepare import prepare
    from cryoverdict.features.read_image import read_image

    optics = Optics(pixel_size_a=1.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    features = micrograph_features()
    times = {}
    start = perf_counter()
    image = read_image(path)
    times["read"] = perf_counter() - start
    start = perf_counter()
    view = prepare(Micrograph(subject=path.name, path=path), image, optics)
    del image
    times["prepare"] = perf_counter() - start
    for feature in features:
        start = perf_counter()
        feature.measure(view)
        family = feature.function.__module__.rpartition(".")[2]
        times[family] = times.get(family, 0.0) + perf_counter() - start
    return times


def print_times(path: Path, turns: int) -> None:
    """Print the best times of both, and of the parts of the whole."""
    best_baseline, best_whole = float("inf"), float("inf")
    parts: dict[str, float] = {}
    for _ in range(turns):  # turn by turn, so that both meet the same machine
        best_baseline = min(best_baseline, timed(lambda: baseline(path)))
        start = perf_counter()
        times = measure_file(path)
        best_whole = min(best_whole, perf_counter() - start)
        parts = {name: min(parts.get(name, t), t) for name, t in times.items()}
    print(f"mrcfile read + one rfft2     {best_baseline * 1e3:8.0f} ms")
    print(f"whole measurement            {best_whole * 1e3:8.0f} ms")
    for name, seconds in parts.items():
        print(f"    {name:24s} {seconds * 1e3:8.0f} ms   {seconds / best_baseline:5.2f}")
    print(
        f"ratio                        {best_whole / best_baseline:8.2f}      (aim: {AIM_RATIO:g})"
    )


def timed(function: Callable[[], None]) -> float:
    """Return the seconds that a call takes."""
    start = perf_counter()
    function()
    return perf_counter() - start


if __name__ == "__main__":
    main()
