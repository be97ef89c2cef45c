"""What a finished run says of its particles: which were good, which were junk, and of which class.

Good is what is in the run's final stack; junk is what its selection of classes rejected, and what
it never picked. Only files that every run leaves are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_file import ParameterFile, read_parameter_file
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.features.image_stack import read_stack
from cryoverdict.features.star import StarTable, parse_number, read_star

STACK = "good_particles.star"
JUDGED, CLASSIFIED = "judged", "classified"
# Folders that hold the final selection, that of the last round first.
SELECTIONS = ("classes_again", "classes")
GOOD_AVERAGES = "class_averages_good.star"
REJECTED = "particles_rejected.star"
CHOSEN = "backup_selection.star"
NEEDED = (
    STACK,
    "judged/micrographs_good.star",
    "judged/features.parquet",
    "picking/picking.json",
    "classification/classification.json",
)
MICROGRAPH, NUMBER = "rlnMicrographName", "rlnClassNumber"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedClasses:
    """Particles of some classes: where they are, and what the classes look like.

    ``micrograph`` names, ``xy_px`` ``(n, 2)`` centres in pixels of the micrographs, ``number``
    ``(n,)`` the class of each, counted from 0 in ``averages`` ``(K, box, box)``; −1 for none.
    """

    micrograph: tuple[str, ...]
    xy_px: NDArray[np.float64]
    number: NDArray[np.int64]
    averages: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedRun:
    """One finished run's folder, its settled parameters, its good particles and its junk.

    ``name`` tells it from the runs read with it; ``pixel_size_a`` is that of the class averages.
    """

    folder: Path
    name: str
    picking: ParameterFile
    classification: ParameterFile
    good: PlacedClasses
    junk: PlacedClasses
    pixel_size_a: float

    @property
    def selection(self) -> Path:
        """The folder of the final selection of classes."""
        return selection_folder(self.folder)


def read_finished_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read folders that `cryoverdict run` left, each once.

    They are called by their folders, with as many of those above as tell them apart. Raises
    `EngineError` where one is not finished.
    """
    places = list(dict.fromkeys(folder.resolve() for folder in folders))
    depth = 1
    while len({place.parts[-depth:] for place in places}) < len(places):
        depth += 1
    names = ["/".join(place.parts[-depth:]) for place in places]
    return [read_finished_run(p, n) for p, n in zip(places, names, strict=True)]


def read_finished_run(folder: Path, name: str) -> FinishedRun:
    """Read a folder that `cryoverdict run` left, to be called ``name``; raises as above."""
    lacking = [name for name in NEEDED if not (folder / name).is_file()]
    if lacking:
        msg = (
            f"{folder}: {lacking[0]} is not there; accepted is the folder of a finished "
            "`cryoverdict run`, with all that it wrote"
        )
        raise EngineError(msg)
    selection = selection_folder(folder)
    averages, size = read_stack(selection / "selected_classes.mrcs")
    listed = _table(selection / GOOD_AVERAGES)
    place = {int(n): i for i, n in enumerate(listed.column(NUMBER) or ())}
    return FinishedRun(
        folder=folder,
        name=name,
        picking=read_parameter_file(folder / "picking" / "picking.json", "picking"),
        classification=read_parameter_file(
            folder / "classification" / "classification.json", "classification"
        ),
        good=_placed(read_star(folder / STACK), place, averages),
        junk=_junk(folder),
        pixel_size_a=size or 1.0,
    )


def selection_folder(folder: Path) -> Path:
    """Return the folder of a run's last selection of classes."""
    for name in SELECTIONS:
        if (folder / name / GOOD_AVERAGES).is_file():
            return folder / name
    msg = f"{folder}: no {GOOD_AVERAGES} in {' or '.join(SELECTIONS)}; the run is not finished"
    raise EngineError(msg)


def _junk(folder: Path) -> PlacedClasses:
    """Return the particles that the first selection rejected, with the averages of its classes."""
    run = read_class_run(folder / CLASSIFIED)
    chosen = _table(folder / "classes" / CHOSEN).column("rlnSelected") or ()
    junk = [i for i, one in enumerate(chosen) if one == "0"]
    place = {run.averages[i].number: k for k, i in enumerate(junk)}
    box = run.averages[0].pixels.shape[-1] if run.averages else 0
    averages = np.array([run.averages[i].pixels for i in junk], np.float32)
    blocks = read_star(folder / "classes" / REJECTED)
    return _placed(blocks, place, averages.reshape(-1, box, box))


def _placed(
    blocks: Mapping[str, StarTable], place: Mapping[int, int], averages: NDArray[np.float32]
) -> PlacedClasses:
    """Return the particles of a list at their centres, which the shifts of their alignment give."""
    table = blocks.get("particles") or StarTable(columns=(), rows=())
    optics = blocks["optics"]
    group = dict(
        zip(
            optics.column("rlnOpticsGroup") or (),
            _numbers(optics, "rlnMicrographPixelSize", 1.0),
            strict=False,
        )
    )
    size = np.array([group.get(g, 1.0) for g in table.column("rlnOpticsGroup") or ()])
    x, y = (_numbers(table, f"rlnCoordinate{axis}", 0.0) for axis in "XY")
    shift_x, shift_y = (_numbers(table, f"rlnOrigin{axis}Angst", 0.0) for axis in "XY")
    number = [place.get(int(n), -1) for n in table.column(NUMBER) or ()]
    xy = (
        np.stack([x - shift_x / size, y - shift_y / size], axis=1)
        if len(size)
        else np.empty((0, 2))
    )
    return PlacedClasses(
        micrograph=table.column(MICROGRAPH) or (),
        xy_px=xy,
        number=np.array(number or [-1] * len(xy), np.int64),
        averages=averages,
    )


def _numbers(table: StarTable, label: str, lacking: float) -> NDArray[np.float64]:
    """Return a column as numbers, ``lacking`` where there is none."""
    column: Sequence[str] = table.column(label) or ("none",) * len(table.rows)
    values = []
    for text in column:
        try:
            value = parse_number(text)
        except ValueError:
            value = None
        values.append(lacking if value is None else value)
    return np.array(values, np.float64)


def _table(path: Path) -> StarTable:
    """Return the one table of a list of classes."""
    blocks = read_star(path)
    return next(iter(blocks.values()))
