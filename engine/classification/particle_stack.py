"""Particle images listed in a RELION STAR file, read from their stacks a few at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_mrc import HEADER_BYTES, parse_header
from cryoverdict.features.star import StarTable, parse_number, read_star

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFile:
    """One MRC stack: ``count`` square images of ``box`` px, from byte ``offset`` on."""

    path: Path
    count: int
    box: int
    dtype: np.dtype[Any]
    offset: int

    def read(self, sections: IntArray) -> FloatArray:
        """Return the images of the given sections (counted from 0), ``(n, box, box)`` float32.

        Neighbouring sections are read at once; nothing is mapped into memory, so that a large
        stack leaves no trace in the process's size.
        """
        out = np.empty((len(sections), self.box, self.box), dtype=np.float32)
        pixels = self.box * self.box
        breaks = np.flatnonzero(np.diff(sections) != 1) + 1
        with self.path.open("rb") as stream:
            for run in np.split(np.arange(len(sections)), breaks):
                if not len(run):
                    continue
                stream.seek(self.offset + int(sections[run[0]]) * pixels * self.dtype.itemsize)
                stored = np.fromfile(stream, dtype=self.dtype, count=len(run) * pixels)
                if stored.size < len(run) * pixels:
                    msg = f"{self.path}: truncated while it was read"
                    raise InputError(msg)
                out[run] = stored.reshape(len(run), self.box, self.box)
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleStack:
    """The particles of one STAR file, in its order; the images stay on disk.

    ``particles`` and ``optics_table`` are the tables as written. ``optics`` holds one entry per
    optics group, ``group`` ``(n,)`` each particle's index into it. ``defocus_a`` ``(n, 2)`` is
    U and V in Å, ``defocus_angle_deg`` and ``phase_shift_deg`` ``(n,)``; ``None`` where the file
    gives no CTF. All images have ``box`` px of ``pixel_size_a`` Å.
    """

    source: Path
    particles: StarTable
    optics_table: StarTable | None
    optics: tuple[Optics, ...]
    group: IntArray
    files: tuple[StackFile, ...]
    file: IntArray
    section: IntArray
    defocus_a: FloatArray | None
    defocus_angle_deg: FloatArray
    phase_shift_deg: FloatArray
    box: int
    pixel_size_a: float

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.section)

    def read(self, indices: NDArray[np.int64]) -> FloatArray:
        """Return the images of the particles ``indices`` as ``(n, box, box)`` float32."""
        out = np.empty((len(indices), self.box, self.box), dtype=np.float32)
        which = self.file[indices]
        for number in np.unique(which):
            here = np.flatnonzero(which == number)
            out[here] = self.files[number].read(self.section[indices[here]])
        return out


def open_stack(star: Path) -> ParticleStack:
    """Return the particles of a RELION STAR file (3.1 with optics groups, or older).

    Image names are looked for as given, then beside the STAR file, then from each folder above it
    (RELION's names start at its project). Raises `InputError` for what is missing or contradicts
    itself; the message names the file and row.
    """
    table, optics_table, names = particle_tables(star)
    files, file, section = _locate(star, table, names)
    return stack_of(star, table, optics_table, (files, file, section))


def part_of(stack: ParticleStack, indices: NDArray[np.int64]) -> ParticleStack:
    """Return a stack of the particles ``indices`` of another, in that order."""
    table = stack.particles
    return replace(
        stack,
        particles=StarTable(columns=table.columns, rows=tuple(table.rows[i] for i in indices)),
        group=stack.group[indices],
        file=stack.file[indices],
        section=stack.section[indices],
        defocus_a=None if stack.defocus_a is None else stack.defocus_a[indices],
        defocus_angle_deg=stack.defocus_angle_deg[indices],
        phase_shift_deg=stack.phase_shift_deg[indices],
    )


def particle_tables(star: Path) -> tuple[StarTable, StarTable | None, tuple[str, ...]]:
    """Return the particle table, the optics table if any, and the image names of a STAR file."""
    blocks = read_star(star)
    table = blocks.get("particles") or next(
        (b for b in blocks.values() if b.column("rlnImageName") is not None), None
    )
    names = table.column("rlnImageName") if table is not None else None
    if table is None or not names:
        msg = f"{star}: lists no particles; accepted is a table with the column _rlnImageName"
        raise InputError(msg)
    return table, blocks.get("optics"), names


def stack_of(
    source: Path,
    table: StarTable,
    optics_table: StarTable | None,
    located: tuple[tuple[StackFile, ...], IntArray, IntArray],
) -> ParticleStack:
    """Return the particles of a table whose images have been located.

    ``located``: the stacks, and for each row its stack and section (from 0). ``source`` is named
    in errors. Raises `InputError` for boxes or pixel sizes that differ or are unknown.
    """
    files, file, section = located
    optics, group = _optics(source, table, optics_table)
    boxes = sorted({f.box for f in files})
    sizes = sorted({o.pixel_size_a for o in optics if o.pixel_size_a is not None})
    if len(boxes) != 1 or len(sizes) > 1:
        found = f"boxes of {boxes} px and pixels of {sizes} Å"
        msg = f"{source}: {found}; accepted is one size: extract the particles anew at one scale"
        raise InputError(msg)
    if not sizes:
        msg = f"{source}: the pixel size is unknown; accepted is a column _rlnImagePixelSize"
        raise InputError(msg)
    u = _numbers(source, table, "rlnDefocusU")
    v = _numbers(source, table, "rlnDefocusV")
    zeros = np.zeros(len(table.rows), dtype=np.float32)
    angle = _numbers(source, table, "rlnDefocusAngle")
    shift = _numbers(source, table, "rlnPhaseShift")
    return ParticleStack(
        source=source,
        particles=table,
        optics_table=optics_table,
        optics=optics,
        group=group,
        files=files,
        file=file,
        section=section,
        defocus_a=None if u is None else np.stack([u, u if v is None else v], axis=1),
        defocus_angle_deg=zeros if angle is None else angle,
        phase_shift_deg=zeros if shift is None else shift,
        box=boxes[0],
        pixel_size_a=sizes[0],
    )


def _locate(
    star: Path, table: StarTable, names: Sequence[str]
) -> tuple[tuple[StackFile, ...], IntArray, IntArray]:
    """Return the stacks, and for each particle its stack and section (from 0)."""
    known: dict[str, int] = {}
    files: list[StackFile] = []
    file = np.empty(len(names), dtype=np.int32)
    section = np.empty(len(names), dtype=np.int32)
    for i, name in enumerate(names):
        number, mark, stack = name.partition("@")
        if not mark:
            number, stack = "1", name
        if stack not in known:
            known[stack] = len(files)
            files.append(open_file(star, stack))
        file[i] = known[stack]
        count = files[file[i]].count
        if not number.isdecimal() or not 1 <= int(number) <= count:
            msg = (
                f"{star}: {table.place(i)}: image {number[:20]!r} of {stack}; it holds 1 to {count}"
            )
            raise InputError(msg)
        section[i] = int(number) - 1
    return tuple(files), file, section


def open_file(star: Path, name: str) -> StackFile:
    """Return the stack ``name``, its header read and its length compared with it."""
    places = [Path(name), *(folder / name for folder in star.absolute().parents)]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        msg = f"{star}: the stack {name} is not there; looked for it beside the list and above"
        raise InputError(msg)
    with path.open("rb") as stream:
        head = bytearray(stream.read(HEADER_BYTES))
        size = os.fstat(stream.fileno()).st_size
    if len(head) < HEADER_BYTES:
        msg = f"{path}: truncated, no MRC header"
        raise InputError(msg)
    sections = bytes(head[8:12])
    head[8:12] = bytes(4)  # the parser is for single images; the count is looked at below
    layout = parse_header(head, path)
    order = (
        "big" if layout.dtype.newbyteorder("S").isnative and layout.dtype.itemsize > 1 else "little"
    )
    count = int.from_bytes(sections, order, signed=True)  # type: ignore[arg-type]
    rows, columns = layout.shape[1:]
    have = (size - layout.offset) // layout.data_bytes
    if rows != columns or count < 1 or have < count:
        found = f"{count} images of {columns} x {rows} px in the header, {have} in the file"
        msg = f"{path}: {found}; accepted is a whole stack of square images"
        raise InputError(msg)
    return StackFile(path=path, count=count, box=rows, dtype=layout.dtype, offset=layout.offset)


def _optics(
    star: Path, table: StarTable, optics_table: StarTable | None
) -> tuple[tuple[Optics, ...], IntArray]:
    """Return the optics groups and each particle's index into them."""
    if optics_table is None:  # before RELION 3.1 every row carried its own settings
        return (_old_optics(star, table),), np.zeros(len(table.rows), dtype=np.int32)
    names = optics_table.column("rlnOpticsGroup")
    mine = table.column("rlnOpticsGroup")
    if names is None or mine is None:
        msg = f"{star}: _rlnOpticsGroup is missing; accepted is an optics block that names groups"
        raise InputError(msg)
    settings = {
        key: _numbers(star, optics_table, label)
        for key, label in (
            ("pixel_size_a", "rlnImagePixelSize"),
            ("voltage_kv", "rlnVoltage"),
            ("cs_mm", "rlnSphericalAberration"),
            ("amplitude_contrast", "rlnAmplitudeContrast"),
        )
    }
    groups = tuple(
        Optics(**{key: float(column[i]) for key, column in settings.items() if column is not None})
        for i in range(len(names))
    )
    index = {name: i for i, name in enumerate(names)}
    strange = next((i for i, name in enumerate(mine) if name not in index), None)
    if strange is not None:
        msg = f"{star}: {table.place(strange)}: optics group {mine[strange]} is not described"
        raise InputError(msg)
    return groups, np.array([index[name] for name in mine], dtype=np.int32)


def _old_optics(star: Path, table: StarTable) -> Optics:
    """Return the settings that the first row of an older file carries."""

    def first(label: str) -> float | None:
        column = _numbers(star, table, label)
        return None if column is None else float(column[0])

    detector, magnification = first("rlnDetectorPixelSize"), first("rlnMagnification")
    size = first("rlnPixelSize") or first("rlnImagePixelSize")
    if size is None and detector is not None and magnification:
        size = detector * 1e4 / magnification
    return Optics(
        pixel_size_a=size,
        voltage_kv=first("rlnVoltage"),
        cs_mm=first("rlnSphericalAberration"),
        amplitude_contrast=first("rlnAmplitudeContrast"),
    )


def _numbers(star: Path, table: StarTable, label: str) -> FloatArray | None:
    """Return a column as float32, or ``None`` where the table lacks it."""
    column = table.column(label)
    if column is None:
        return None
    out = np.empty(len(column), dtype=np.float32)
    for i, text in enumerate(column):
        try:
            value = parse_number(text)
        except ValueError:
            value = None
        if value is None:
            msg = f"{star}: {table.place(i)}: _{label} is {text[:20]!r}; accepted is a number"
            raise InputError(msg)
        out[i] = value
    return out
