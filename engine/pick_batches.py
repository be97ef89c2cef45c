"""Batches of picks: parts of one picking folder, each cut out by a job of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from cryoverdict.engine.batches import batches_of
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.output_folder import place_inside
from cryoverdict.features.relion_list import NAME
from cryoverdict.features.star import StarTable, read_star, write_star

AUTOPICK = "autopick.star"
MICROGRAPHS = "micrographs.star"
LIST_BLOCK = "coordinate_files"
COORDINATES = "rlnMicrographCoordinates"


def split_picked(picked: Path, folder: Path, *, size: int) -> tuple[Path, ...]:
    """Deal a folder of picks into ``folder/batch_0000/`` …, and return the batches.

    Each holds its part of ``autopick.star`` and ``micrographs.star`` and of the coordinates, so
    that a job that cuts out particles needs nothing else. Raises `EngineError` for a folder that is
    none of picks, and for coordinates that are named and not there.
    """
    lists = {name: picked / name for name in (AUTOPICK, MICROGRAPHS)}
    blocks = {}
    for name, path in lists.items():
        if not path.is_file():
            msg = f"{path}: not there; accepted is a folder that `pick` wrote"
            raise EngineError(msg)
        blocks[name] = read_star(path)
    rows = blocks[AUTOPICK][LIST_BLOCK]
    names = rows.column(NAME) or ()
    files = dict(zip(names, rows.column(COORDINATES) or (), strict=True))
    written = []
    # A set without any picks is still one batch: the next step then has an empty list to read.
    for number, part in enumerate(batches_of(names, size) or ((),)):
        chosen = set(part)
        inside = folder / f"batch_{number:04}"
        inside.mkdir(parents=True, exist_ok=True)
        for name, found in blocks.items():
            main = LIST_BLOCK if name == AUTOPICK else "micrographs"
            cut = {**found, main: _only(found[main], chosen.__contains__)}
            write_star(inside / name, cut)
        for micrograph in part:
            source, target = (
                place_inside(place, files[micrograph], named_by=lists[AUTOPICK])
                for place in (picked, inside)
            )
            if not source.is_file():
                msg = f"{source}: the coordinates are not there; pick again"
                raise EngineError(msg)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        written.append(inside)
    return tuple(written)


def _only(table: StarTable, wanted: Callable[[str], bool]) -> StarTable:
    """Return the rows of the micrographs that are wanted."""
    names = table.column(NAME) or ()
    rows = tuple(row for row, name in zip(table.rows, names, strict=True) if wanted(name))
    return StarTable(columns=table.columns, rows=rows)
