"""The page that says what a learnt model saved, and what was lost or gained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryoverdict.reports.table_page import TablePart, write_table_page

if TYPE_CHECKING:
    from cryoverdict.engine.learning.savings import Savings

FOLDER, REPORT = "saved", "report"


def report_savings(run: Path, model: Path) -> Path:
    """Write what a run saved against the runs that taught its model; return the page."""
    from cryoverdict.engine.learning.model_record import read_model_record
    from cryoverdict.engine.learning.savings import FILE, savings_against_teacher

    found = savings_against_teacher(run, read_model_record(model)["card"])
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    if found is None:
        part = TablePart(title="Saved", sentences=("The runs that taught left no record of time.",))
        return write_table_page(folder / REPORT, "What was saved", [part])
    found.write(folder / FILE)
    return write_savings(folder, found)


def write_savings(folder: Path, found: Savings) -> Path:
    """Write the page of two runs side by side; return its path."""
    runs = ((found.cost, found.particles), (found.other_cost, found.other_particles))
    rows = [
        ("micrographs", *(str(cost.micrographs) for cost, _ in runs)),
        ("particles in the stack", *(str(n) for _, n in runs)),
        ("seconds of all jobs", *(f"{cost.total_s:.0f}" for cost, _ in runs)),
        (
            "seconds a micrograph",
            *(f"{cost.total_s / max(1, cost.micrographs):.2f}" for cost, _ in runs),
        ),
        (
            "MB a micrograph",
            *(f"{cost.bytes / 1e6 / max(1, cost.micrographs):.1f}" for cost, _ in runs),
        ),
        (
            "particles a micrograph",
            *(f"{(n or 0) / max(1, cost.micrographs):.1f}" for cost, n in runs),
        ),
    ]
    sentences = [f"A micrograph took {found.time_share:.0%} of the time of the other run."]
    if not (found.cost.whole and found.other_cost.whole):
        sentences.append("Some jobs had been done by an earlier call and are not counted.")
    if found.shared is None:
        sentences.append("The two saw no micrograph in common; rates are compared.")
    else:
        sentences.append(
            f"In the micrographs that both saw {found.shared.both} particles are in both stacks, "
            f"{found.shared.mine} in this one alone, {found.shared.theirs} in the other alone."
        )
    steps = sorted({*found.cost.seconds, *found.other_cost.seconds})
    parts = [
        TablePart(
            title="Saved, lost and gained",
            sentences=tuple(sentences),
            head=("", found.name, found.other),
            rows=tuple(rows),
        ),
        TablePart(
            title="Seconds by step",
            head=("step", found.name, found.other),
            rows=tuple(
                (s, *(f"{cost.seconds.get(s, 0.0):.1f}" for cost, _ in runs)) for s in steps
            ),
        ),
    ]
    return write_table_page(folder / REPORT, "What was saved", parts)
