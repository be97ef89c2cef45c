"""The particles of some lists, side by side, with one set of optics groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.relion_list import GROUP
from cryoverdict.features.star import UNKNOWN, StarTable, parse_number, read_star, table_of

STAR = "particles_good.star"
IMAGE, MICROGRAPH = "rlnImageName", "rlnMicrographName"
GROUP_NAME = "rlnOpticsGroupName"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectedParticles:
    """Particles in the order of their lists, all columns as written.

    ``source`` ``(n,)`` is the number of each one's list in ``lists``. ``optics`` has one row a
    group, ``group_rows`` the values of each group by its number.
    """

    lists: tuple[Path, ...]
    source: NDArray[np.int32]
    table: StarTable
    optics: StarTable
    group_rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.table.rows)

    def words(self, label: str) -> tuple[str, ...]:
        """Return a column as written; empty words where the lists lack it."""
        return self.table.column(label) or ("",) * len(self)

    def numbers(self, label: str) -> Floats | None:
        """Return a column as numbers, NaN where one is none; ``None`` where the lists lack it."""
        column = self.table.column(label)
        if column is None:
            return None
        return np.array([number_or_nan(text) for text in column], dtype=np.float64)

    def has(self, *labels: str) -> bool:
        """Return whether all columns are there."""
        return all(label in self.table.columns for label in labels)


def read_selected(inputs: Sequence[str | Path]) -> SelectedParticles:
    """Return the particles of STAR files, or of folders that hold a ``particles_good.star``.

    Optics groups that say the same are one group. Raises `InputError` for what lists no particles
    with optics groups (RELION before 3.1).
    """
    paths = [Path(one) / STAR if Path(one).is_dir() else Path(one) for one in inputs]
    paths = list(dict.fromkeys(paths))
    tables: list[StarTable] = []
    groups: dict[tuple[tuple[str, str], ...], str] = {}
    named: dict[str, dict[str, str]] = {}
    for path in paths:
        table, optics = _blocks(path)
        new_number = {}
        for values in optics.rows:
            row = dict(zip(optics.columns, values, strict=True))
            old = row.pop(GROUP)
            key = tuple(sorted(row.items()))
            if key not in groups:
                number = old if len(paths) == 1 else str(len(groups) + 1)
                groups[key] = number
                named[number] = {GROUP: number, **row}
            new_number[old] = groups[key]
        tables.append(_renumbered(path, table, new_number))
    _tell_names_apart(named)
    labels = list(dict.fromkeys(label for t in tables for label in t.columns))
    return SelectedParticles(
        lists=tuple(paths),
        source=np.repeat(np.arange(len(tables), dtype=np.int32), [len(t.rows) for t in tables]),
        table=tables[0] if len(tables) == 1 else _joined(tables, labels),
        optics=table_of(list(named.values())),
        group_rows=named,
    )


def _blocks(path: Path) -> tuple[StarTable, StarTable]:
    """Return the particles and the optics of one file."""
    blocks = read_star(path)
    table = blocks.get("particles") or next(
        (b for b in blocks.values() if IMAGE in b.columns), None
    )
    optics = blocks.get("optics")
    if table is None or IMAGE not in table.columns:
        msg = f"{path}: lists no particles; accepted is a table with the column _{IMAGE}"
        raise InputError(msg)
    if optics is None or GROUP not in optics.columns or GROUP not in table.columns:
        msg = (
            f"{path}: has no optics groups; accepted are particles of RELION 3.1 or later "
            "(relion_convert_star turns older lists into such)"
        )
        raise InputError(msg)
    return table, optics


def _renumbered(path: Path, table: StarTable, number: Mapping[str, str]) -> StarTable:
    """Return a table with the new numbers of the optics groups."""
    place = table.columns.index(GROUP)
    strange = next((i for i, row in enumerate(table.rows) if row[place] not in number), None)
    if strange is not None:
        found = table.rows[strange][place]
        msg = f"{path}: {table.place(strange)}: optics group {found} is not described"
        raise InputError(msg)
    if all(old == new for old, new in number.items()):
        return table
    rows = tuple((*r[:place], number[r[place]], *r[place + 1 :]) for r in table.rows)
    return StarTable(columns=table.columns, rows=rows)


def _joined(tables: Sequence[StarTable], labels: Sequence[str]) -> StarTable:
    """Return the rows of several tables under all their labels."""
    rows: list[tuple[str, ...]] = []
    for table in tables:
        if tuple(table.columns) == tuple(labels):
            rows.extend(table.rows)
            continue
        place = {label: i for i, label in enumerate(table.columns)}
        rows.extend(
            tuple(row[place[c]] if c in place else UNKNOWN for c in labels) for row in table.rows
        )
    return StarTable(columns=tuple(labels), rows=tuple(rows))


def _tell_names_apart(groups: Mapping[str, dict[str, str]]) -> None:
    """Give groups of the same name their number behind it."""
    taken: set[str] = set()
    for number, row in groups.items():
        name = row.get(GROUP_NAME, f"opticsGroup{number}")
        row[GROUP_NAME] = name if name not in taken else f"{name}_{number}"
        taken.add(row[GROUP_NAME])


def number_or_nan(text: str) -> float:
    """Return a value as a number, NaN where it is none."""
    try:
        value = parse_number(text)
    except ValueError:
        return np.nan
    return np.nan if value is None else value
