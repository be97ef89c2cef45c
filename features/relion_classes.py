"""Reading a 2D classification of RELION 3, 4 or 5, or of any program that writes its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import Assignments, ClassAverage, ClassSet, FloatArray
from cryoverdict.features.image_stack import read_stack
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, parse_number, read_star

REFERENCE = "rlnReferenceImage"
CLASS_NUMBER = "rlnClassNumber"
# RELION writes 999 where it knows no resolution, or no accuracy.
UNKNOWN_FROM = 900.0
PIXEL_SIZES = ("rlnImagePixelSize", "rlnPixelSize")


def read_relion_classes(
    model: Path, data: Path | None = None, classes: Path | None = None
) -> ClassSet:
    """Return the classes of ``run_itNNN_model.star`` with the particles of its ``_data.star``.

    The data and optimiser files are looked for beside the model where they are not given; the
    stack under the name in the model, beside it, and from each folder above it. ``classes`` names
    the stack where the model's own is gone. Raises `InputError` for what is missing or
    contradicts itself.
    """
    blocks = read_star(model)
    table = blocks.get("model_classes")
    names = table.column(REFERENCE) if table is not None else None
    if table is None or not names:
        msg = (
            f"{model}: lists no classes; accepted is a run_itNNN_model.star of a 2D classification"
        )
        raise InputError(msg)
    places = [_place(model, table, i, name) for i, name in enumerate(names)]
    stacks = {s: _find(model, s) if classes is None else classes for s in {s for _, s in places}}
    images, header = {}, None
    for stack, path in stacks.items():
        images[stack], header = read_stack(path)
    general = blocks.get("model_general")
    pixel = _first_number(general, "rlnPixelSize") or header
    # Other programs keep the particles under other names; a list beside the model is its own.
    beside = data or _beside(model, "_data.star")
    listed = read_star(beside) if beside is not None else {}
    assignments = _assignments(beside, listed) if beside is not None else None
    mask = _mask_diameter_a(model)
    averages = []
    for i, (section, stack) in enumerate(places):
        if section > len(images[stack]):
            held = len(images[stack])
            msg = f"{model}: {table.place(i)}: image {section} of {stack}; the file holds {held}"
            raise InputError(msg)
        averages.append(
            ClassAverage(
                subject=f"{section:06d}@{Path(stack).name}",
                number=i + 1,
                pixels=images[stack][section - 1],
                pixel_size_a=pixel,
                mask_diameter_a=mask,
                share=_number(model, table, i, "rlnClassDistribution"),
                resolution_a=_known(_number(model, table, i, "rlnEstimatedResolution")),
                rotation_accuracy_deg=_known(_number(model, table, i, "rlnAccuracyRotations")),
                shift_accuracy_a=_shift_accuracy_a(model, table, i, pixel),
                half_correlation=_half_correlation(blocks.get(f"model_class_{i + 1}")),
            )
        )
    return ClassSet(
        flavour="relion",
        averages=counted(averages, assignments),
        assignments=assignments,
        source=model,
        model=blocks,
        data=listed,
        notes=() if beside is not None else (f"{model.name}: no particle list beside it",),
    )


def counted(
    averages: list[ClassAverage], assignments: Assignments | None
) -> tuple[ClassAverage, ...]:
    """Return the averages with the number of particles that the list puts into each."""
    if assignments is None:
        return tuple(averages)
    members = np.bincount(np.maximum(assignments.number, 0), minlength=1)
    return tuple(
        replace(a, members=int(members[a.number]) if a.number < len(members) else 0)
        for a in averages
    )


def particle_table(path: Path, blocks: Mapping[str, StarTable]) -> tuple[str, StarTable]:
    """Return the block of particles with its name; raises `InputError` where there is none."""
    for name, table in blocks.items():
        if name != "optics" and CLASS_NUMBER in table.columns:
            return name, table
    msg = f"{path}: no column _{CLASS_NUMBER}; accepted is the run_itNNN_data.star of the run"
    raise InputError(msg)


def _assignments(path: Path, blocks: Mapping[str, StarTable]) -> Assignments:
    """Return which particle lies in which class."""
    _, table = particle_table(path, blocks)
    numbers = _numbers(path, table, CLASS_NUMBER)
    assert numbers is not None
    offsets = [_numbers(path, table, f"rlnOrigin{axis}Angst") for axis in "XY"]
    u, v = (_numbers(path, table, f"rlnDefocus{axis}") for axis in "UV")
    top = _numbers(path, table, "rlnMaxValueProbDistribution")
    names = table.column("rlnImageName") or tuple(str(i + 1) for i in range(len(table.rows)))
    return Assignments(
        names=names,
        number=numbers.astype(np.int64),
        top=None if top is None else top.astype(np.float32),
        log_likelihood=_numbers(path, table, "rlnLogLikeliContribution"),
        offset_a=None
        if offsets[0] is None or offsets[1] is None
        else np.stack([offsets[0], offsets[1]], axis=1).astype(np.float32),
        defocus_a=None if u is None else ((u + (u if v is None else v)) / 2).astype(np.float32),
        micrograph=table.column("rlnMicrographName"),
    )


def _place(model: Path, table: StarTable, row: int, name: str) -> tuple[int, str]:
    """Return section (from 1) and stack of a reference's name."""
    number, mark, stack = name.partition("@")
    if not mark or not number.isdecimal() or int(number) < 1:
        msg = (
            f"{model}: {table.place(row)}: _{REFERENCE} is {name[:40]!r}; accepted is NUMBER@STACK"
        )
        raise InputError(msg)
    return int(number), stack


def _find(model: Path, name: str) -> Path:
    """Return the stack of the classes."""
    folders = [Path(), *model.absolute().parents]
    places = [folder / name for folder in folders] + [model.parent / Path(name).name]
    # RELION's class-ranker archive names the stack run_classes.mrcs beside run_model.star.
    places.append(model.with_name(model.name.replace("_model.star", "_classes.mrcs")))
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        msg = f"{model}: the stack {name} is not there; looked for it beside the model and above"
        raise InputError(msg)
    return found


def _beside(model: Path, ending: str) -> Path | None:
    """Return a run's other file of the same iteration, if it is there."""
    if not model.name.endswith("_model.star"):
        return None
    path = model.with_name(model.name.removesuffix("_model.star") + ending)
    return path if path.is_file() else None


def _mask_diameter_a(model: Path) -> float | None:
    """Return the diameter of the mask that the run used."""
    optimiser = _beside(model, "_optimiser.star")
    if optimiser is None:
        return None
    return _first_number(read_star(optimiser).get("optimiser_general"), "rlnParticleDiameter")


def _first_number(table: StarTable | None, label: str) -> float | None:
    """Return a positive number of a table's first row."""
    column = None if table is None else table.column(label)
    try:
        value = parse_number(column[0]) if column else None
    except ValueError:
        return None
    return value if value is not None and value > 0 else None


def _number(path: Path, table: StarTable, row: int, label: str) -> float | None:
    """Return one cell as a number; raises `InputError` for a word."""
    column = table.column(label)
    if column is None:
        return None
    try:
        return parse_number(column[row])
    except ValueError as error:
        place = f"{path}: {table.place(row)}"
        msg = f"{place}: _{label} is {column[row][:20]!r}; accepted is a number"
        raise InputError(msg) from error


def _numbers(path: Path, table: StarTable, label: str) -> NDArray[np.float64] | None:
    """Return a column as numbers, NaN where a cell holds none; ``None`` without the column."""
    column = table.column(label)
    if column is None:
        return None
    try:
        return np.array([np.nan if (v := parse_number(t)) is None else v for t in column])
    except ValueError:
        row = next(i for i, text in enumerate(column) if not _is_number(text))
        msg = f"{path}: {table.place(row)}: _{label} is {column[row][:20]!r}; accepted is a number"
        raise InputError(msg) from None


def _is_number(text: str) -> bool:
    """Say whether a cell is a number or a word for none."""
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _known(value: float | None) -> float | None:
    """Return a value that is one."""
    return value if value is not None and 0.0 < value < UNKNOWN_FROM else None


def _shift_accuracy_a(model: Path, table: StarTable, row: int, pixel: float | None) -> float | None:
    """Return the accuracy of translations in Å; before RELION 3.1 it was in pixels."""
    value = _known(_number(model, table, row, "rlnAccuracyTranslationsAngst"))
    old = _known(_number(model, table, row, "rlnAccuracyTranslations"))
    return old * pixel if value is None and old is not None and pixel is not None else value


def _half_correlation(table: StarTable | None) -> FloatArray | None:
    """Return the ring correlation of halves; RELION's own 2D runs have none and write zeros."""
    column = None if table is None else table.column("rlnGoldStandardFsc")
    if not column:
        return None
    values = np.array([float(v) if _is_number(v) else 0.0 for v in column], dtype=np.float32)
    return values if np.abs(values[1:]).max(initial=0.0) > 0 else None
