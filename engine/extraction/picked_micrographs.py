"""The micrographs of some pick lists, each with its optics, its CTF and its coordinate files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import (
    MicrographList,
    find_file,
    printable,
    read_micrograph_list,
)
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable, read_star

AUTOPICK = "autopick.star"
MICROGRAPHS = "micrographs.star"
NAME, COORDINATES = "rlnMicrographName", "rlnMicrographCoordinates"


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedMicrograph:
    """A micrograph, its coordinate files, and the name its particle stack gets (no suffix)."""

    micrograph: Micrograph
    coordinates: tuple[Path, ...]
    stem: str

    @property
    def subject(self) -> str:
        """The name under which decisions speak of the micrograph."""
        return self.micrograph.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedSet:
    """All picked micrographs of a call, in the order of the lists.

    ``errors`` says of the others why nothing can be cut from them, and ``lost`` where their
    coordinates are, if these are there; ``listed`` is the list that optics and CTF came from.
    """

    picked: tuple[PickedMicrograph, ...]
    listed: MicrographList
    errors: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_picked(
    inputs: Sequence[str | Path], optics: Optics, *, lists: Sequence[str | Path] = ()
) -> PickedSet:
    """Return the micrographs that pick lists name; an input is an ``autopick.star`` or its folder.

    Optics and CTF come from ``lists`` where given, else from the ``micrographs.star`` beside each
    pick list, else there are only the options. A micrograph that stands in several pick lists
    keeps all its coordinate files. Raises `InputError` for an input that is no pick list.
    """
    stars = [_pick_list(Path(one)) for one in inputs]
    tables = {star: _pick_table(star) for star in dict.fromkeys(stars)}
    beside = [star.with_name(MICROGRAPHS) for star in tables]
    own = [mics if mics.is_file() else star for mics, star in zip(beside, tables, strict=True)]
    listed = read_micrograph_list(lists or own, optics)
    known = _Known(listed=listed, own=not lists)
    files: dict[str, list[Path]] = {}
    errors: dict[str, str] = {}
    for (star, table), source in zip(tables.items(), own, strict=True):
        names, coordinates = table.column(NAME) or (), table.column(COORDINATES) or ()
        for name, other in zip(names, coordinates, strict=True):
            subject, fault = known.subject(name, star, source)
            if fault:
                errors[subject] = fault
            place = find_file(other, star)
            if isinstance(place, str):
                errors[subject] = f"{star}: coordinates {printable(other)}: {place}"
            else:
                files.setdefault(subject, []).append(place[0])
    paths = {subject: tuple(dict.fromkeys(found)) for subject, found in files.items()}
    usable = [subject for subject in paths if subject not in errors]
    stems = _stems(usable)
    picked = tuple(
        PickedMicrograph(
            micrograph=known.by_subject[subject], coordinates=paths[subject], stem=stems[subject]
        )
        for subject in usable
    )
    repeated = len(stars) - len(tables)
    notes = [f"{repeated} pick lists were given twice and read once"] if repeated else []
    return PickedSet(
        picked=picked,
        listed=listed,
        errors=errors,
        lost={subject: found for subject, found in paths.items() if subject in errors},
        notes=(*notes, *listed.notes),
    )


class _Known:
    """The micrographs of a list, found by the names that pick lists give them.

    Two pick lists may mean different files by one name, so a name counts first in the ``own`` list
    beside the picks; where lists were given apart, in any of them.
    """

    def __init__(self, *, listed: MicrographList, own: bool) -> None:
        """Sort the micrographs by list and name, and by file."""
        self.listed = listed
        self.own = own
        self.by_subject = {m.subject: m for m in listed.micrographs}
        self.by_file = {_identity(m.path): m.subject for m in listed.micrographs}
        self.by_name: dict[tuple[Path | None, str], str] = {}
        for subject, (number, row) in listed.origin.items():
            source = listed.sources[number]
            key = (source.path if own else None, source.entries[row].name)
            self.by_name.setdefault(key, subject)

    def subject(self, name: str, star: Path, source: Path) -> tuple[str, str]:
        """Return the subject that a pick list means, and what is wrong with it (nothing: "")."""
        subject = self.by_name.get((source if self.own else None, name))
        if subject is not None:
            return subject, self.listed.unreadable.get(subject, "")
        found = find_file(name, star)
        if isinstance(found, str):
            return printable(name), found
        subject = self.by_file.get(_identity(found[0]))
        if subject is None:
            return printable(name), f"{star}: {printable(name)} is not in the list of micrographs"
        return subject, ""


def _pick_list(given: Path) -> Path:
    """Return the pick list that an input names."""
    path = given / AUTOPICK if given.is_dir() else given
    if not path.is_file():
        msg = f"{path}: no such file; accepted is an {AUTOPICK}, or the folder `pick` wrote it into"
        raise InputError(msg)
    return path


def _pick_table(star: Path) -> StarTable:
    """Return the table of a pick list; `InputError` where it names no coordinate files."""
    blocks = read_star(star)
    for table in blocks.values():
        if NAME in table.columns and COORDINATES in table.columns:
            return table
    found = ", ".join(label for t in blocks.values() for label in t.columns[:6]) or "nothing"
    msg = f"{star}: found {found}; accepted is a pick list with _{NAME} and _{COORDINATES}"
    raise InputError(msg)


def _identity(path: Path) -> Hashable:
    """Return what is the same for two names of one file."""
    status = path.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else path.resolve()


def _stems(subjects: Sequence[str]) -> dict[str, str]:
    """Return a file name without suffix for each micrograph's particles, no two the same.

    It is the micrograph's own, and where several have that, with a digest of the whole name: so
    it does not depend on the order.
    """
    plain = {s: _plain_stem(s) for s in subjects}
    count = Counter(stem.lower() for stem in plain.values())
    stems = {
        s: stem
        if count[stem.lower()] == 1
        else f"{stem}_{hashlib.sha256(s.encode()).hexdigest()[:8]}"
        for s, stem in plain.items()
    }
    if len({stem.lower() for stem in stems.values()}) < len(stems):
        msg = "two micrographs would share one particle stack; rename one of them"
        raise EngineError(msg)
    return stems


def _plain_stem(subject: str) -> str:
    """Return the file name of a micrograph without folder and image suffix, safe in a STAR file.

    >>> _plain_stem("mics/a b@1.mrc.gz")
    'a_b_1'
    """
    from cryoverdict.features.read_image import image_suffix

    name = subject.rsplit("/", 1)[-1]
    suffix = image_suffix(name)
    stem = name[: len(name) - len(suffix)] if suffix else name.rsplit(".", 1)[0]
    clean = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in stem)
    return clean.lstrip(".") or "micrograph"
