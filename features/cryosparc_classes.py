"""Reading cryoSPARC's class averages and the particles assigned to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import Assignments, ClassAverage, ClassSet, FloatArray
from cryoverdict.features.cryosparc import read_cs, with_fields_of
from cryoverdict.features.image_stack import read_stack
from cryoverdict.features.input_error import InputError
from cryoverdict.features.relion_classes import counted

PATH, INDEX, CLASS = "blob/path", "blob/idx", "alignments2D/class"


def read_cryosparc_classes(paths: Sequence[Path]) -> ClassSet:
    """Return the classes of a 2D job from its ``.cs`` files: averages, particles, passthrough.

    The list of averages is the one whose images lie in a single stack of one row a class and that
    has no ``alignments2D/class``; a file without ``blob/path`` is the other half of the
    particles', joined by uid. Raises `InputError` where no list of averages is among them.
    """
    arrays = {path: read_cs(path) for path in paths}
    lists = {p: a for p, a in arrays.items() if PATH in _fields(a) and CLASS not in _fields(a)}
    assigned = {p: a for p, a in arrays.items() if CLASS in _fields(a)}
    if len(lists) == 2 and not assigned:
        msg = f"{paths[0]}: none of the files has {CLASS}; give the job's passthrough file too"
        raise InputError(msg)
    # Without the alignments the particles' file looks like a list of images: it is the longer one.
    ordered = sorted(lists.items(), key=lambda item: len(item[1]))
    if not ordered or len(ordered[0][1]) > 5000:
        msg = f"{paths[0]}: no list of class averages; accepted is a job's *_class_averages.cs"
        raise InputError(msg)
    source, records = ordered[0]
    particles = None
    for array in assigned.values():
        particles = array if particles is None else with_fields_of(particles, array)
    for _, array in ordered[1:]:
        particles = array if particles is None else with_fields_of(particles, array)
    for path, array in arrays.items():
        if particles is not None and path not in lists and path not in assigned:
            particles = with_fields_of(particles, array)
    assignments = None if particles is None else _assignments(particles)
    return ClassSet(
        flavour="cryosparc",
        averages=counted(_averages(source, records, assignments), assignments),
        assignments=assignments,
        source=source,
        records=records,
        particles=particles,
        notes=() if assignments is not None else (f"{source.name}: no particles were given",),
    )


def _averages(
    source: Path, records: NDArray[Any], assignments: Assignments | None
) -> list[ClassAverage]:
    """Return the averages; a class's number is its image's number in the stack, from 0."""
    stacks: dict[str, tuple[FloatArray, float | None]] = {}
    total = 0 if assignments is None else len(assignments)
    averages = []
    for record in records:
        name = _text(record[PATH]).removeprefix(">")
        if name not in stacks:
            stacks[name] = read_stack(_find(source, name))
        images, header = stacks[name]
        index = int(record[INDEX])
        if not 0 <= index < len(images):
            msg = f"{source}: image {index} of {name}; the file holds {len(images)}"
            raise InputError(msg)
        share = None
        if assignments is not None and total:
            share = float((assignments.number == index).sum() / total)
        averages.append(
            ClassAverage(
                subject=f"{index + 1:06d}@{Path(name).name}",
                number=index,
                pixels=images[index],
                pixel_size_a=_positive(record, "blob/psize_A") or header,
                share=share,
                resolution_a=_positive(record, "blob/res_A"),
            )
        )
    return averages


def _assignments(particles: NDArray[Any]) -> Assignments:
    """Return which particle lies in which class."""
    fields = _fields(particles)

    def column(name: str) -> NDArray[Any] | None:
        return np.asarray(particles[name]) if name in fields else None

    shift, size = column("alignments2D/shift"), column("alignments2D/psize_A")
    error, top = column("alignments2D/error"), column("alignments2D/class_posterior")
    u, v = column("ctf/df1_A"), column("ctf/df2_A")
    micrographs = column("location/micrograph_path")
    uids = column("uid")
    return Assignments(
        names=tuple(str(int(u)) for u in uids)
        if uids is not None
        else tuple(str(i + 1) for i in range(len(particles))),
        number=np.asarray(particles[CLASS], dtype=np.int64),
        top=None if top is None else top.astype(np.float32),
        # The residual's size is minus the log-likelihood, up to a constant.
        log_likelihood=None if error is None else -error.astype(np.float64),
        offset_a=None
        if shift is None or size is None
        else (shift * size[:, None]).astype(np.float32),
        defocus_a=None if u is None or v is None else ((u + v) / 2).astype(np.float32),
        micrograph=None if micrographs is None else tuple(_text(m) for m in micrographs),
    )


def _find(source: Path, name: str) -> Path:
    """Return the stack; cryoSPARC's paths count from the project's folder."""
    folders = [Path(), *source.absolute().parents]
    places = [*(f / name for f in folders), source.parent / Path(name).name]
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        msg = f"{source}: the stack {name} is not there; looked for it beside the list and above"
        raise InputError(msg)
    return found


def _fields(array: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the fields."""
    return array.dtype.names or ()


def _positive(record: np.void, name: str) -> float | None:
    """Return a field as a positive number, ``None`` where it is absent or says nothing."""
    if name not in (record.dtype.names or ()):
        return None
    value = float(record[name])
    return float(f"{value:.7g}") if np.isfinite(value) and value > 0 else None


def _text(value: Any) -> str:
    """Return a field as text."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
