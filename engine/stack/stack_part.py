"""The good particles of one micrograph, cut anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.coordinates import Coordinates
from cryoverdict.engine.extraction.extract_micrograph import (
    judge_picks,
    micrograph_pixel_size,
    write_particles,
)
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.particle_fate import FATES, Fate
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.star import StarTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StackTask:
    """The recentred coordinates ``(n,)`` of one micrograph's particles, and where images go."""

    micrograph: Micrograph | None
    name: str
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    diameter_a: NDArray[np.float64]
    settings: ExtractionSettings
    part: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StackPart:
    """What became of them: ``fate`` ``(n,)`` as indices into `FATES`, and the images' file.

    ``shape`` is the micrograph's (rows, columns).
    """

    name: str
    fate: NDArray[np.uint8]
    images: Path
    pixel_size_a: float | None = None
    shape: tuple[int, int] | None = None
    error: str = ""


def cut_part(task: StackTask) -> StackPart:
    """Cut the particles of one micrograph; a fault of the file becomes an answer."""
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.read_image import read_image

    if task.micrograph is None:
        return _lost(task, "unreadable", f"{task.name}: the micrograph is not there")
    try:
        image = read_image(task.micrograph.path)
        optics = check_pixel_size(task.micrograph, image)
    except (InputError, OSError) as error:
        return _lost(task, "unreadable", str(error))
    size, fault = micrograph_pixel_size(optics, task.settings)
    if fault:
        return _lost(task, "other_scale", f"{task.micrograph.path}: {fault}")
    rows, columns = image.pixels.shape
    coordinates = Coordinates(
        table=StarTable(columns=(), rows=()),
        x_px=task.x_px,
        y_px=task.y_px,
        score=task.score,
        diameter_a=task.diameter_a,
    )
    fate = judge_picks(coordinates, (rows, columns), task.settings, size)
    blank = write_particles(
        task.part,
        image.pixels,
        coordinates,
        np.flatnonzero(fate == FATES.index("kept")),
        task.settings,
        pixel_size_a=size,
        subject=task.name,
    )
    fate[blank] = FATES.index("blank")
    return StackPart(
        name=task.name, fate=fate, images=task.part, pixel_size_a=size, shape=(rows, columns)
    )


def _lost(task: StackTask, fate: Fate, error: str) -> StackPart:
    """Return the part of a micrograph that gives no images."""
    codes = np.full(len(task.x_px), FATES.index(fate), dtype=np.uint8)
    return StackPart(name=task.name, fate=codes, images=task.part, error=error)
