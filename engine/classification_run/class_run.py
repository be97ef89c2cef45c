"""A finished 2D classification as its files say it: ours and RELION's alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.read_mrc import HEADER_BYTES
from cryoverdict.features.star import StarTable, parse_number, read_star

Floats = NDArray[np.float64]
CONVERGENCE = "convergence.json"
# RELION's way of saying that it knows no resolution or accuracy.
UNKNOWN = 999.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRun:
    """The classes and particles of one run.

    Per class ``(K,)``: ``count`` particles, ``share``, ``resolution_a``, ``rotation_accuracy_deg``
    and ``shift_accuracy_a`` (NaN where unknown); ``averages`` ``(K, box, box)`` float32. Per
    particle ``(n,)``: ``names``, ``number`` (class from 0), ``psi_deg`` and ``origin_a`` ``(n, 2)``
    as RELION means them, ``top`` probability. ``history``: one mapping an iteration, with what is
    known of ``number``, ``start``, ``alive``, ``compared_a``, ``resolution_a``, ``top``,
    ``log_evidence``, ``changed``, ``particles``. ``stem`` is the files' common beginning.
    """

    stem: str
    pixel_size_a: float
    averages: NDArray[np.float32]
    count: NDArray[np.int64]
    share: Floats
    resolution_a: Floats
    rotation_accuracy_deg: Floats
    shift_accuracy_a: Floats
    names: tuple[str, ...]
    number: NDArray[np.int64]
    psi_deg: Floats
    origin_a: Floats
    top: Floats
    history: tuple[Mapping[str, Any], ...]


def newest_stem(folder: Path) -> str | None:
    """Return ``run_itNNN`` of the last iteration whose four files lie in a folder."""
    found = []
    for data in folder.glob("run_it*_data.star"):
        stem = data.name.removesuffix("_data.star")
        parts = ("_model.star", "_optimiser.star", "_classes.mrcs")
        if re.fullmatch(r"run_it\d+", stem) and all((folder / (stem + p)).is_file() for p in parts):
            found.append(stem)
    return max(found, key=lambda stem: int(stem.removeprefix("run_it")), default=None)


def read_class_run(folder: Path, stem: str) -> ClassRun:
    """Return the run of the files ``folder/STEM_*``; raises `EngineError` where one is amiss."""
    model = read_star(folder / f"{stem}_model.star")
    particles = read_star(folder / f"{stem}_data.star")["particles"]
    classes = model["model_classes"]
    size = model["model_general"].column("rlnPixelSize")
    if size is None:
        msg = f"{folder / stem}_model.star: lacks _rlnPixelSize; accepted is RELION's model file"
        raise EngineError(msg)
    pixel_size_a = float(size[0])
    averages = read_averages(folder / f"{stem}_classes.mrcs")
    number = _numbers(particles, "rlnClassNumber", 1.0).astype(np.int64) - 1
    origin = [_numbers(particles, f"rlnOrigin{axis}Angst", 0.0) for axis in "XY"]
    return ClassRun(
        stem=stem,
        pixel_size_a=pixel_size_a,
        averages=averages,
        count=np.bincount(number, minlength=len(averages)),
        share=_numbers(classes, "rlnClassDistribution", 0.0),
        resolution_a=_known(_numbers(classes, "rlnEstimatedResolution", UNKNOWN)),
        rotation_accuracy_deg=_known(_numbers(classes, "rlnAccuracyRotations", UNKNOWN)),
        shift_accuracy_a=_known(_numbers(classes, "rlnAccuracyTranslationsAngst", UNKNOWN)),
        names=particles.column("rlnImageName") or (),
        number=number,
        psi_deg=_numbers(particles, "rlnAnglePsi", 0.0),
        origin_a=np.stack(origin, axis=1),
        top=_numbers(particles, "rlnMaxValueProbDistribution", np.nan),
        history=read_history(folder),
    )


def read_averages(path: Path) -> NDArray[np.float32]:
    """Return an MRC stack of float32 images as ``(K, box, box)``."""
    raw = path.read_bytes()
    columns, rows, count, mode = np.frombuffer(raw, "<i4", 4)
    extended = int(np.frombuffer(raw, "<i4", 1, 92)[0])
    if mode != 2 or len(raw) < HEADER_BYTES + extended + 4 * columns * rows * count:
        msg = f"{path}: not a stack of float32 images; accepted is what a classification wrote"
        raise EngineError(msg)
    size = int(columns) * int(rows) * int(count)
    values = np.frombuffer(raw, "<f4", size, HEADER_BYTES + extended)
    return values.reshape(int(count), int(rows), int(columns)).astype(np.float32)


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write what each iteration did, for the page."""
    path = folder / CONVERGENCE
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps({"iterations": list(history)}, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def read_history(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Return what `write_history` wrote, nothing where it is absent."""
    path = folder / CONVERGENCE
    if not path.is_file():
        return ()
    return tuple(json.loads(path.read_text())["iterations"])


def _numbers(table: StarTable, label: str, absent: float) -> Floats:
    """Return a column as numbers, ``absent`` where there is none."""
    column = table.column(label)
    if column is None:
        return np.full(len(table.rows), absent)
    found = [parse_number(text) for text in column]
    return np.array([absent if value is None else value for value in found])


def _known(values: Floats) -> Floats:
    """Return values with RELION's 999 as NaN."""
    return np.where(values >= 0.999 * UNKNOWN, np.nan, values)
