"""The files of a picking decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import Entry, Ledger
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.parameter_record import write_records
from cryoverdict.engine.picking_files.coordinate_star import SCORE
from cryoverdict.engine.picking_files.picking_list import PickingList
from cryoverdict.engine.picking_files.template_file import ROUND_SHAPE, STACK, write_templates
from cryoverdict.engine.picking_run.deciding import PickingDecided
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import read_star

STEP = "decide-picking"
PARAMETERS = "picking.json"
# The curves of the survey, so that the page of the picking itself can show them too.
CURVES = "survey.json"
DIGITS = 6


def write_decided(decided: PickingDecided, listed: PickingList, output: Path) -> Ledger:
    """Write templates, decision and ledger, and ``picking.json`` last; return the ledger.

    The list is what the decision was asked about: all of it that can be found is kept.
    """
    templates = None
    for old in (STACK, ROUND_SHAPE):
        for path in (output / old, (output / old).with_suffix(".star")):
            path.unlink(missing_ok=True)
    if decided.survey.templates is not None:
        stack = ROUND_SHAPE if decided.class_averages is None else STACK
        templates = write_templates(output, decided.survey.templates, stack)
    write_records(output / "decisions.jsonl", [decided.decision])
    write_curves(output / CURVES, decided.survey.curves)
    unreadable = listed.micrographs.unreadable
    ledger = Ledger(
        step=STEP,
        entries=tuple(
            Entry(item=s, bin="error", reason=unreadable[s])
            if s in unreadable
            else Entry(item=s, bin="kept")
            for s in listed.micrographs.subjects
        ),
    )
    ledger.write(output / "ledger.json")
    ParameterFile.of(decided.decision, templates=templates).write(output / PARAMETERS)
    return ledger


def write_curves(path: Path, curves: Mapping[str, NDArray[np.float64]]) -> None:
    """Write the curves of a survey as JSON, six digits, what is not finite as null."""
    record = {
        name: {"shape": list(np.shape(values)), "values": _listed(values)}
        for name, values in curves.items()
    }
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(record, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_curves(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the curves that `write_curves` wrote, none where the file is not there."""
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: np.array([np.nan if v is None else v for v in one["values"]], float).reshape(
                one["shape"]
            )
            for name, one in record.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: not the curves of a survey: {record_fault(error)}; decide the picking anew"
        raise EngineError(msg) from error


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers with few digits, ``None`` where they are not finite."""
    flat = (float(v) for v in np.ravel(values))
    return [float(f"{v:.{DIGITS}g}") if isfinite(v) else None for v in flat]


def good_particle_finding(path: Path) -> str:
    """Return how many particles of round one were good, as a sentence for the report.

    Raises `InputError` for a file that lists no particles.
    """
    tables = [t for t in read_star(path).values() if t.column("rlnImageName") is not None]
    if not tables:
        msg = f"{path}: lists no particles; accepted is particles_good.star of decide-classes"
        raise InputError(msg)
    scored = "with" if tables[0].column(SCORE) is not None else "without"
    return f"{len(tables[0].rows)} particles of round one were good ({scored} picking scores)."
