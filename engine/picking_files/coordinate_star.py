"""The coordinates of one micrograph as RELION 3.1 writes and reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, format_star, parse_number, read_star

X, Y, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
DIAMETER = "cryoverdictDiameter"
LABELS = (X, Y, SCORE, "rlnClassNumber", "rlnAnglePsi", DIAMETER)
# A hundredth of a pixel is finer than any picker is.
PLACES = 2


def write_coordinates(path: Path, picks: Picks) -> None:
    """Write the picks of one micrograph; RELION passes over the last column."""
    lines = [
        f"{x:.{PLACES}f} {y:.{PLACES}f} {score:.5f} 0 0.000000 {_text(diameter)}"
        for x, y, score, diameter in zip(
            picks.x_px.tolist(),
            picks.y_px.tolist(),
            picks.score.tolist(),
            picks.diameter_a.tolist(),
            strict=True,
        )
    ]
    # Plain numbers need no quotes, and there are many: they are joined here, not cell by cell.
    head = format_star({"": StarTable(columns=LABELS, rows=())}).rstrip("\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("\n".join([head, *lines, "", ""]), encoding="ascii")
    temporary.replace(path)


def read_coordinates(path: Path, subject: str) -> Picks:
    """Return the picks of a coordinate STAR file of RELION, crYOLO or this package.

    Scores and diameters that the file lacks are NaN. Raises `InputError` for a file without
    coordinates, or with words where a number must be.
    """
    for table in read_star(path).values():
        if table.column(X) is not None and table.column(Y) is not None:
            return picks_of_table(path, table, subject)
        if not table.columns:  # RELION writes an empty block where it found nothing
            return picks_of_table(path, StarTable(columns=(X, Y), rows=()), subject)
    msg = f"{path}: holds no coordinates; accepted is a STAR file with _{X} and _{Y}"
    raise InputError(msg)


def picks_of_table(path: Path, table: StarTable, subject: str) -> Picks:
    """Return the picks of a table with coordinates, best score first where scores are known."""
    x, y = numbers(path, table, X), numbers(path, table, Y)
    picks = Picks(
        subject=subject,
        x_px=x,
        y_px=y,
        score=numbers(path, table, SCORE),
        diameter_a=numbers(path, table, DIAMETER),
    )
    unknown = np.flatnonzero(~np.isfinite(x) | ~np.isfinite(y))
    if unknown.size:
        msg = f"{path}: {table.place(int(unknown[0]))}: a coordinate is no finite number"
        raise InputError(msg)
    return best_first(picks)


def best_first(picks: Picks) -> Picks:
    """Return picks in the order of their scores, those without one last and as they came."""
    order = np.argsort(-np.nan_to_num(picks.score, nan=-np.inf), kind="stable")
    return Picks(
        subject=picks.subject,
        x_px=picks.x_px[order],
        y_px=picks.y_px[order],
        score=picks.score[order],
        diameter_a=picks.diameter_a[order],
        dropped=picks.dropped,
        usable_fraction=picks.usable_fraction,
        notes=picks.notes,
    )


def numbers(path: Path, table: StarTable, label: str) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it is absent or says nothing."""
    cells = table.column(label)
    if cells is None:
        return np.full(len(table.rows), np.nan)
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            value = parse_number(cell)
        except ValueError as error:
            msg = f"{path}: {table.place(i)}: {label} is {cell[:40]!r}; accepted is a number"
            raise InputError(msg) from error
        values[i] = np.nan if value is None else value
    return values


def _text(diameter: float) -> str:
    """Return a diameter in Å, nan where it is not known."""
    return f"{diameter:.2f}" if np.isfinite(diameter) else "nan"
