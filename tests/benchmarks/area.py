# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""How well the usable area is mapped, and the empty told from the full, on simulated micrographs.

A command, not a test: ``python tests/benchmarks/area.py [--rounds N] [--seed S]``, run from the
repository's root. Each round simulates micrographs of sessions drawn at random (microscope,
detector, particle, ice): some without fault, and one of each kind that changes the area or the
emptiness. It prints for each kind the area that is unusable in truth and on the map, the
intersection over union of the two, recall and false alarms, and for each measurement of emptiness
the area under the ROC curve between micrographs with particles and without.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.data_set import draw_micrographs, random_data_set
from cryoverdict.engine.simulation.micrograph import SimulatedMicrograph, simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import Defect
from cryoverdict.features import area, empty
from cryoverdict.features.area_map import usable_area
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View

GOOD = "(good)"
KINDS = (
    *(GOOD,) * 5,
    "carbon",
    "gold",
    "grid-bar",
    "beam-edge",
    "no-ice",
    "torn-film",
    "ice-flakes",
    "ice-heap",
    "ice-ball",
    "aggregates",
    "vesicles",
    "crystalline-ice",
    "thick-ice",
    "drift",
    "low-dose",
    "no-particles",
    "no-particles",
)
# What the map can know of; crystalline ice spoils particles, but they can be picked.
UNUSABLE = ("contamination", "film", "empty_no_ice", "broken_exposure")
LARGEST_SIDE_PX = 1024
FEWEST_PARTICLES, MOST_WHEN_EMPTY = 8, 3


def simulate(kind: str, seed: int) -> SimulatedMicrograph:
    """Return one micrograph of a random session with one defect, or none."""
    rng = np.random.default_rng((seed, 71))
    session = random_data_set(seed)
    rows, columns = session.base.shape
    if max(rows, columns) > LARGEST_SIDE_PX:
        shrink = LARGEST_SIDE_PX / max(rows, columns)
        shape = (2 * round(rows * shrink / 2), 2 * round(columns * shrink / 2))
        session = replace(session, base=replace(session.base, shape=shape))
    spec = draw_micrographs(session, seed)[0]
    strength = float(rng.uniform(0.25, 0.95))
    defects = () if kind == GOOD else (Defect(mechanism=kind, strength=strength),)
    return simulate_micrograph(replace(spec, defects=defects), seed)


def view_of(drawn: SimulatedMicrograph) -> View:
    """Return the view of a simulated micrograph."""
    micrograph = Micrograph(subject="simulated", path=Path("simulated.mrc"), optics=drawn.optics)
    return prepare(micrograph, Image(pixels=drawn.pixels), drawn.optics)


def true_unusable(drawn: SimulatedMicrograph, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what is unusable in truth at the sampling of the coarse image."""
    truth = drawn.truth
    mask = np.logical_or.reduce([truth.masks[name] for name in UNUSABLE])
    index = [
        np.minimum(
            ((np.arange(n) + 0.5) * full / n / truth.mask_binning).astype(np.intp), len_mask - 1
        )
        for n, full, len_mask in zip(shape, drawn.pixels.shape, mask.shape, strict=True)
    ]
    return np.asarray(mask[np.ix_(*index)])


def curve_area(full: NDArray[np.float64], bare: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve: how often a full one has the larger value."""
    above = (full[:, None] > bare[None, :]).mean()
    return float(above + 0.5 * (full[:, None] == bare[None, :]).mean())


def main() -> None:
    """Simulate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    emptiness: dict[str, dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    seconds, inverted = [], 0
    for number in range(options.rounds * len(KINDS)):
        kind = KINDS[number % len(KINDS)]
        drawn = simulate(kind, 10_000 * (options.seed + 1) + number)
        view = view_of(drawn)
        inverted += view.inverted
        start = process_time()
        mapped = ~view.once(usable_area).usable
        answers = {f.name: f.measure(view) for f in (*area.FEATURES, *empty.FEATURES)}
        seconds.append(process_time() - start)
        truth = true_unusable(drawn, (view.coarse.shape[0], view.coarse.shape[1]))
        both, either = float((mapped & truth).mean()), float((mapped | truth).mean())
        share = float(truth.mean())
        found[kind].append(
            (
                share,
                float(mapped.mean()),
                both / either if share > 0.01 else np.nan,
                both / share if share > 0.01 else np.nan,
                float((mapped & ~truth).mean()),
            )
        )
        particles = len(drawn.truth.centres_px)
        has_some = kind in (GOOD, "drift", "thick-ice") and particles >= FEWEST_PARTICLES
        has_none = kind == "no-particles" and particles <= MOST_WHEN_EMPTY
        if has_some or has_none:
            for feature in empty.FEATURES:
                value = answers[feature.name]
                if isinstance(value, float):
                    emptiness[feature.name][has_some].append(value)
    print(f"{'kind':16} {'n':>3} {'truth':>7} {'map':>7} {'IoU':>6} {'recall':>7} {'false':>7}")
    for kind, rows in found.items():
        with np.errstate(all="ignore"):
            columns = np.array(rows).T
            mean = [
                float(c[np.isfinite(c)].mean()) if np.isfinite(c).any() else np.nan for c in columns
            ]
        print(f"{kind:16} {len(rows):3} {mean[0]:7.3f} {mean[1]:7.3f} {mean[2]:6.2f}", end="")
        print(f" {mean[3]:7.2f} {mean[4]:7.3f}")
    print(f"\n{'emptiness':28} {'AUC':>6} {'with':>8} {'without':>8}  medians")
    for name, groups in emptiness.items():
        full, bare = np.array(groups[True]), np.array(groups[False])
        if len(full) and len(bare):
            middle = f"{np.median(full):8.2f} {np.median(bare):8.2f}"
            print(f"{name:28} {curve_area(full, bare):6.3f} {middle}")
    print(f"\n{1e3 * float(np.median(seconds)):.0f} ms of processor time a micrograph;", end=" ")
    print(f"contrast taken for inverted in {inverted} of {len(seconds)}")


if __name__ == "__main__":
    main()
