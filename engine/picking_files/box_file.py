"""EMAN's .box files: the lower left corner and the sides of each box, in pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.features.input_error import InputError


def write_boxes(path: Path, picks: Picks, side_px: int) -> None:
    """Write one line a pick: ``x y width height``, the corner at the first row and column.

    EMAN draws the first row at the bottom, so that its lower left corner is the one of the
    smallest coordinates.
    """
    lines = [
        f"{round(x - side_px / 2)}\t{round(y - side_px / 2)}\t{side_px}\t{side_px}\n"
        for x, y in zip(picks.x_px.tolist(), picks.y_px.tolist(), strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("".join(lines), encoding="ascii")
    temporary.replace(path)


def read_boxes(path: Path, subject: str) -> Picks:
    """Return the centres of the boxes that EMAN, crYOLO or this package wrote.

    A fifth column, where there is one that is no EMAN flag (below 0), is the score. Raises
    `InputError` for a line that is no box.
    """
    x, y, score = [], [], []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a .box file"
        raise InputError(msg) from error
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells or cells[0].startswith("#"):
            continue
        try:
            left, low, width, height = (float(cell) for cell in cells[:4])
            said = float(cells[4]) if len(cells) > 4 else float("nan")
        except ValueError as error:
            msg = f"{path}: line {number}: {line[:40]!r}; accepted is x y width height"
            raise InputError(msg) from error
        x.append(left + width / 2)
        y.append(low + height / 2)
        score.append(said if said >= 0 else float("nan"))
    return Picks(
        subject=subject,
        x_px=np.array(x, float),
        y_px=np.array(y, float),
        score=np.array(score, float),
        diameter_a=np.full(len(x), np.nan),
    )
