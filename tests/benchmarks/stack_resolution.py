"""How finely the stack of a run reconstructs, beside the expert's stack and that of all picks.

A command, not a test: ``python -m tests.benchmarks.stack_resolution SESSION…``, where a SESSION is
a folder that ``python -m tests.benchmarks.end_to_end --keep DIR`` left (DIR/proteasome, …), from
the repository's root. It needs RELION and the atomic models of the shared data folder.

Three stacks of each session are cut alike from the micrographs (``write-stack``, pixels of
`PIXEL_A`): the good particles of the run, all particles that it classified, and what an expert who
knows the truth would take (the true particles of good micrographs that lie whole inside, with the
true CTF). Each particle gets the orientation and the place of the true one that it is; what is no
particle gets a random orientation. `relion_reconstruct` makes a map of either half of the stack, at
random and without symmetry, and the Fourier shell correlation of the two within a soft sphere says
the resolution (0.143; Rosenthal and Henderson 2003, J. Mol. Biol. 333:721). All is simulated; the
orientations are true for all three, so that only what is in the stack differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.window import centre_pixels
from cryoverdict.engine.simulation.data_set_files import PARTICLES_STAR
from cryoverdict.engine.simulation.micrograph import _model
from cryoverdict.engine.simulation.orientation import euler_angles_deg
from cryoverdict.engine.simulation.particle import random_rotations
from cryoverdict.engine.simulation.stack_comparison import read_truth
from cryoverdict.features.star import StarTable, read_star, table_of, write_star
from tests.benchmarks.end_to_end import PROGRAM, SESSIONS
from tests.benchmarks.stage_losses import MATCH, Scale

PIXEL_A = 3.0
THRESHOLD = 0.143
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
PLACE = ("rlnCoordinateX", "rlnCoordinateY")
CTF = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnPhaseShift")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The true particles of a session: places ``(n, 2)`` and angles ``(n, 3)`` by micrograph."""

    xy: Mapping[str, Floats]
    angles: Mapping[str, Floats]


def numbers(table: StarTable, labels: Sequence[str]) -> Floats:
    """Return columns as numbers ``(rows, labels)``."""
    return np.array([table.column(label) or () for label in labels], dtype=np.float64).T


def read_views(folder: Path) -> Views:
    """Read where the true particles lie, and how; ends the command where angles are unknown."""
    table = read_star(folder / PARTICLES_STAR)["particles"]
    if table.column(ANGLES[0]) is None:
        sys.exit(f"{folder / PARTICLES_STAR}: has no angles; simulate the session anew")
    names = np.array(table.column("rlnMicrographName"))
    xy, angles = numbers(table, PLACE), numbers(table, ANGLES)
    own = {name: names == name for name in np.unique(names).tolist()}
    return Views(
        xy={name: xy[rows] for name, rows in own.items()},
        angles={name: angles[rows] for name, rows in own.items()},
    )


def write_expert_list(root: Path, scale: Scale, optics: StarTable, path: Path) -> None:
    """Write the true particles of good micrographs that lie whole inside, with the true CTF."""
    truth = read_truth(root / "micrographs")
    whole = scale.whole(truth).centres
    table = read_star(root / "micrographs" / PARTICLES_STAR)["particles"]
    names = table.column("rlnMicrographName") or ()
    rows = [
        {
            "rlnImageName": f"{i + 1:06d}@none.mrcs",
            "rlnMicrographName": f"micrographs/{name}",
            "rlnOpticsGroup": "1",
            **{label: (table.column(label) or ())[i] for label in (*PLACE, *CTF)},
        }
        for i, (name, place) in enumerate(zip(names, numbers(table, PLACE), strict=True))
        if truth.good[name] and (np.abs(whole[name] - place).sum(axis=1) < 1e-6).any()
    ]
    write_star(path, {"optics": optics, "particles": table_of(rows)})


def oriented(stack: Path, views: Views, near_px: float, pixel_a: float) -> tuple[int, int]:
    """Write ``oriented.star`` beside a stack; return how many particles it has, and true ones."""
    blocks = read_star(stack)
    table = blocks["particles"]
    names = [Path(name).name for name in table.column("rlnMicrographName") or ()]
    place = numbers(table, PLACE)
    cut_at = centre_pixels(place)
    rng = np.random.default_rng(1)
    angles = euler_angles_deg(random_rotations(rng, len(names), 0.0))
    origin = np.zeros((len(names), 2))
    found = 0
    for i, name in enumerate(names):
        if name not in views.xy:
            continue
        distance = np.linalg.norm(views.xy[name] - place[i], axis=1)
        nearest = int(distance.argmin())
        if distance[nearest] <= near_px:
            found += 1
            angles[i] = views.angles[name][nearest]
            origin[i] = (cut_at[i] - views.xy[name][nearest]) * pixel_a
    half = rng.permutation(np.arange(len(names)) % 2) + 1
    new = {
        **dict(zip(ANGLES, angles.T, strict=True)),
        "rlnOriginXAngst": origin[:, 0],
        "rlnOriginYAngst": origin[:, 1],
        "rlnRandomSubset": half,
    }
    kept = [i for i, label in enumerate(table.columns) if label not in new]
    rows = [
        {
            **{table.columns[j]: row[j] for j in kept},
            **{label: f"{values[i]:g}" for label, values in new.items()},
        }
        for i, row in enumerate(table.rows)
    ]
    write_star(stack.with_name("oriented.star"), {**blocks, "particles": table_of(rows)})
    return len(names), found


def shell_correlation(one: Floats, other: Floats, radius_px: float) -> Floats:
    """Return the correlation of two maps by shell, within a soft sphere."""
    side = one.shape[0]
    axis = np.arange(side) - side // 2
    r = np.sqrt((np.stack(np.meshgrid(axis, axis, axis, indexing="ij")) ** 2).sum(axis=0))
    soft = 0.5 - 0.5 * np.tanh((r - radius_px) / 1.5)
    a, b = (np.fft.rfftn(x * soft) for x in (one, other))
    k = np.fft.fftfreq(side) * side
    shell = np.rint(
        np.sqrt(k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, : side // 2 + 1] ** 2)
    ).astype(int)
    sums = [
        np.bincount(shell.ravel(), weights=values.ravel())[: side // 2]
        for values in ((a * b.conj()).real, np.abs(a) ** 2, np.abs(b) ** 2)
    ]
    return np.asarray(sums[0] / np.sqrt(np.maximum(sums[1] * sums[2], 1e-30)))


def resolution_a(curve: Floats, side: int, pixel_a: float) -> float:
    """Return where a curve first falls below the threshold, between two shells."""
    below = np.flatnonzero(curve[1:] < THRESHOLD)
    if not len(below):
        return 2.0 * pixel_a
    i = int(below[0]) + 1
    part = (curve[i - 1] - THRESHOLD) / max(curve[i - 1] - curve[i], 1e-9)
    return float(side * pixel_a / (i - 1 + part))


def relion(folder: Path, *words: str) -> None:
    """Run a program of RELION, one thread; raises where it fails."""
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(words, cwd=folder, env=one, check=True, capture_output=True)


def measure(
    root: Path, name: str, particles: Path, views: Views, given: Scale, scratch: Path
) -> str:
    """Cut a stack, reconstruct both halves, and return a row."""
    import mrcfile

    folder = scratch / name.replace(" ", "_")
    cut = [str(PROGRAM), "write-stack", str(particles), "--output", str(folder), "--quiet"]
    cut += ["--parameters", "run/classification/classification.json", "--threads", "1"]
    subprocess.run([*cut, "--stack-pixel-size-a", f"{PIXEL_A:g}"], cwd=root, check=True)
    size_a = SESSIONS[root.name].pixel_a
    near = MATCH * given.diameter_px
    total, true = oriented(folder / "good_particles.star", views, near, size_a)
    maps = []
    for half in ("1", "2"):
        call = ["relion_reconstruct", "--i", "oriented.star", "--o", f"half{half}.mrc", "--ctf"]
        relion(folder, *call, "--subset", half)
        with mrcfile.open(folder / f"half{half}.mrc") as file:
            maps.append(np.array(file.data, dtype=np.float64))
            pixel_a = float(file.voxel_size.x)
    reach = 0.75 * given.diameter_px * size_a / pixel_a
    curve = shell_correlation(maps[0], maps[1], min(reach, 0.45 * len(maps[0])))
    found = resolution_a(curve, len(maps[0]), pixel_a)
    return f"{root.name:12s} {name:16s} {total:6d} particles, {true:6d} true  {found:6.2f} Å"


def main() -> None:
    """Print three rows a session."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sessions", nargs="+", type=Path, metavar="SESSION")
    parser.add_argument("--side", type=int, default=1536, help="of a micrograph in pixels")
    given = parser.parse_args()
    for root in (path.resolve() for path in given.sessions):
        base = SESSIONS[root.name].spec(root.name, 1, given.side).base
        model = _model(base.particle.name, base.particle.path)
        scale = Scale(diameter_px=model.mean_diameter_a / base.pixel_size_a, side=given.side)
        views = read_views(root / "micrographs")
        (all_picks,) = (root / "run" / "classified").glob("run_it*_data.star")
        good = root / "run" / "classes_again" / "particles_good.star"
        with tempfile.TemporaryDirectory() as folder:
            expert = Path(folder) / "expert.star"
            write_expert_list(root, scale, read_star(good)["optics"], expert)
            for name, listed in (
                ("cryoverdict", good),
                ("all picks", all_picks),
                ("expert's truth", expert),
            ):
                print(measure(root, name, listed, views, scale, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
