"""The folder of a picking step: what it writes, and how the next step reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.batches import AREA
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.box_file import write_boxes
from cryoverdict.engine.picking_files.coordinate_star import read_coordinates, write_coordinates
from cryoverdict.engine.picking_files.given_picks import COORDINATES, LIST_BLOCK
from cryoverdict.engine.picking_files.pick_names import (
    FOLDER,
    coordinate_name,
    pick_stems,
)
from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour
from cryoverdict.features.micrograph_list import MicrographList, read_micrograph_list
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_list import NAME
from cryoverdict.features.star import StarTable, read_star, write_star
from cryoverdict.features.write_micrographs import write_micrograph_star

AUTOPICK = "autopick.star"
MICROGRAPHS = "micrographs.star"


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedList:
    """The micrographs of picking folders, and the file of picks of each."""

    micrographs: MicrographList
    files: Mapping[str, Path]

    def picks(self, subject: str) -> Picks:
        """Return the picks of one micrograph, read from its file."""
        return read_coordinates(self.files[subject], subject)


def write_pick_folder(
    folder: Path,
    micrographs: MicrographList,
    subjects: Sequence[str],
    picks: Callable[[str], Picks],
    *,
    optics: Mapping[str, Optics],
    box_px: Callable[[str], int] | None = None,
) -> None:
    """Write ``coordinates/``, ``micrographs.star`` and ``autopick.star`` for some micrographs.

    ``picks`` is asked once a subject. ``autopick.star`` is written last and names only files that
    are there; coordinate files that it no longer names are removed. Names of coordinate files are
    made of the whole list, so that they do not depend on which of it is written. ``box_px`` gives
    the side of the ``.box`` files, which are written where it is given. A usable-area map that the
    input list named beside itself is named no more.
    """
    stems = pick_stems(micrographs.subjects)
    written = set()
    rows = []
    for subject in subjects:
        name = coordinate_name(stems[subject])
        found = picks(subject)
        write_coordinates(folder / name, found)
        written.add(folder / name)
        if box_px is not None:
            box = folder / FOLDER / f"{stems[subject]}.box"
            write_boxes(box, found, box_px(subject))
            written.add(box)
        rows.append((name_in_list(micrographs, subject), name))
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for old in sorted((folder / FOLDER).iterdir()):
        if old not in written and old.suffix in (".star", ".box"):
            old.unlink()
    named = any(s.table is not None and AREA in s.table.columns for s in micrographs.sources)
    columns = {s: ({AREA: None} if named else {}) for s in subjects}
    write_micrograph_star(folder / MICROGRAPHS, micrographs, subjects, columns, optics)
    table = StarTable(columns=(NAME, COORDINATES), rows=tuple(rows))
    write_star(folder / AUTOPICK, {LIST_BLOCK: table})


def read_pick_folders(inputs: Sequence[str | Path], optics: Optics) -> PickedList:
    """Return the micrographs and picks of picking folders or their ``autopick.star``, several too.

    Beside each ``autopick.star`` lies ``micrographs.star``, which brings optics and CTF. Raises
    `InputError` for a folder without them, for a file of picks that is named and not there, and
    where two folders hold picks of one micrograph.
    """
    lists = [_autopick(Path(one)) for one in inputs]
    missing = [path.parent / MICROGRAPHS for path in lists]
    for path in missing:
        if not path.is_file():
            msg = f"{path}: not there; accepted is a folder that `pick` wrote, with both lists"
            raise InputError(msg)
    micrographs = read_micrograph_list(missing, optics)
    files: dict[str, Path] = {}
    subjects = _subjects(micrographs)
    for number, path in enumerate(lists):
        for name, file in _rows(path):
            where = path.parent / file
            if not where.is_file():
                msg = f"{path}: {name}: its picks are not there: {where}"
                raise InputError(msg)
            for subject in subjects.get((number, name), ()):
                files[subject] = where
    return PickedList(micrographs=micrographs, files=files)


def _autopick(given: Path) -> Path:
    """Return the list that a folder holds, or the list itself."""
    return given / AUTOPICK if given.is_dir() else given


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    """Return micrograph and file of picks of each row of an ``autopick.star``."""
    table = read_star(path).get(LIST_BLOCK)
    names, files = (table.column(c) if table else None for c in (NAME, COORDINATES))
    if names is None or files is None:
        msg = (
            f"{path}: no data_{LIST_BLOCK} with _{NAME}, _{COORDINATES}; accepted is autopick.star"
        )
        raise InputError(msg)
    return zip(names, files, strict=True)


def name_in_list(micrographs: MicrographList, subject: str) -> str:
    """Return the name under which a STAR file written from a list speaks of a subject."""
    number, row = micrographs.origin[subject]
    source = micrographs.sources[number]
    return subject if source.flavour is Flavour.FILES else source.entries[row].name


def _subjects(micrographs: MicrographList) -> dict[tuple[int, str], list[str]]:
    """Return the subjects of each list by the name their entry has."""
    found: dict[tuple[int, str], list[str]] = {}
    for subject, (number, row) in micrographs.origin.items():
        name = micrographs.sources[number].entries[row].name
        found.setdefault((number, name), []).append(subject)
    return found
