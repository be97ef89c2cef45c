"""The pages of finished steps, written anew from what the steps left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryoverdict.engine.class_selection.recalled import recalled_selection
from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.judging import recalled
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.parameter_record import read_records
from cryoverdict.engine.picking_run.decision_files import CURVES, read_curves
from cryoverdict.engine.seating import seat_judge
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.reports.class_report import report_classes
from cryoverdict.reports.micrograph_report import report_micrographs
from cryoverdict.reports.picking_report import report_decision
from cryoverdict.reports.report_error import ReportError

LEDGER = "ledger.json"
# Where the workflow puts the run that a selection is made from, beside the selection.
SELECTION, CLASSIFICATION = "classes", "classified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The pages written, and why those of other steps stay as they are."""

    pages: list[Path] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """With what pages are written: rules laid over the shipped ones, and the micrographs' model."""

    rule_layers: Sequence[Path]
    model_path: Path | None


def rewrite_pages(folder: Path, shown: Shown) -> Rewritten:
    """Write the pages of one step's folder, or of all steps in a run's folder, anew.

    Pages of steps whose decisions alone do not suffice (pictures of picks, curves of a
    classification) are left. Raises `ReportError` where a folder holds no finished step.
    """
    done = Rewritten()
    for step in _step_folders(folder):
        name = read_ledger(step / LEDGER).step
        write = WRITERS.get(name)
        if write is None:
            if (step / "report").is_dir():
                done.left.append(f"{step.name}: only `{name}` itself can write its page anew")
            continue
        page = write(step, shown)
        if isinstance(page, str):
            done.left.append(f"{step.name}: {page}")
        else:
            done.pages.append(page)
    if not done.pages and not done.left:
        msg = f"{folder}: holds no finished step; accepted is the folder of a step or of a run"
        raise ReportError(msg)
    return done


def _step_folders(folder: Path) -> Iterator[Path]:
    """Yield the folder of a step, or those below the folder of a run, in the order of names."""
    if (folder / "decisions.jsonl").is_file() and (folder / LEDGER).is_file():
        yield folder
    for below in sorted(p for p in folder.iterdir() if p.is_dir() and p.name != "workflow"):
        if (below / LEDGER).is_file() or below.name.startswith("round_"):
            yield from _step_folders(below)


def _micrographs(folder: Path, shown: Shown) -> Path:
    """Write the page of `decide-micrographs`."""
    judge = seat_judge(
        REJECT_MICROGRAPHS, rule_layers=shown.rule_layers, model_path=shown.model_path
    )
    decisions = read_decisions(folder / "decisions.jsonl")
    return report_micrographs(folder, measured=recalled(folder), decisions=decisions, judge=judge)


def _picking(folder: Path, _: Shown) -> Path:
    """Write the page of `decide-picking`."""
    (decision,) = read_records(folder / "decisions.jsonl")
    curves = read_curves(folder / CURVES)
    return report_decision(folder, decision=decision, curves=curves, notes=())


def _classes(folder: Path, shown: Shown) -> Path | str:
    """Write the page of `decide-classes`, if the run that it selected from lies beside it."""
    run = folder.with_name(folder.name.replace(SELECTION, CLASSIFICATION))
    if run == folder or not run.is_dir():
        return f"the run that it selected from is not beside it as {run.name}/"
    return report_classes(
        folder,
        selection=recalled_selection(folder, read_class_run(run)),
        judge=seat_judge(SELECT_CLASSES, rule_layers=shown.rule_layers),
        ledger=read_ledger(folder / LEDGER),
    )


WRITERS: Mapping[str, Callable[[Path, Shown], Path | str]] = {
    "decide-micrographs": _micrographs,
    "decide-picking": _picking,
    "decide-classes": _classes,
}
