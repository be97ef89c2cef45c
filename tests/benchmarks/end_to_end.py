# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""What a run makes of whole simulated sessions, beside one in which nothing is decided.

A command, not a test: ``python -m tests.benchmarks.end_to_end [--sets N] [--only NAME …]
[--micrographs N] [--side PX] [--trial-particles N] [--threads N]
[--keep DIR]``, from the repository's root. It needs the atomic models of the shared data folder,
and RELION for the comparison.

The sessions are of three atomic models that nothing was trained on (training draws generated
shapes only) with data-set seeds of their own, 2201 to 2203; micrographs go bad by the usual mix of
mechanisms. Each is taken through ``cryoverdict run`` with the optics and nothing else said, but
that round one takes 400 particles, as in the demonstration: a session of 30 is small.

The default beside it: no micrograph rejected, RELION's LoG filter at 150 ± 15 Å with its default
threshold, the particles cut out, 50 classes, all kept. Where all classes are kept, classes do not
bear on which particles are in the stack, so no classification is run; its time is not counted.
``pick`` and ``extract`` do this with fixed files of parameters, on the micrographs as they came.

Printed, for each stack: of the true particles in good micrographs the share that it holds (a match
within 0.35 diameter, the ball with the particle's radius of gyration, each counted once; those
beneath contamination count as true as well), the same of those that lie whole inside (small
micrographs have much border), the share of it that is no true particle, micrographs kept and
rejected rightly, wall and processor seconds; and beneath, where the true ones were lost, stage by
stage (`stage_losses`). All is simulated.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import ctypes
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.simulation.comparison import compare_with_truth
from cryoverdict.engine.simulation.data_set import DataSetSpec
from cryoverdict.engine.simulation.data_set_files import MICROGRAPHS_CSV, write_data_set
from cryoverdict.engine.simulation.micrograph import _model
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.stack_comparison import (
    SessionTruth,
    compare_centres,
    read_centres,
    read_truth,
)
from tests.benchmarks.stage_losses import MATCH, Scale, losses

MODELS = Path(__file__).resolve().parents[3] / "shared" / "data" / "models"
PROGRAM = Path(sys.executable).with_name("cryoverdict")
DEFAULT_DIAMETER_A = 150.0
HEAD = (
    f"{'simulated':20s} {'true in stack':>19s}  {'whole in stack':>19s}  {'junk':>19s}  "
    f"{'good and bad mics':22s} wall s  CPU s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One simulated session: particle, microscope, focus, crowding and its seed."""

    particle: str
    seed: int
    pixel_a: float
    voltage_kv: float
    focus_a: tuple[float, float]
    coverage: tuple[float, float]

    def spec(self, name: str, micrographs: int, side: int) -> DataSetSpec:
        """Return the session's settings; raises `SystemExit` without the atomic model."""
        file = next(iter(sorted(MODELS.glob(f"{self.particle}*"))), None)
        if file is None:
            sys.exit(f"{MODELS}: no model {self.particle}*; accepted is the shared data folder")
        return DataSetSpec(
            name=name, micrographs=micrographs,
            base=MicrographSpec(
                shape=(side, side), pixel_size_a=self.pixel_a, voltage_kv=self.voltage_kv,
                particle=ParticleSpec(name=self.particle, path=str(file), contrast=0.8),
                detector="k3", particle_seed=self.seed, gain_seed=self.seed,
            ),
            defocus_range_a=self.focus_a, coverage_range=self.coverage, bad_fraction=0.4,
        )  # fmt: skip


SESSIONS = {
    "proteasome": Session(
        particle="6BDF", seed=2201, pixel_a=1.7, voltage_kv=300.0, focus_a=(9e3, 2.4e4),
        coverage=(0.18, 0.35),
    ),
    "apoferritin": Session(
        particle="4OYN", seed=2202, pixel_a=1.5, voltage_kv=200.0, focus_a=(8e3, 2.2e4),
        coverage=(0.15, 0.35),
    ),
    "spike": Session(
        particle="6VXX", seed=2203, pixel_a=1.8, voltage_kv=300.0, focus_a=(1e4, 2.6e4),
        coverage=(0.12, 0.3),
    ),
}  # fmt: skip


def ran(root: Path, *commands: Sequence[str]) -> str:
    """Run commands one after the other and return wall and processor seconds as text.

    Raises `RuntimeError` where one fails.
    """
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        log = root / f"{command[0]}.log"
        call = [str(PROGRAM), *command]
        with log.open("wb") as lines:
            code = subprocess.run(call, cwd=root, stdout=lines, stderr=lines).returncode
        if code:
            msg = f"cryoverdict {command[0]} ended with {code}: {log.read_text()[-400:].strip()}"
            raise RuntimeError(msg)
    wall_s = time.perf_counter() - start
    reap_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall_s:6.0f} {used:6.0f}"


def adopt_orphans() -> None:
    """Let the fork servers of the commands, which nobody waits for, be waited for here (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def reap_orphans() -> None:
    """Wait for what was adopted, at most some seconds; else its workers' time would be lost."""
    with suppress(ChildProcessError):
        for _ in range(30):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.1)


def write_default_parameters(root: Path, pixel_a: float) -> None:
    """Write the files of parameters of somebody who looks at nothing."""
    low, high = 0.9 * DEFAULT_DIAMETER_A, 1.1 * DEFAULT_DIAMETER_A
    # Spaced by one mean diameter, as RELION does; nothing but its own threshold takes picks away.
    picking = {
        "diameter_a": DEFAULT_DIAMETER_A, "diameter_min_a": low, "diameter_max_a": high,
        "contrast_sign": -1.0, "lowpass_a": 20.0, "picking_pixel_size_a": 5.0,
        "spacing_a": (DEFAULT_DIAMETER_A + low) / 2.0, "edge_margin_a": 0.0,
        "false_discovery_rate": 1.0, "score_threshold": -1e9, "score_ceiling": 1e9,
        "most_per_micrograph": 1e5, "trial_particles": 1e5,
    }  # fmt: skip
    box = 2.0 * round(0.75 * DEFAULT_DIAMETER_A / pixel_a)
    classification = {
        "box_px": box, "binned_box_px": 64.0, "background_radius_px": 24.0,
        "invert_contrast": 1.0, "fit_plane": 0.0,
    }  # fmt: skip
    for kind, parameters in (("picking", picking), ("classification", classification)):
        ParameterFile(kind=kind, parameters=parameters).write(root / f"{kind}.json")


def measured(
    name: str, stack: Path, truth: SessionTruth, given: Scale, verdicts: str, cost: str
) -> str:
    """Return the row of one stack."""
    places, near = read_centres(stack), MATCH * given.diameter_px
    found = compare_centres(truth, places, radius_px=near)
    whole = compare_centres(given.whole(truth), places, radius_px=near)
    return (
        f"{name:20s} {found.found:5d}/{found.true:<5d} {100.0 * found.recall:5.1f} %  "
        f"{whole.found:5d}/{whole.true:<5d} {100.0 * whole.recall:5.1f} %  "
        f"{found.junk:5d}/{found.stack:<5d} {100.0 * found.junk_share:5.1f} %  "
        f"{verdicts:22s} {cost}"
    )


def benchmark(name: str, session: Session, root: Path, given: argparse.Namespace) -> None:
    """Simulate one session, make both stacks, and print a row for each."""
    root.mkdir(parents=True, exist_ok=True)
    spec = session.spec(name, given.micrographs, given.side)
    base, micrographs = spec.base, root / "micrographs"
    if not (micrographs / MICROGRAPHS_CSV).exists():
        write_data_set(spec, micrographs, seed=session.seed, threads=given.threads)
    model = _model(base.particle.name, base.particle.path)
    diameter_px = model.mean_diameter_a / base.pixel_size_a
    print(f"# {name}: {model.mean_diameter_a:.0f} Å, {base.pixel_size_a:g} Å/px", flush=True)
    optics = ["--voltage-kv", f"{base.voltage_kv:g}", "--cs-mm", f"{base.cs_mm:g}"]
    optics += ["--amplitude-contrast", f"{base.amplitude_contrast:g}"]
    threads = ["--threads", str(given.threads)]
    truth = read_truth(micrographs)
    scale = Scale(diameter_px=diameter_px, side=given.side)
    if shutil.which("relion_autopick"):
        write_default_parameters(root, base.pixel_size_a)
        pick = ["pick", "micrographs", "--parameters", "picking.json", "--picker", "relion"]
        cut = ["extract", "default_picks", "--parameters", "classification.json", "--no-ctf-fit"]
        pick += ["--output", "default_picks", *optics, *threads]
        cost = ran(root, pick, [*cut, "--output", "default_stack", *threads])
        stack = root / "default_stack" / "particles.star"
        print(measured(f"{name} default", stack, truth, scale, "all kept", cost), flush=True)
    whole = ["run", "micrographs", "--output", "run", "--batch-size", "15"]
    whole += ["--set", f"trial_particles={given.trial_particles}", *optics, *threads]
    cost = ran(root, whole)
    decisions = read_decisions(root / "run" / "judged" / "decisions.jsonl")
    compared = compare_with_truth(micrographs, decisions)
    good, bad = [c.kept for c in compared if c.good], [not c.kept for c in compared if not c.good]
    verdicts = f"{sum(good)}/{len(good)} kept, {sum(bad)}/{len(bad)} rej."
    stack = root / "run" / "good_particles.star"
    print(measured(name, stack, truth, scale, verdicts, cost))
    print(losses(root / "run", truth, scale), flush=True)


def main() -> None:
    """Take the sessions one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=len(SESSIONS), help="how many of the three")
    parser.add_argument("--only", nargs="*", default=[], choices=tuple(SESSIONS))
    parser.add_argument("--micrographs", type=int, default=30)
    parser.add_argument("--side", type=int, default=1024, help="side of a micrograph in pixels")
    parser.add_argument("--trial-particles", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the files here; a killed run resumes")
    given = parser.parse_args()
    adopt_orphans()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = (given.keep or Path(scratch)).resolve()
        for name in given.only or list(SESSIONS)[: given.sets]:
            try:
                benchmark(name, SESSIONS[name], root / name, given)
            except RuntimeError as error:  # a failure is a result too, and the next set is run
                print(error, flush=True)


if __name__ == "__main__":
    main()
