"""The micrographs that picking is asked about, with their optics, CTF and usable area."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.batches import AREA
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import (
    MicrographList,
    find_file,
    printable,
    read_micrograph_list,
)
from cryoverdict.features.optics import Optics

NAMES_SHOWN = 3
# The list that a folder of an earlier step is known by, the first that is there.
STANDARD_LISTS = ("micrographs_good.star", "micrographs_ctf.star", "micrographs.star")


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingList:
    """A list of micrographs and, for each that can be read, what picking needs of it."""

    micrographs: MicrographList
    subjects: tuple[PickingMicrograph, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the list for the reader of the output."""
        return self.micrographs.notes

    def check_any(self) -> None:
        """Raise `InputError` where none of the micrographs is there, with the first one's fault."""
        lost = self.micrographs.unreadable
        if not self.subjects and lost:
            first = next(iter(lost))
            msg = f"none of the {len(lost)} micrographs is there; {first}: {lost[first]}"
            raise InputError(msg)


def read_picking_list(inputs: Sequence[str | Path], optics: Optics) -> PickingList:
    """Return the micrographs of lists, folders of earlier steps, image files and patterns, mixed.

    A folder stands for the first of `STANDARD_LISTS` that it holds, else for the images in it. The
    column ``cryoverdictUsableArea`` names the map of the usable area, looked for from the folder
    of its list. Raises `InputError` as `read_micrograph_list` does, and for a map that is named
    and not there.
    """
    micrographs = read_micrograph_list([standard_list(one) for one in inputs], optics)
    return PickingList(
        micrographs=micrographs,
        subjects=tuple(
            PickingMicrograph(micrograph=m, usable_area=usable_area_of(micrographs, m.subject))
            for m in micrographs.micrographs
        ),
    )


def data_set_name(inputs: Sequence[str | Path]) -> str:
    """Return how a decision calls the data set: the names of what was given, without folders.

    A job may find its inputs in another place each time; the decision shall be the same. Names
    that are no text are written with escapes, as subjects are.

    >>> data_set_name(["run/judged", "b.star", "c.star", "d.star"])
    'judged, b.star, c.star and 1 more'
    """
    names = [printable(Path(one).name or str(one)) for one in inputs]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def standard_list(given: str | Path, names: Iterable[str] = STANDARD_LISTS) -> str:
    """Return the standard list inside a folder, or what was given where there is none."""
    folder = Path(given)
    if folder.is_dir():
        for name in names:
            if (folder / name).is_file():
                return str(folder / name)
    return str(given)


def usable_area_of(micrographs: MicrographList, subject: str) -> Path | None:
    """Return the map that a subject's list names, ``None`` where it names none."""
    number, row = micrographs.origin[subject]
    source = micrographs.sources[number]
    column = source.table.column(AREA) if source.table is not None else None
    name = column[row] if column else ""
    if name.lower() in ("", "none", "nan"):
        return None
    assert source.path is not None
    beside = source.path.parent / name
    if beside.is_file():
        return beside
    found = find_file(name, source.path)
    if isinstance(found, str):
        msg = (
            f"{source.path}: {subject}: the map of its usable area, {name}, is not there; copy it "
            f"beside the list, or write none in the column _{AREA}"
        )
        raise InputError(msg)
    return found[0]
