"""Seconds per 1,000 particles and peak memory of extraction, beside `relion_preprocess`.

Noise micrographs are written to a temporary folder; both programs cut the same boxes with the same
options, one process each, and their pixels are compared. The time includes the start of each
program. Run it with

    OMP_NUM_THREADS=1 python tests/benchmarks/extraction.py [--micrographs 6] [--particles 400]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoverdict.engine.extraction.stack_file import StackWriter
from cryoverdict.features.star import StarTable, table_of, write_star

SIDE_PX = 4096
PIXEL_SIZE_A = 0.9
# Box and binned box, in pixels: for classification, and the final stack.
CASES = ((256, 64), (360, 90), (360, 360))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Wall and processor seconds and the greatest memory (MB) of a finished program."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def table(rows: Sequence[dict[str, object]]) -> StarTable:
    """Return rows as a table."""
    return table_of([{k: str(v) for k, v in row.items()} for row in rows])


def write_project(root: Path, micrographs: int, particles: int) -> None:
    """Write noise micrographs with picks that keep away from the edges."""
    (root / "mics").mkdir()
    (root / "pick" / "coordinates").mkdir(parents=True)
    rng = np.random.default_rng(0)
    listed: list[dict[str, object]] = []
    coordinates: list[dict[str, object]] = []
    for k in range(micrographs):
        pixels = rng.standard_normal((1, SIDE_PX, SIDE_PX), dtype=np.float32) * 3 + 20
        with StackWriter(root / f"mics/m{k}.mrc", SIDE_PX, PIXEL_SIZE_A, float16=False) as file:
            file.write(pixels)
        xy = rng.integers(200, SIDE_PX - 200, (particles, 2))
        picks = table([{"rlnCoordinateX": f"{x}.0", "rlnCoordinateY": f"{y}.0"} for x, y in xy])
        for folder in ("pick/coordinates", "mics"):
            write_star(root / folder / f"m{k}_pick.star", {"": picks})
        listed.append(
            {
                "rlnMicrographName": f"mics/m{k}.mrc",
                "rlnOpticsGroup": 1,
                "rlnDefocusU": 10000 + k,
                "rlnDefocusV": 9900 + k,
                "rlnDefocusAngle": 10,
            }
        )
        coordinates.append(
            {
                "rlnMicrographName": f"mics/m{k}.mrc",
                "rlnMicrographCoordinates": f"coordinates/m{k}_pick.star",
            }
        )
    optics = table(
        [
            {
                "rlnOpticsGroupName": "noise",
                "rlnOpticsGroup": 1,
                "rlnMicrographOriginalPixelSize": PIXEL_SIZE_A,
                "rlnMicrographPixelSize": PIXEL_SIZE_A,
                "rlnVoltage": 300,
                "rlnSphericalAberration": 2.7,
                "rlnAmplitudeContrast": 0.1,
            }
        ]
    )
    blocks = {"optics": optics, "micrographs": table(listed)}
    for path in (root / "mics.star", root / "pick" / "micrographs.star"):
        write_star(path, blocks)
    write_star(root / "pick" / "autopick.star", {"coordinate_files": table(coordinates)})


# A child counts the memory of whoever started it as its own, so a small process starts each.
LAUNCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
with open("log.txt", "wb") as log:
    code = subprocess.run(sys.argv[1:], stdout=log, stderr=log).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
wall = time.perf_counter() - start
print(json.dumps([code, wall, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


def run(root: Path, command: Sequence[str]) -> Cost:
    """Run a program and return what it took."""
    launched = [sys.executable, "-S", "-c", LAUNCHER, *command]
    told = subprocess.run(launched, cwd=root, capture_output=True, text=True, check=True).stdout
    code, wall_s, cpu_s, memory_kb = json.loads(told)
    if code:
        sys.exit(f"{command[0]} failed:\n{(root / 'log.txt').read_text()[-2000:]}")
    return Cost(wall_s=wall_s, cpu_s=cpu_s, memory_mb=memory_kb / 1024)


def difference(root: Path, micrographs: int, mine: str, theirs: str, box: int) -> float:
    """Return the largest difference of a pixel between two folders of stacks."""
    largest = 0.0
    for k in range(micrographs):
        a, b = (
            np.memmap(root / folder / f"m{k}.mrcs", dtype="<f4", mode="r", offset=1024)
            for folder in (mine, theirs)
        )
        for start in range(0, len(a), 64 * box * box):
            here = slice(start, start + 64 * box * box)
            largest = max(largest, float(np.abs(a[here] - b[here]).max()))
    return largest


def compare(root: Path, micrographs: int, particles: int, box: int, binned: int) -> None:
    """Cut with both programs and print a line for each."""
    radius = round(0.375 * binned)
    name = f"{box}_{binned}"
    parameters = {
        "box_px": box,
        "binned_box_px": binned,
        "background_radius_px": radius,
        "invert_contrast": 1,
        "fit_plane": 1,
    }
    record = {"kind": "classification", "parameters": parameters}
    (root / f"{name}.json").write_text(json.dumps(record))
    (root / f"R{name}").mkdir()
    ours = f"extract pick --parameters {name}.json --output C{name} --threads 1 --edge fill"
    program = Path(sys.executable).with_name("cryoverdict")
    theirs = (
        "--i mics.star --coord_dir ./ --coord_suffix _pick.star --extract --norm --invert_contrast "
        f"--extract_size {box} --scale {binned} --bg_radius {radius} --part_dir R{name}/ "
        f"--part_star R{name}/p.star"
    )
    calls = {
        "relion_preprocess": ["relion_preprocess", *theirs.split()],
        "cryoverdict extract": [str(program), *ours.split()],
    }
    total = micrographs * particles / 1000.0
    for program_name, call in calls.items():
        cost = run(root, call)
        print(
            f"{box:5d} -> {binned:4d} px  {program_name:20s} {cost.wall_s / total:7.2f} s wall  "
            f"{cost.cpu_s / total:7.2f} s CPU per 1,000   {cost.memory_mb:7.0f} MB"
        )
    found = difference(root, micrographs, f"C{name}/particles", f"R{name}/mics", binned)
    print(f"{'':16s}  largest difference of a pixel {found:.1e} standard deviations")


def main() -> None:
    """Write the micrographs and compare for each box."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--micrographs", type=int, default=6)
    parser.add_argument("--particles", type=int, default=400)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, chosen.micrographs, chosen.particles)
        print(f"{chosen.micrographs} micrographs of {SIDE_PX}², {chosen.particles} particles each")
        for box, binned in CASES:
            compare(root, chosen.micrographs, chosen.particles, box, binned)


if __name__ == "__main__":
    main()
