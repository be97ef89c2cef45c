"""What was decided beside what is true, for a simulated session."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.decision import Decision
from cryoverdict.engine.simulation.data_set_files import MICROGRAPHS_CSV


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One micrograph: its true verdict and defects, and those that were decided."""

    name: str
    good: bool
    kept: bool
    true_defects: tuple[str, ...]
    named_defects: tuple[str, ...]


def compare_with_truth(folder: Path, decisions: Sequence[Decision]) -> tuple[Compared, ...]:
    """Join the truth table of a simulated ``folder`` with decisions, by file name."""
    decided = {Path(d.subject).name: d for d in decisions}
    with (folder / MICROGRAPHS_CSV).open(newline="", encoding="utf-8") as lines:
        truths = [row for row in csv.DictReader(lines) if row["name"] in decided]
    return tuple(
        Compared(
            name=row["name"],
            good=row["verdict"] == "good",
            kept=decided[row["name"]].explanation.favourable,
            true_defects=tuple(x for x in row["defects"].split(";") if x),
            named_defects=tuple(d.name for d in decided[row["name"]].defects),
        )
        for row in truths
    )
