# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""How well the CTF is estimated: simulated micrographs with known CTF, real power spectra.

A command, not a test: ``python tests/benchmarks/ctf.py [--details]``, run from the repository's
root. It simulates micrographs (2048², 1.77 Å/px, 300 kV), good ones and bad ones of every kind
that leaves a CTF to find, and a set under other optics; reads the real spectra where they are; and
prints, beside what CTFFIND reached: errors of defocus and astigmatism (as a vector), the resolution
limit, how often the 95 % interval covers the truth, and the seconds of processor time a fit takes.
A micrograph counts in the errors where the fit says that it sees rings.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from cryoverdict.engine.simulation.micrograph import simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec
from cryoverdict.features.ctf import Ctf
from cryoverdict.features.ctf_fit import CtfFit, fit_ctf
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.prepare import prepare
from cryoverdict.features.stored_spectrum import read_stored_spectrum

BAD_KINDS = (
    "drift",
    "stage-jump",
    "charging",
    "near-focus",
    "far-focus",
    "astigmatism",
    "crystalline-ice",
    "thick-ice",
    "carbon",
    "gold",
    "no-particles",
    "ice-heap",
    "low-dose",
    "tilt",
)
OTHER_OPTICS: tuple[dict[str, Any], ...] = (
    {"pixel_size_a": 0.7},
    {"pixel_size_a": 1.06},
    {"pixel_size_a": 2.7},
    {"pixel_size_a": 4.2, "defocus_a": 25_000.0},
    {"voltage_kv": 200.0, "pixel_size_a": 1.4, "cs_mm": 1.4},
    {"voltage_kv": 120.0, "pixel_size_a": 2.2, "cs_mm": 6.3},
    {"cs_mm": 0.01},
    {"amplitude_contrast": 0.07},
    {"defocus_a": 3_000.0},
    {"defocus_a": 45_000.0},
)
REAL_OPTICS = Optics(voltage_kv=200.0, cs_mm=1.4, amplitude_contrast=0.1)
# Measured elsewhere, on 28 micrographs of another simulator with weaker rings (20 good, 8 bad).
CTFFIND = ("CTFFIND 5.0.2, quoted", 28, 28, "16", "", "107", "85", "284", "", "", "0.64")
HEAD = (
    "data set",
    "n",
    "seen",
    "defocus",
    "p95",
    "max",
    "astig.",
    "max",
    "resolution",
    "covered",
    "CPU s",
)
WIDTHS = (26, 4, 5, 8, 7, 7, 7, 7, 12, 8, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One spectrum with its true or reference CTF; ``score`` and ``resolution_a`` as listed."""

    name: str
    spectrum: PowerSpectrum
    optics: Optics
    truth: Ctf
    listed: GivenCtf | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The fit of one case, and the seconds of processor time it took."""

    case: Case
    fit: CtfFit
    seconds: float

    @property
    def defocus_error_a(self) -> float:
        """Distance of the mean defocus from the truth."""
        return abs(self.fit.ctf.mean_defocus_a - self.case.truth.mean_defocus_a)

    @property
    def vector_error_a(self) -> float:
        """Length of the difference of the astigmatism vectors."""
        (x, y), (other_x, other_y) = (
            self.fit.ctf.astigmatism_vector_a,
            self.case.truth.astigmatism_vector_a,
        )
        return float(np.hypot(x - other_x, y - other_y))

    @property
    def covered(self) -> bool:
        """Whether the interval of the defocus holds the truth."""
        return self.defocus_error_a <= (self.fit.defocus_error_a or 0.0)


def main() -> None:
    """Fit all data sets and print the table."""
    parser = argparse.ArgumentParser(description="Measure the CTF estimation.")
    parser.add_argument("--good", type=int, default=20, help="good micrographs (20)")
    parser.add_argument("--each", type=int, default=2, help="bad micrographs of each kind (2)")
    parser.add_argument("--side", type=int, default=2048, help="pixels a side (2048)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path, help="folder of *_PS.mrc and reference_ctf.csv")
    parser.add_argument("--details", action="store_true", help="print every fit")
    options = parser.parse_args()
    real = options.real or Path(__file__).parents[3] / "shared" / "data" / "power_spectra"
    rng = np.random.default_rng(options.seed)
    print(row(HEAD))
    print(row(CTFFIND))
    good = [(f"good {i}", usual(rng, options.side)) for i in range(options.good)]
    report("simulated, good", simulated(good, options.seed), options.details)
    bad = [
        (kind, spoilt(rng, options.side, kind)) for kind in BAD_KINDS for _ in range(options.each)
    ]
    report("simulated, bad", simulated(bad, options.seed + 1), options.details)
    others = [
        (settings(change), replace(usual(rng, min(1536, options.side)), **change))
        for change in OTHER_OPTICS
    ]
    report("simulated, other optics", simulated(others, options.seed + 2), options.details)
    if real.is_dir():
        report("real, against CTFFIND", stored(real), options.details)
    else:
        print(f"no real power spectra: {real} is no folder")


def usual(rng: np.random.Generator, side: int) -> MicrographSpec:
    """Return the settings of a good micrograph."""
    return MicrographSpec(
        shape=(side, side),
        pixel_size_a=1.77,
        defocus_a=float(rng.uniform(7_000.0, 25_000.0)),
        astigmatism_a=float(rng.uniform(30.0, 600.0)),
        astigmatism_angle_deg=float(rng.uniform(0.0, 180.0)),
        coverage=float(rng.uniform(0.1, 0.3)),
        ice_thickness_a=float(rng.uniform(250.0, 500.0)),
    )


def settings(change: dict[str, Any]) -> str:
    """Return changed settings in a few words."""
    return ", ".join(f"{name.rsplit('_', 1)[0]} {value:g}" for name, value in change.items())


def spoilt(rng: np.random.Generator, side: int, kind: str) -> MicrographSpec:
    """Return the settings of a micrograph that an expert would reject."""
    defect = Defect(mechanism=kind, strength=float(rng.uniform(0.5, 0.8)))
    return replace(usual(rng, side), defects=(defect,))


def simulated(specs: list[tuple[str, MicrographSpec]], seed: int) -> Iterator[Case]:
    """Yield the spectra of simulated micrographs as the measurement sees them."""
    for number, (name, spec) in enumerate(specs):
        taken = simulate_micrograph(spec, 1_000 * seed + number)
        micrograph = Micrograph(subject=name, path=Path(name), optics=taken.optics)
        true, optics = taken.truth.ctf, taken.optics
        listed = GivenCtf(
            defocus_u_a=true.defocus_u_a,
            defocus_v_a=true.defocus_v_a,
            defocus_angle_deg=true.defocus_angle_deg,
            phase_shift_deg=true.phase_shift_deg,
        )
        view = prepare(micrograph, Image(pixels=taken.pixels), optics)
        yield Case(name=name, spectrum=view.spectrum, optics=optics, truth=Ctf.of(listed, optics))


def stored(folder: Path) -> Iterator[Case]:
    """Yield the real spectra with CTFFIND's fit as the reference."""
    with (folder / "reference_ctf.csv").open() as stream:
        for line in csv.DictReader(stream):
            listed = GivenCtf(
                defocus_u_a=float(line["rlnDefocusU"]),
                defocus_v_a=float(line["rlnDefocusV"]),
                defocus_angle_deg=float(line["rlnDefocusAngle"]),
                fit_score=float(line["rlnCtfFigureOfMerit"]),
                resolution_a=float(line["rlnCtfMaxResolution"]),
            )
            yield Case(
                name=line["stem"],
                spectrum=read_stored_spectrum(folder / f"{line['stem']}_PS.mrc"),
                optics=REAL_OPTICS,
                truth=Ctf.of(listed, REAL_OPTICS),
                listed=listed,
            )


def report(name: str, cases: Iterator[Case], details: bool) -> None:
    """Fit the cases of one data set and print its line."""
    outcomes = []
    for case in cases:
        start = process_time()
        fit = fit_ctf(case.spectrum, case.optics)
        outcomes.append(Outcome(case=case, fit=fit, seconds=process_time() - start))
        if details:
            print(detail(outcomes[-1]), flush=True)
    seen = [o for o in outcomes if o.fit.rings_seen]
    if not seen:
        print(row((name, len(outcomes), 0, *[""] * 8)))
        return
    defocus = np.array([o.defocus_error_a for o in seen])
    vector = np.array([o.vector_error_a for o in seen])
    resolution = np.array([o.fit.resolution_a for o in seen])
    print(
        row(
            (
                name,
                len(outcomes),
                len(seen),
                f"{np.median(defocus):.1f}",
                f"{np.quantile(defocus, 0.95):.0f}",
                f"{defocus.max():.0f}",
                f"{np.median(vector):.0f}",
                f"{vector.max():.0f}",
                f"{resolution.min():.1f}–{resolution.max():.1f}",
                # CTFFIND's fit is a reference, not the truth, and has an error of its own.
                "" if seen[0].case.listed else f"{np.mean([o.covered for o in seen]):.0%}",
                f"{np.median([o.seconds for o in outcomes]):.3f}",
            )
        ),
        flush=True,
    )


def detail(outcome: Outcome) -> str:
    """Return what was found on one spectrum, beside what is true."""
    case, fit = outcome.case, outcome.fit
    listed = ""
    if case.listed is not None:
        listed = f" (listed {case.listed.fit_score:.3f}, {case.listed.resolution_a:.2f} Å)"
    off = fit.ctf.mean_defocus_a - case.truth.mean_defocus_a
    return (
        f"  {case.name[:34]:34s} {case.truth.mean_defocus_a:8.0f} Å: off {off:7.1f} "
        f"± {fit.defocus_error_a:.1f}, astigmatism {case.truth.astigmatism_a:.0f} off "
        f"{outcome.vector_error_a:.0f}, score {fit.score:.3f}, {fit.resolution_a:.2f} Å, "
        f"{fit.ring_count:.0f} rings, blur {fit.directional_blur_a:.1f} Å"
        f"{'' if fit.rings_seen else ', NO RINGS SEEN'}{listed}"
    )


def row(cells: tuple[object, ...]) -> str:
    """Return one line of the table; the first column is left-aligned."""
    first, *rest = (str(c) for c in cells)
    return first.ljust(WIDTHS[0]) + "".join(
        c.rjust(w) for c, w in zip(rest, WIDTHS[1:], strict=True)
    )


if __name__ == "__main__":
    main()
