"""Micrographs laid out in a folder so that an outside program can read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import check_pixel_size
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import read_image

FOLDER = "mics"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedMicrograph:
    """A micrograph under a plain name: ``mics/000001.mrc`` in the program's folder."""

    subject: PickingMicrograph
    name: str
    optics: Optics


def link_micrographs(
    subjects: Sequence[PickingMicrograph], folder: Path, *, copied: bool = False
) -> tuple[LinkedMicrograph, ...]:
    """Lay out micrographs in ``folder/mics``; what cannot be read is left out.

    MRC files are linked under plain names, which no program can misread; other formats, and half
    precision, are written as float32, rows in the order they are stored. With ``copied`` every
    file is written anew.
    """
    inside = folder / FOLDER
    inside.mkdir(parents=True, exist_ok=True)
    linked = []
    for number, subject in enumerate(subjects, start=1):
        path = subject.micrograph.path
        try:
            image = read_image(path)
            optics = check_pixel_size(subject.micrograph, image)
        except InputError:
            continue
        if subject.optics is not None:
            optics = subject.optics.completed(optics)
        target = inside / f"{number:06d}.mrc"
        target.unlink(missing_ok=True)
        if path.suffix.lower() == ".mrc" and not copied and _mode(path) != 12:
            target.symlink_to(path.absolute())
        else:
            _write(target, image.pixels, optics.pixel_size_a)
        linked.append(
            LinkedMicrograph(subject=subject, name=f"{FOLDER}/{target.name}", optics=optics)
        )
    return tuple(linked)


def _mode(path: Path) -> int:
    """Return the mode of an MRC file, the fourth number of its header in either byte order."""
    with path.open("rb") as file:
        field = file.read(16)[12:16]
    return min(int.from_bytes(field, "little"), int.from_bytes(field, "big"))


def _write(
    path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]], size: float | None
) -> None:
    """Write an image as MRC of mode 2."""
    import mrcfile

    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.ascontiguousarray(pixels, np.float32))
        if size is not None:
            file.voxel_size = size
