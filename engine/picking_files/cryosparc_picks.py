"""Picks of cryoSPARC: the ``location/*`` fields of a particle ``.cs`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.coordinate_star import best_first
from cryoverdict.features.cryosparc import read_cs
from cryoverdict.features.input_error import InputError

MICROGRAPH = "location/micrograph_path"
SHAPE = "location/micrograph_shape"
X, Y = "location/center_x_frac", "location/center_y_frac"
SCORES = ("pick_stats/ncc_score", "pick_stats/power")


def read_cryosparc(path: Path, *, flipped_y: bool = False) -> dict[str, Picks]:
    """Return the picks of each micrograph path of a particle ``.cs`` file.

    cryoSPARC stores the centre as a fraction of the sides, x first, and the shape as rows and
    columns. Whether y counts the rows as they are stored, or with ``flipped_y`` from the last one,
    cannot be seen from the file, and those who convert it disagree: its origin is said to be the
    lower left (pyem, issues 81 and 101, turns y round where the micrographs stay the same, and
    does not where those of its Patch Motion are exchanged for RELION's or MotionCor's, which are
    stored the other way up). `picking_run.row_order` asks the micrographs. Raises `InputError` for
    a ``.cs`` file without
    locations; a job often keeps them in its passthrough file.
    """
    records = read_cs(path)
    names = records.dtype.names or ()
    missing = [name for name in (MICROGRAPH, SHAPE, X, Y) if name not in names]
    if missing:
        msg = (
            f"{path}: lacks the field {missing[0]}; accepted is a particle .cs with locations, "
            "often the passthrough file of the job"
        )
        raise InputError(msg)
    rows, columns = np.asarray(records[SHAPE], float).T
    x = np.asarray(records[X], float) * columns
    y = np.asarray(records[Y], float) * rows
    if flipped_y:
        y = rows - 1.0 - y
    scores = next((np.asarray(records[s], float) for s in SCORES if s in names), None)
    paths = np.array([_text(value) for value in records[MICROGRAPH]])
    found = {}
    for name in dict.fromkeys(paths.tolist()):
        mine = paths == name
        found[name] = best_first(
            Picks(
                subject=name,
                x_px=x[mine],
                y_px=y[mine],
                score=np.full(int(mine.sum()), np.nan) if scores is None else scores[mine],
                diameter_a=np.full(int(mine.sum()), np.nan),
            )
        )
    return found


def _text(value: object) -> str:
    """Return a path without the mark that says that it counts from the project folder."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return text.removeprefix(">")
