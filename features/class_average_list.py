"""From what a user gives to the class averages of one run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryoverdict.features.class_average import ClassAverage, ClassSet, FloatArray
from cryoverdict.features.cryosparc_classes import read_cryosparc_classes
from cryoverdict.features.image_stack import read_stack
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_classes import read_relion_classes

STACKS = (".mrc", ".mrcs")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
FEWEST_PIXELS = 16
ITERATION = re.compile(r"_it(\d+)_model\.star$")


def read_class_run(folder: Path) -> ClassSet:
    """Return the newest iteration of a run's folder: RELION's files, or cryoSPARC's."""
    models = [p for p in folder.glob("*_model.star") if p.is_file()]
    if models:

        def iteration(path: Path) -> tuple[int, str]:
            """Return what a run's files are ordered by."""
            found = ITERATION.search(path.name)
            # A file without an iteration, run_model.star, is the finished one.
            return (int(found[1]) if found else 10**9, path.name)

        return read_relion_classes(max(models, key=iteration))
    records = sorted(folder.glob("*.cs"))
    averages = [p for p in records if "class_averages" in p.name or "templates" in p.name]
    particles = [p for p in records if "particles" in p.name]
    if averages:
        newest = max(averages, key=lambda p: ("passthrough" not in p.name, p.name))
        plain = [p for p in particles if "passthrough" not in p.name]
        chosen = [*sorted(plain)[-1:], *(p for p in particles if "passthrough" in p.name)]
        return read_cryosparc_classes([newest, *chosen])
    msg = f"{folder}: holds neither run_itNNN_model.star nor *_class_averages.cs; give --model"
    raise InputError(msg)


def read_classes(paths: Sequence[Path], pixel_size_a: float | None = None) -> ClassSet:
    """Return class averages from files: cryoSPARC's ``.cs``, MRC stacks, or pictures.

    A folder stands for the images in it, in the order of the numbers in their names. Images know
    no metadata; a stack's header may give a pixel size. What cannot be read is listed in
    ``unreadable``; raises `InputError` where nothing can, and for a pixel size
    that no microscope has.
    """
    Optics(pixel_size_a=pixel_size_a)  # it refuses absurd numbers
    files = [p for path in paths for p in (_images_in(path) if path.is_dir() else [path])]
    if any(p.suffix == ".cs" for p in files):
        return read_cryosparc_classes([p for p in files if p.suffix == ".cs"])
    averages: list[ClassAverage] = []
    unreadable: dict[str, str] = {}
    for path in files:
        try:
            averages += _of_file(path, len(averages), pixel_size_a)
        except InputError as error:
            unreadable[str(path)] = str(error)
    if not averages:
        reason = next(iter(unreadable.values()), "no images were given")
        msg = f"{reason} (accepted are {', '.join((*STACKS, *PICTURES))}, or .cs files)"
        raise InputError(msg)
    twice = len({a.subject for a in averages}) < len(averages)
    if twice:
        msg = f"{averages[0].subject}: an image is given twice; give each one once"
        raise InputError(msg)
    return ClassSet(flavour="images", averages=tuple(averages), unreadable=unreadable)


def _images_in(folder: Path) -> list[Path]:
    """Return the images of a folder, 2.png before 10.png."""

    def order(path: Path) -> list[tuple[int, str]]:
        """Return the parts of a name, numbers as numbers."""
        return [(int(t), "") if t.isdecimal() else (-1, t) for t in re.split(r"(\d+)", path.name)]

    wanted = (*STACKS, *PICTURES)
    return sorted((p for p in folder.iterdir() if p.suffix.lower() in wanted), key=order)


def _of_file(path: Path, before: int, pixel_size_a: float | None) -> list[ClassAverage]:
    """Return the averages of one file."""
    if path.suffix.lower() in STACKS:
        images, header = read_stack(path)
        if min(images.shape[1:]) < FEWEST_PIXELS:
            msg = f"{path}: {images.shape[2]} x {images.shape[1]} px; accepted are 16 a side"
            raise InputError(msg)
        size = pixel_size_a or header
        single = len(images) == 1
        return [
            ClassAverage(
                subject=str(path) if single else f"{i + 1:06d}@{path.name}",
                number=before + i + 1,
                pixels=image,
                pixel_size_a=size,
            )
            for i, image in enumerate(images)
        ]
    pixels = _picture(path)
    return [
        ClassAverage(
            subject=str(path),
            number=before + 1,
            pixels=pixels,
            pixel_size_a=pixel_size_a,
            has_counts=False,
        )
    ]


def _picture(path: Path) -> FloatArray:
    """Return the grey values of a picture; `InputError` where it is none, or too small."""
    from PIL import Image, UnidentifiedImageError

    if path.suffix.lower() not in PICTURES:
        msg = f"{path}: not an accepted image"
        raise InputError(msg)
    try:
        with Image.open(path) as picture:
            if max(picture.size) > 4096:
                msg = f"{path}: {picture.size[0]} x {picture.size[1]} px is no class average"
                raise InputError(msg)
            pixels = np.asarray(picture.convert("F"), dtype=np.float32)
    except (OSError, ValueError, UnidentifiedImageError, SyntaxError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise InputError(msg) from error
    if min(pixels.shape) < FEWEST_PIXELS:
        msg = f"{path}: {pixels.shape[1]} x {pixels.shape[0]} px; accepted are at least 16 a side"
        raise InputError(msg)
    return pixels
