"""Templates as an MRC stack, and class averages read as templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.coordinate_star import numbers
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import find_file
from cryoverdict.features.optics import ACCEPTED
from cryoverdict.features.star import StarTable, read_star, write_star

IMAGE_LABELS = ("rlnReferenceImage", "rlnImageName")
WEIGHT = "rlnClassDistribution"
SIZE_LABELS = ("rlnImagePixelSize", "rlnPixelSize")
STACK = "templates.mrcs"
# The round shape that a first round learned: of use to the built-in picker, to no other.
ROUND_SHAPE = "round_shape.mrcs"


def write_templates(folder: Path, templates: Templates, stack: str = STACK) -> str:
    """Write ``templates.mrcs`` with its list ``templates.star``; return the stack's name."""
    import mrcfile

    temporary = folder / f"{stack}.part"
    with mrcfile.new(temporary, overwrite=True) as file:
        file.set_data(np.ascontiguousarray(templates.images, np.float32))
        file.set_image_stack()
        file.voxel_size = templates.pixel_size_a
        # The library writes when; the same templates shall be the same bytes.
        file.header.nlabl = 0
        file.header.label = b""
    temporary.replace(folder / stack)
    rows = tuple(
        (f"{i:06d}@{stack}", f"{weight:.8f}", f"{templates.pixel_size_a:.8g}")
        for i, weight in enumerate(templates.weights.tolist(), start=1)
    )
    columns = (IMAGE_LABELS[0], WEIGHT, SIZE_LABELS[0])
    table = StarTable(columns=columns, rows=rows)
    write_star((folder / stack).with_suffix(".star"), {"": table})
    return stack


def read_templates(path: Path, pixel_size_a: float | None = None) -> Templates:
    """Return templates of an MRC stack, or of a STAR file that lists class averages.

    A stack with a STAR file of its name beside it takes its weights from there. The pixel size is
    that of the list, else of the stack's header, else as given. Weights are made to add up to 1.
    Raises `InputError` for anything else, and for an unknown pixel size.
    """
    if path.suffix.lower() == ".star":
        return _listed(path, pixel_size_a)
    beside = path.with_suffix(".star")
    if beside.is_file():
        return _listed(beside, pixel_size_a)
    images, size = _stack(path)
    return _templates(path, images, size or pixel_size_a, np.ones(len(images)))


def lists_none(path: Path) -> bool:
    """Say whether a file is a list of class averages, with none in it: no class was good."""
    if path.suffix.lower() != ".star":
        return False
    tables = [t for t in read_star(path).values() if any(c in t.columns for c in IMAGE_LABELS)]
    return bool(tables) and not any(t.rows for t in tables)


def _listed(path: Path, pixel_size_a: float | None) -> Templates:
    """Return the images that a STAR file names, in its order."""
    tables = [t for t in read_star(path).values() if any(c in t.columns for c in IMAGE_LABELS)]
    label = next((c for c in IMAGE_LABELS if tables and c in tables[0].columns), None)
    if label is None or not tables[0].rows:
        msg = f"{path}: lists no images; accepted is a STAR file with _{IMAGE_LABELS[0]}"
        raise InputError(msg)
    table = tables[0]
    stacks: dict[str, tuple[NDArray[np.float32], float | None]] = {}
    images, sizes = [], []
    for i, name in enumerate(table.column(label) or ()):
        number, _, file = name.rpartition("@")
        if file not in stacks:
            where = find_file(file, path)
            if isinstance(where, str):
                msg = f"{path}: {table.place(i)}: {where}"
                raise InputError(msg)
            stacks[file] = _stack(where[0])
        stack, size = stacks[file]
        section = int(number) if number.isdigit() else 1
        if not 1 <= section <= len(stack):
            msg = f"{path}: {table.place(i)}: {name} is beyond the {len(stack)} images of its stack"
            raise InputError(msg)
        images.append(stack[section - 1])
        sizes.append(size)
    if len({image.shape for image in images}) > 1:
        msg = f"{path}: images of different sizes; accepted is one size"
        raise InputError(msg)
    said = [numbers(path, table, c) for c in SIZE_LABELS if c in table.columns]
    size = next((float(s[0]) for s in said if np.isfinite(s).all()), sizes[0] or pixel_size_a)
    weights = numbers(path, table, WEIGHT)
    if not np.isfinite(weights).all() or weights.sum() <= 0:
        weights = np.ones(len(images))
    return _templates(path, np.stack(images), size, weights)


def _templates(
    path: Path, images: NDArray[np.float32], size: float | None, weights: NDArray[np.float64]
) -> Templates:
    """Return templates of a known pixel size, images of one grey value left out."""
    if size is None:
        msg = f"{path}: the pixel size is unknown; write it into the header or _{SIZE_LABELS[0]}"
        raise InputError(msg)
    low, high = ACCEPTED["pixel_size_a"]
    if not low <= size <= high:
        msg = f"{path}: the pixel size is {size:g} Å; accepted is {low:g} to {high:g}"
        raise InputError(msg)
    # RELION writes an empty class as one grey value.
    shown = np.ptp(images, axis=(1, 2)) > 0
    if not shown.any():
        msg = f"{path}: every image is of one grey value; accepted are averages of particles"
        raise InputError(msg)
    weights = weights[shown] if weights[shown].sum() > 0 else np.ones(int(shown.sum()))
    return Templates(
        images=np.ascontiguousarray(images[shown], np.float32),
        pixel_size_a=size,
        weights=np.asarray(weights / weights.sum(), np.float64),
    )


def _stack(path: Path) -> tuple[NDArray[np.float32], float | None]:
    """Return the images of a stack and the pixel size of its header, ``None`` where it has none."""
    import mrcfile

    try:
        with mrcfile.open(path, mode="r", permissive=False) as file:
            data: Any = np.asarray(file.data, np.float32)
            size = float(file.voxel_size.x)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); accepted is an MRC stack"
        raise InputError(msg) from error
    if data.ndim == 2:
        data = data[np.newaxis]
    if data.ndim != 3 or data.shape[1] != data.shape[2] or not np.isfinite(data).all():
        msg = f"{path}: {data.shape}; accepted is a stack of square, finite images"
        raise InputError(msg)
    return data, size if size > 0 else None
