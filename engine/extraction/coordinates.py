"""The coordinates that were picked in one micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking_files.coordinate_star import DIAMETER
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, parse_number, read_star, table_of

X, Y, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coordinates:
    """Picks in the order of their files, with all columns as written.

    ``x_px``, ``y_px`` (pixels of the full-size micrograph), ``score`` and ``diameter_a``, the
    picker's word on each particle's size, are ``(n,)``; NaN where the file says no number.
    """

    table: StarTable
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    diameter_a: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of picks."""
        return len(self.x_px)


def read_coordinates(paths: Sequence[Path]) -> Coordinates:
    """Return the picks of some STAR files of one micrograph, one file after the other.

    Raises `InputError` for a file without the columns of RELION's coordinates.
    """
    tables = [_coordinate_table(path) for path in paths]
    if len(tables) == 1:
        table = tables[0]
    else:
        rows = [dict(zip(t.columns, row, strict=True)) for t in tables for row in t.rows]
        table = table_of(rows, [label for t in tables for label in t.columns])
    return Coordinates(
        table=table,
        x_px=_numbers(table, X),
        y_px=_numbers(table, Y),
        score=_numbers(table, SCORE),
        diameter_a=_numbers(table, DIAMETER),
    )


def _coordinate_table(path: Path) -> StarTable:
    """Return the block of a file that lists coordinates."""
    blocks = read_star(path)
    for table in blocks.values():
        if X in table.columns and Y in table.columns:
            return table
        if not table.columns:  # RELION writes an empty block where it found nothing
            return StarTable(columns=(X, Y), rows=())
    found = ", ".join(label for t in blocks.values() for label in t.columns[:6]) or "nothing"
    msg = f"{path}: found {found}; accepted are coordinates with _{X} and _{Y}"
    raise InputError(msg)


def _numbers(table: StarTable, label: str) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where there is none."""
    column = table.column(label)
    out = np.full(len(table.rows), np.nan)
    for i, text in enumerate(column or ()):
        try:
            value = parse_number(text)
        except ValueError:
            continue
        if value is not None:
            out[i] = value
    return out
