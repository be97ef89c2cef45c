"""Classifications of simulated picks, made by the embedded classifier, with their truth."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.class_selection.class_truth import ClassTruth
from cryoverdict.engine.class_selection.pick_session import KINDS, random_session
from cryoverdict.engine.class_selection.simulated_picks import simulated_picks, write_picks
from cryoverdict.engine.parallel import each
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.input_error import InputError

CLASS_TRUTH = "class_truth.csv"
PARTICLE_TRUTH = "particle_truth.csv"
NUMBERS = ("agreement", "likeness", "fine_likeness")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """One classification to make, and where."""

    seed: int
    folder: Path


def simulated_classifications(
    folder: Path, *, seeds: range, threads: int, tick: Callable[[object], None]
) -> tuple[Path, ...]:
    """Return one folder a seed with a classification's files and its truth; those there stay."""
    orders = [_Order(seed=seed, folder=classification_folder(folder, seed)) for seed in seeds]
    missing = [o for o in orders if not (o.folder / CLASS_TRUTH).exists()]
    for done in each(_make, missing, threads=threads):
        tick(done)
    return tuple(o.folder for o in orders)


def classification_folder(folder: Path, seed: int) -> Path:
    """Return where the classification of one seed is kept."""
    return folder / f"simulated_{seed:04d}"


def _make(order: _Order) -> Path:
    """Simulate, classify and write one data set; the truth comes last."""
    import torch

    from cryoverdict.engine.class_selection.class_truth import class_truths
    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters
    from cryoverdict.engine.classification.particle_stack import open_stack
    from cryoverdict.engine.classification.relion_output import write_relion_output

    torch.set_num_threads(1)
    session = random_session(order.seed)
    picks = simulated_picks(session)
    stack = open_stack(write_picks(picks, session, order.folder))
    parameters = ClassificationParameters(
        classes=session.classes,
        mask_diameter_a=session.mask_diameter_a,
        iterations=session.iterations,
        prior_strength=session.prior_strength,
        resolution_limit_a=session.resolution_limit_a,
        offset_range_px=5.0 * session.box / 64.0,
        starts=1,
    )
    # The CPU, so that the same seed gives the same classes on every machine.
    found = classify(stack, parameters, seed=order.seed, device="cpu")
    write_relion_output(found, stack, parameters, order.folder, seed=order.seed)
    truths, agreement = class_truths(picks, found, session.diameter_a)
    # Selection reads averages and tables only; the pictures can be made again from the seed.
    (order.folder / "particles.mrcs").unlink()
    particles = (
        {"kind": KINDS[k], "agreement": f"{a:.4f}"}
        for k, a in zip(picks.kind, agreement, strict=True)
    )
    _write_table(order.folder / PARTICLE_TRUTH, ("kind", "agreement"), particles)
    columns = ("number", "aligned", *NUMBERS, *KINDS)
    classes = (
        {
            "number": str(t.number),
            "aligned": str(t.aligned),
            **{name: f"{getattr(t, name):.4f}" for name in NUMBERS},
            **{kind: str(n) for kind, n in zip(KINDS, t.counts, strict=True)},
        }
        for t in truths
    )
    _write_table(order.folder / CLASS_TRUTH, columns, classes)
    return order.folder


def _write_table(path: Path, columns: tuple[str, ...], rows: object) -> None:
    """Write a CSV table, moved into place when it is whole."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, columns)
        writer.writeheader()
        writer.writerows(rows)  # type: ignore[arg-type]
    temporary.replace(path)


def read_class_truths(folder: Path) -> tuple[ClassTruth, ...]:
    """Return the truth that stands beside a simulated classification."""
    path = folder / CLASS_TRUTH
    accepted = "accepted is the truth that a simulated classification leaves"
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return tuple(
                ClassTruth(
                    number=int(row["number"]),
                    counts=tuple(int(row[kind]) for kind in KINDS),
                    aligned=int(row["aligned"]),
                    agreement=float(row["agreement"]),
                    likeness=float(row["likeness"]),
                    fine_likeness=float(row["fine_likeness"]),
                )
                for row in csv.DictReader(lines)
            )
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); {accepted}"
        raise InputError(msg) from error
    except (KeyError, ValueError, TypeError) as error:
        msg = f"{path}: {record_fault(error)}; {accepted}"
        raise InputError(msg) from error
