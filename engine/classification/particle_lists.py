"""Several lists of particles as one stack, and an account of every row in them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryoverdict.engine.classification.optics_merge import MergedOptics, merged_optics
from cryoverdict.engine.classification.particle_stack import (
    ParticleStack,
    StackFile,
    open_file,
    particle_tables,
    stack_of,
)
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, table_of

STANDARD_NAME = "particles.star"
GROUP = "rlnOpticsGroup"
IMAGE = "rlnImageName"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleLists:
    """The particles of all lists together.

    ``stack``: those that can be read, in the order of the lists. ``errors`` and ``duplicates``:
    what is wrong with the others, by a name that no other row has. ``notes``: sentences on what
    was done to bring the lists together.
    """

    stack: ParticleStack
    errors: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The image names of the particles in the stack."""
        return self.stack.particles.column(IMAGE) or ()


@dataclass(slots=True, kw_only=True)
class _Gathering:
    """Rows, stacks and faults while list after list is read."""

    rows: list[dict[str, str]] = field(default_factory=list)
    files: list[StackFile] = field(default_factory=list)
    number: dict[Path, int] = field(default_factory=dict)
    file: list[int] = field(default_factory=list)
    section: list[int] = field(default_factory=list)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: dict[str, str] = field(default_factory=dict)


def read_particle_lists(sources: Sequence[Path]) -> ParticleLists:
    """Return the particles of several STAR files, or folders that hold ``particles.star``.

    A particle whose stack is missing or too short is an error and the others go on; an image that
    stands twice is taken once. Optics groups of the same name and settings become one (two batches
    of a session), those of the same name and other settings are renamed. Image names stay as they
    are, except where lists in several folders mean different files by one name: then the list's
    folder, from the folder all lists share, comes before those beside it. Raises `InputError`
    where nothing can be read, or where boxes or pixel sizes differ.
    """
    lists = [_list_of(source) for source in sources]
    tables = [particle_tables(star) for star in lists]
    merged = merged_optics(
        [(star, table, optics) for star, (table, optics, _) in zip(lists, tables, strict=True)]
    )
    clash = _same_names({star: names for star, (_, _, names) in zip(lists, tables, strict=True)})
    shared = _shared_folder(lists) if clash else None
    found = _Gathering()
    for position, (star, (table, _, names)) in enumerate(zip(lists, tables, strict=True)):
        prefix = None if shared is None else Path(os.path.relpath(star.absolute().parent, shared))
        _gather(found, star, table, names, merged, position, prefix)
    if not found.rows:
        reason = next(iter(found.errors.values()), "no rows")
        msg = f"{lists[0]}: none of {len(found.errors)} particles can be read; the first: {reason}"
        raise InputError(msg)
    source = lists[0] if len(lists) == 1 else Path(f"{lists[0]} and {len(lists) - 1} more")
    plain = len(lists) == 1 and len(found.rows) == len(tables[0][0].rows)
    stack = stack_of(
        source,
        tables[0][0] if plain else table_of(found.rows),
        tables[0][1] if plain else merged.table,
        (
            tuple(found.files),
            np.array(found.file, dtype=np.int32),
            np.array(found.section, dtype=np.int32),
        ),
    )
    return ParticleLists(
        stack=stack, errors=found.errors, duplicates=found.duplicates, notes=merged.notes
    )


def _list_of(source: Path) -> Path:
    """Return the STAR file that a file or a folder stands for."""
    if not source.is_dir():
        return source
    star = source / STANDARD_NAME
    if not star.is_file():
        msg = f"{source}: holds no {STANDARD_NAME}; accepted is a STAR file or a folder with one"
        raise InputError(msg)
    return star


def _shared_folder(lists: Sequence[Path]) -> Path | None:
    """Return the folder above lists that lie in several folders; ``None`` if all lie in one."""
    folders = {str(star.absolute().parent) for star in lists}
    return None if len(folders) == 1 else Path(os.path.commonpath(sorted(folders)))


def _same_names(names: Mapping[Path, Sequence[str]]) -> bool:
    """Return whether two lists in different folders name a stack beside themselves alike.

    Batches of one session do not: each micrograph has its own stack, and is in one batch.
    """
    owner: dict[str, Path] = {}
    for star, images in names.items():
        folder = star.absolute().parent
        for stack in {name.rpartition("@")[2] for name in images}:
            if owner.setdefault(stack, folder) != folder and not Path(stack).is_absolute():
                return True
    return False


def _gather(
    found: _Gathering,
    star: Path,
    table: StarTable,
    names: Sequence[str],
    merged: MergedOptics,
    position: int,
    prefix: Path | None,
) -> None:
    """Add one list's rows."""
    opened: dict[str, StackFile | str] = {}
    reported: Counter[str] = Counter()
    for i, (name, row) in enumerate(zip(names, table.rows, strict=True)):
        number, mark, stack = name.partition("@")
        if not mark:
            number, stack = "1", name
        if stack not in opened:
            try:
                opened[stack] = open_file(star, stack)
            except InputError as error:
                opened[stack] = str(error)
        file = opened[stack]
        label = name if prefix is None else f"{star}: {name}"
        reported[label] += 1
        if reported[label] > 1:
            label = f"{label} ({table.place(i)})"
        if isinstance(file, str):
            found.errors[label] = file
            continue
        if not number.isdecimal() or not 1 <= int(number) <= file.count:
            found.errors[label] = (
                f"{star}: {table.place(i)}: image {number[:20]!r} of {stack};"
                f" it holds 1 to {file.count}"
            )
            continue
        key = file.path.resolve()
        if key not in found.number:
            found.number[key] = len(found.files)
            found.files.append(file)
        place = (found.number[key], int(number) - 1)
        if place in found.seen:
            found.duplicates[f"{star}: {table.place(i)}: {name}"] = (
                f"the same image as {found.seen[place]}"
            )
            continue
        cells = dict(zip(table.columns, row, strict=True))
        cells[IMAGE] = _renamed(name, number, mark, stack, star, prefix)
        cells[GROUP] = merged.group(position, cells.get(GROUP), f"{star}: {table.place(i)}")
        found.seen[place] = f"{star}: {table.place(i)}"
        found.rows.append(cells)
        found.file.append(place[0])
        found.section.append(place[1])


def _renamed(name: str, number: str, mark: str, stack: str, star: Path, prefix: Path | None) -> str:
    """Return an image's name, the list's folder before it where it was named beside the list."""
    beside = star.absolute().parent / stack
    if prefix is None or Path(stack).is_absolute() or not beside.is_file():
        return name
    return f"{number}{mark}{(prefix / stack).as_posix()}" if mark else (prefix / stack).as_posix()
