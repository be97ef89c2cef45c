# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""How well particles are picked with no number given: simulated sessions, empty ones, speed.

A command, not a test: ``python -m tests.benchmarks.picking WHAT [--only NAME …]``, from the
repository's root, where the shared data folder is. Nothing is given but the optics; the parameters
are those that the shipped rules settle.

``simulated``: the sessions of `picking_sessions.REPORTED` (``development``: those that constants
were chosen on), 200 and 300 kV, 0.8 to 3 µm, sparse to dense, with film and contamination;
``--later-seeds`` draws the same particles and microscopes anew. Printed
are the diameter against the truth (the ball with the radius of gyration of what scatters), F1,
precision and recall of all picks outside film and contamination (a match within 0.35 diameter),
then what the second round does with class averages as good as they can be: lowpassed projections.
``empty``: picks on micrographs without particles, under the parameters of a session with some.
``sizes``: two sizes in one data set. ``speed``: time and memory of one 4096² micrograph in a
process of its own. The real ones are in `picking_real`.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.picking.pick_micrograph import pick_micrograph
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_run.deciding import decide_picking
from cryoverdict.engine.simulation.data_set_files import write_data_set, write_mrc
from cryoverdict.engine.simulation.micrograph_spec import Defect
from cryoverdict.engine.simulation.particle import BeadModel, ProjectionBank
from cryoverdict.engine.simulation.stack_comparison import true_places
from cryoverdict.engine.simulation.truth import Truth
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.rules.rule_loader import load_rules
from tests.benchmarks.picking_sessions import (
    DEVELOPMENT,
    REPORTED,
    Session,
    bare,
    model_of,
    true_diameter,
)

MATCH = 0.35
# Views that the second round's class averages show, their resolution and pixels across.
VIEWS, VIEW_RESOLUTION_A, VIEW_PIXELS = 8, 15.0, 40.0
VIEW_NOISE = 0.02
_Double = NDArray[np.float64]


def decided(
    subjects: Sequence[PickingMicrograph], name: str, views: Templates | None = None
) -> tuple[PickingParameters, PickingSurvey]:
    """Return the parameters that the shipped rules settle, and the survey behind them."""
    rules = load_rules(PICKING.id, features=PICKING.units())
    made = decide_picking(subjects, rules, name=name, class_averages=views)
    return PickingParameters.from_settings(made.decision.outcome), made.survey


def measures(hits: int, picked: int, true: int) -> str:
    """Return F1, precision and recall as text."""
    f1 = 2.0 * hits / max(picked + true, 1)
    return f"F1 {f1:.3f}  precision {hits / max(picked, 1):.2f}  recall {hits / max(true, 1):.2f}"


def places(picks: Picks) -> _Double:
    """Return the picks as (x, y)."""
    return np.stack((picks.x_px, picks.y_px), axis=1)


def subject_of(path: Path, optics: Optics) -> PickingMicrograph:
    """Return a file as the picking step meets it."""
    return PickingMicrograph(micrograph=Micrograph(subject=path.name, path=path, optics=optics))


def ideal_views(model: BeadModel, seed: int) -> Templates:
    """Return lowpassed projections of a particle, as class averages would show it at best."""
    pixel_a = true_diameter(model) / VIEW_PIXELS
    bank = ProjectionBank(
        model=model,
        pixel_size_a=pixel_a,
        b_factor_a2=8.0 * np.pi**2 * (VIEW_RESOLUTION_A / 4.0) ** 2,
        preference=0.0,
        seed=seed + 1,
    )
    images = np.stack([bank.projection(number) for number in range(VIEWS)])
    room = round(0.25 * bank.box)
    padded = np.pad(images, ((0, 0), (room, room - 1), (room, room - 1)))
    # Ground of one grey value would be taken for what lies beyond a mask.
    noise = np.random.default_rng(seed).standard_normal(padded.shape)
    shown = padded + VIEW_NOISE * float(images.std()) * noise
    return Templates(
        images=shown.astype(np.float32),
        pixel_size_a=pixel_a,
        weights=np.full(VIEWS, 1.0 / VIEWS),
    )


def clear_centres(truth: Truth) -> _Double:
    """Return the true centres (x, y) that lie on ice, not on film or under contamination."""
    masks = truth.masks
    barren = masks["contamination"] | masks["film"] | masks["empty_no_ice"]
    centres = truth.centres_px.astype(np.float64)
    cells = np.clip(
        (centres // truth.mask_binning).astype(int), 0, np.array(barren.shape)[::-1] - 1
    )
    return np.asarray(centres[~barren[cells[:, 1], cells[:, 0]]], np.float64)


def simulated(
    sessions: Mapping[str, Session], only: Sequence[str], count: int, first_only: bool
) -> None:
    """Print how simulated sessions are picked, in the first round and in the second."""
    scores: dict[str, list[float]] = {"first": [], "second": []}
    errors: dict[str, list[float]] = {"first": [], "second": []}
    for name, session in sessions.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            spec = session.spec(name, count, folder)
            model = model_of(spec)
            made = write_data_set(spec, folder / name, seed=session.seed)
            subjects = [subject_of(path, spec.base.optics) for path in made.micrographs]
            centres = [clear_centres(truth) for truth in made.truths]
            rounds = {"first": None, "second": ideal_views(model, session.seed)}
            for turn, views in list(rounds.items())[: 1 if first_only else 2]:
                f1, error = _round(session, subjects, centres, model, f"{name} {turn}", views)
                scores[turn].append(f1)
                errors[turn].append(abs(error))
    for turn, found in scores.items():
        if found:
            print(
                f"{turn} round: {len(found)} sessions, mean F1 {np.mean(found):.3f}, least "
                f"{min(found):.3f}; diameter error: mean {np.mean(errors[turn]):.0%}, largest "
                f"{max(errors[turn]):.0%}, within 10 % in {np.sum(np.array(errors[turn]) <= 0.1)}"
            )


def _round(
    session: Session,
    subjects: Sequence[PickingMicrograph],
    centres: Sequence[_Double],
    model: BeadModel,
    label: str,
    views: Templates | None,
) -> tuple[float, float]:
    """Decide and pick one session, print a row, and return F1 and the error of the diameter."""
    true_a = true_diameter(model)
    start = process_time()
    parameters, found = decided(subjects, label, views)
    surveyed = process_time() - start
    hits = picked = true = 0
    start = process_time()
    for subject, some in zip(subjects, centres, strict=True):
        picks = places(pick_micrograph(subject, parameters, found.templates))
        hits += int(true_places(some, picks, MATCH * true_a / session.pixel_a).sum())
        picked, true = picked + len(picks), true + len(some)
    each = (process_time() - start) / len(subjects)
    error = parameters.diameter_a / true_a - 1.0
    second = found.facts["second_diameter_a"]
    print(
        f"{label:25s} true {true_a:4.0f} Å  decided {parameters.diameter_a:4.0f} Å ({error:+.0%})  "
        f"{measures(hits, picked, true)}  threshold {parameters.score_threshold:.2f}  "
        f"{'two sizes  ' if isinstance(second, float) else ''}"
        f"survey {surveyed:.0f} s  {each:.2f} s a micrograph of {session.side}²",
        flush=True,
    )
    return 2.0 * hits / max(picked + true, 1), error


def empty() -> None:
    """Print picks on micrographs without particles, under the parameters of a session with some."""
    session = REPORTED["apoferritin"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec = session.spec("full", 4, folder)
        nothing = Defect(mechanism="no-particles", strength=1.0)
        crystalline = Defect(mechanism="crystalline-ice", strength=1.0)
        kinds = {
            "empty ice": replace(bare(spec), defects=(nothing,)),
            "noise": bare(spec, ice_thickness_a=0.0, specks=0.0),
            "crystalline ice": replace(bare(spec), defects=(nothing, crystalline)),
            "carbon": replace(bare(spec), defects=(Defect(mechanism="carbon", strength=1.0),)),
        }
        made = write_data_set(spec, folder / "full", seed=session.seed)
        subjects = [subject_of(path, spec.base.optics) for path in made.micrographs]
        views = ideal_views(model_of(spec), session.seed)
        rounds = {"first": decided(subjects, "full"), "second": decided(subjects, "full", views)}
        for name, base in kinds.items():
            one = replace(
                spec, name="empty", base=base, coverage_range=(0.0, 0.0), blemish_chance=0.0
            )
            there = write_data_set(one, folder / name.replace(" ", "_"), seed=950)
            for turn, (parameters, found) in rounds.items():
                counts = [
                    len(pick_micrograph(subject_of(p, base.optics), parameters, found.templates))
                    for p in there.micrographs
                ]
                print(
                    f"{name:16s} {turn:7s} picks a micrograph {np.mean(counts):.1f} {counts}",
                    flush=True,
                )


def sizes() -> None:
    """Print which sizes are told where two particles are mixed, and where one is alone.

    A mixture is the sum of the micrographs of two sessions, with the noise of both.
    """
    import mrcfile

    small = Session(
        particle="1KX5",
        pixel_a=2.0,
        voltage_kv=300.0,
        focus_a=(1.5e4, 1.5001e4),
        coverage=(0.08, 0.15),
        seed=961,
        contrast=0.9,
        side=1536,
    )
    large = replace(small, particle="6BDF", coverage=(0.08, 0.12), seed=962)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        parts = []
        for session in (small, large):
            spec = replace(
                session.spec(session.particle, 4, folder),
                blemish_chance=0.0,
                astigmatism_range_a=(50.0, 51.0),
            )
            parts.append(write_data_set(spec, folder / session.particle, seed=session.seed))
        mixed = []
        for number, pair in enumerate(zip(*(p.micrographs for p in parts), strict=True)):
            mixed.append(folder / f"mixed{number}.mrc")
            write_mrc(mixed[-1], mrcfile.read(pair[0]) + mrcfile.read(pair[1]), 2.0)
        true = [true_diameter(model_of(s.spec("", 1, folder))) for s in (small, large)]
        optics = small.spec("", 1, folder).base.optics
        for name, paths, sized in (
            ("mixed", mixed, true),
            ("small alone", parts[0].micrographs, true[:1]),
            ("large alone", parts[1].micrographs, true[1:]),
        ):
            _, found = decided([subject_of(Path(p), optics) for p in paths], name)
            told = [found.facts[f"{k}_diameter_a"] for k in ("measured", "second")]
            said = " and ".join(f"{t:.0f} Å" for t in told if isinstance(t, float))
            share = found.facts["second_diameter_share"]
            part = f", second {share:.0%}" if isinstance(share, float) else ""
            print(f"{name:12s} true {' and '.join(f'{t:.0f} Å' for t in sized)}: told {said}{part}")


def _timed(
    task: tuple[PickingMicrograph, PickingParameters, Templates | None],
) -> tuple[float, float, int]:
    """Pick one micrograph and return processor seconds, peak memory (GB) and picks."""
    start = process_time()
    count = len(pick_micrograph(*task))
    used = process_time() - start
    # Not `getrusage`: its peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return used, int(peak_kib) * 1024 / 1e9, count


def speed() -> None:
    """Print time and memory of picking one 4096² micrograph, without and with class averages."""
    session = replace(REPORTED["proteasome-dense"], side=4096, pixel_a=1.0, coverage=(0.15, 0.2))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec = replace(session.spec("large", 1, folder), blemish_chance=0.0)
        made = write_data_set(spec, folder / "large", seed=session.seed)
        subject = subject_of(made.micrographs[0], spec.base.optics)
        spawned = multiprocessing.get_context("spawn")
        for name, views in (
            ("without class averages", None),
            ("with class averages", ideal_views(model_of(spec), session.seed)),
        ):
            parameters, found = decided([subject], name, views)
            task = (subject, parameters, found.templates)
            with ProcessPoolExecutor(max_workers=1, mp_context=spawned) as worker:
                worker.submit(_timed, task).result()  # the first also loads the libraries
                used, peak, count = worker.submit(_timed, task).result()
            print(f"4096², {name}: {used:.2f} s, peak {peak:.2f} GB, {count} picks", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = ("simulated", "development", "empty", "sizes", "speed")
    parser.add_argument("what", choices=kinds)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--micrographs", type=int, default=5)
    parser.add_argument("--later-seeds", type=int, default=0, help="added to each session's seed")
    parser.add_argument("--first-round-only", action="store_true")
    given = parser.parse_args()
    if given.what in ("simulated", "development"):
        kept = REPORTED if given.what == "simulated" else DEVELOPMENT
        sessions = {n: replace(s, seed=s.seed + given.later_seeds) for n, s in kept.items()}
        simulated(sessions, given.only, given.micrographs, given.first_round_only)
    else:
        {"empty": empty, "sizes": sizes, "speed": speed}[given.what]()


if __name__ == "__main__":
    main()
