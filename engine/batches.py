"""Batches: parts of one list of micrographs, each worked on by a job of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.output_folder import place_inside
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.relion_list import NAME, PATH
from cryoverdict.features.star import UNKNOWN, StarTable, read_star, write_star
from cryoverdict.features.write_micrographs import write_micrograph_star

GOOD = "micrographs_good.star"
AREA = "cryoverdictUsableArea"
# The first line of a batch: it changes when one of its files does, and so does every result that a
# workflow runner has kept of it.
STAMP = "# files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One part of a list: its number, its file, and the subjects in it."""

    number: int
    path: Path
    subjects: tuple[str, ...]


def batches_of(subjects: Sequence[str], size: int) -> tuple[tuple[str, ...], ...]:
    """Deal subjects into parts of ``size``, the last one smaller.

    >>> batches_of(["a", "b", "c"], 2)
    (('a', 'b'), ('c',))
    """
    return tuple(tuple(subjects[i : i + size]) for i in range(0, len(subjects), size))


def write_batches(micrographs: MicrographList, folder: Path, *, size: int) -> tuple[Batch, ...]:
    """Write ``folder/batch_0000.star`` … and return the batches.

    The rows are those of the list with all their columns, and the absolute path of each file, so
    that a batch may be read from anywhere. A batch that did not change is not written again, and
    batches of an earlier, longer list go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    where = _paths(micrographs)
    for number, subjects in enumerate(batches_of(micrographs.subjects, size)):
        path = folder / f"batch_{number:04}.star"
        _write_batch(path, micrographs, {s: where[s] for s in subjects})
        written.append(Batch(number=number, path=path, subjects=subjects))
    for old in set(folder.glob("batch_*.star")) - {batch.path for batch in written}:
        old.unlink()
    return tuple(written)


def split_judged(
    judged: Path, micrographs: MicrographList, folder: Path, *, size: int
) -> tuple[Batch, ...]:
    """Deal a folder of judged micrographs into ``folder/batch_0000/`` …, and return the batches.

    ``micrographs`` is the list read from ``judged/micrographs_good.star``. Each batch folder holds
    its part of that list and the maps of the usable areas that it names, so that a picking job
    needs nothing else. Raises `EngineError` for a map that is named and not there.
    """
    written = []
    where = _paths(micrographs)
    for number, subjects in enumerate(batches_of(micrographs.subjects, size)):
        inside = folder / f"batch_{number:04}"
        inside.mkdir(parents=True, exist_ok=True)
        path = inside / GOOD
        _write_batch(path, micrographs, {s: where[s] for s in subjects})
        for name in _areas(path):
            source, target = (
                place_inside(at, name, named_by=judged / GOOD) for at in (judged, inside)
            )
            if not source.is_file():
                msg = f"{source}: the map of a usable area is not there; judge again"
                raise EngineError(msg)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        written.append(Batch(number=number, path=inside, subjects=subjects))
    return tuple(written)


def _write_batch(path: Path, micrographs: MicrographList, where: Mapping[str, str]) -> None:
    """Write the subjects that lie ``where``, the stamp of their files in the first line."""
    columns = {subject: {NAME: subject, PATH: place} for subject, place in where.items()}
    temporary = path.with_name(path.name + ".new")
    write_micrograph_star(temporary, micrographs, where, columns)
    blocks = read_star(temporary)
    write_star(temporary, {**blocks, "optics": _known(blocks["optics"])})
    stamp = hashlib.sha256(json.dumps([_state(p) for p in where.values()]).encode()).hexdigest()
    content = f"{STAMP} {stamp}\n".encode() + temporary.read_bytes()
    if path.is_file() and path.read_bytes() == content:
        temporary.unlink()
        return
    temporary.write_bytes(content)
    temporary.replace(path)


def _known(optics: StarTable) -> StarTable:
    """Return optics groups without the columns of which nothing is known.

    RELION asks for them, but does not read batches; and a step that does would remark on them.
    """
    kept = [i for i, _ in enumerate(optics.columns) if any(r[i] != UNKNOWN for r in optics.rows)]
    return StarTable(
        columns=tuple(optics.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in optics.rows),
    )


def _paths(micrographs: MicrographList) -> Mapping[str, str]:
    """Return the absolute path of each subject; of one that is not there, where it should be."""
    found = {m.subject: str(m.path) for m in micrographs.micrographs}
    return {
        subject: os.path.abspath(found.get(subject, micrographs.entry(subject).name))  # noqa: PTH100
        for subject in micrographs.subjects
    }


def _state(path: str) -> list[object]:
    """Return what tells a file from its earlier and later states: size and time of change."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return [path]
    return [path, status.st_size, status.st_mtime_ns]


def _areas(path: Path) -> tuple[str, ...]:
    """Return the usable-area maps that a list names; none where it names none."""
    column = read_star(path)["micrographs"].column(AREA) or ()
    return tuple(name for name in column if name.lower() not in ("none", "nan"))
