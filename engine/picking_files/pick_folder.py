"""The folder that a picking step writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryoverdict.engine.batches import AREA
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.box_file import write_boxes
from cryoverdict.engine.picking_files.coordinate_star import write_coordinates
from cryoverdict.engine.picking_files.given_picks import COORDINATES, LIST_BLOCK
from cryoverdict.engine.picking_files.pick_names import (
    FOLDER,
    coordinate_name,
    pick_stems,
)
from cryoverdict.features.list_source import Flavour
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_list import NAME
from cryoverdict.features.star import StarTable, write_star
from cryoverdict.features.write_micrographs import write_micrograph_star

AUTOPICK = "autopick.star"
MICROGRAPHS = "micrographs.star"


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


def name_in_list(micrographs: MicrographList, subject: str) -> str:
    """Return the name under which a STAR file written from a list speaks of a subject."""
    number, row = micrographs.origin[subject]
    source = micrographs.sources[number]
    return subject if source.flavour is Flavour.FILES else source.entries[row].name
