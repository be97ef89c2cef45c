"""Picks of any picker, found for the micrographs of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.box_file import read_boxes
from cryoverdict.engine.picking_files.coordinate_star import X, picks_of_table, read_coordinates
from cryoverdict.engine.picking_files.cryolo_picks import read_cbox
from cryoverdict.engine.picking_files.cryosparc_picks import read_cryosparc
from cryoverdict.engine.picking_files.pick_names import stem_of
from cryoverdict.engine.picking_files.pick_table import read_pick_table
from cryoverdict.engine.picking_files.topaz_picks import read_topaz
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import find_file
from cryoverdict.features.relion_list import NAME
from cryoverdict.features.star import StarTable, read_star

LIST_BLOCK = "coordinate_files"
COORDINATES = "rlnMicrographCoordinates"
SUFFIXES = (".star", ".cbox", ".box", ".txt", ".cs", ".parquet")
# What stands beside the picks in RELION's job folders.
NO_PICKS = ("coords_suffix", "job", "default_pipeline", "summary", "micrographs", ".")
# What programs put between a micrograph's name and the suffix of its coordinate file.
ENDINGS = ("_autopick", "_manualpick", "_topazpicks", "_extract", "_pick")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPicks:
    """The picks found for subjects, and the names that belong to no micrograph of the list.

    ``of_cryosparc`` says whether any came from cryoSPARC, whose rows may count from the last one.
    """

    picks: Mapping[str, Picks]
    unmatched: tuple[str, ...]
    of_cryosparc: bool = False


def read_given_picks(
    inputs: Sequence[Path], subjects: Sequence[str], *, flipped_y: bool = False
) -> GivenPicks:
    """Return the picks that files and folders hold for the micrographs ``subjects``.

    Accepted are coordinate STAR files of RELION (one a micrograph), its autopick.star list,
    particle STAR files, crYOLO's .cbox, .box and .star, Topaz's text tables, cryoSPARC's particle
    .cs files, this package's picks.parquet, and folders of these. A name belongs to the subject of
    the same name, else to the only one of the same file name, suffix and folders aside. Raises
    `InputError` for a file that is none of these, and where nothing belongs to the list.
    """
    known = _Known.of(subjects)
    picks: dict[str, Picks] = {}
    unmatched: list[str] = []
    paths = [file for one in inputs for file in _files(one)]
    for path in paths:
        for name, found in _read(path, flipped_y=flipped_y).items():
            subject = known.subject(name)
            if subject is None:
                unmatched.append(name)
                continue
            if subject in picks:
                msg = f"{path}: a second file of picks for {subject}; accepted is one a micrograph"
                raise InputError(msg)
            picks[subject] = replace(found, subject=subject)
    if not picks:
        given = ", ".join(str(one) for one in inputs)
        held = f", which speaks of {unmatched[0]}" if unmatched else ""
        msg = f"{given}: no picks for any micrograph of the list{held}; give the picker's output"
        raise InputError(msg)
    return GivenPicks(
        picks=picks,
        unmatched=tuple(unmatched),
        of_cryosparc=any(path.suffix.lower() == ".cs" for path in paths),
    )


def read_autopick_list(path: Path, table: StarTable) -> dict[str, Picks]:
    """Return the picks of each micrograph that RELION's autopick.star lists."""
    names, files = table.column(NAME), table.column(COORDINATES)
    if names is None or files is None:
        msg = f"{path}: data_{LIST_BLOCK} lacks _{NAME} or _{COORDINATES}"
        raise InputError(msg)
    found = {}
    for name, file in zip(names, files, strict=True):
        beside = path.parent / file
        where = (beside, None) if beside.is_file() else find_file(file, path)
        if isinstance(where, str):
            msg = f"{path}: {name}: {where}"
            raise InputError(msg)
        found[name] = read_coordinates(where[0], name)
    return found


def _files(given: Path) -> list[Path]:
    """Return the files of picks that a path names: itself, or what a folder holds."""
    if not given.is_dir():
        return [given]
    for standard in ("autopick.star", "picks.parquet"):
        if (given / standard).is_file():
            return [given / standard]
    inside = sorted(
        p
        for p in given.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(NO_PICKS)
    )
    if not inside:
        msg = f"{given}: holds no picks; accepted are {', '.join(SUFFIXES)}"
        raise InputError(msg)
    kind = inside[0].suffix.lower()  # crYOLO writes each pick as .box, .cbox and .star
    return [p for p in inside if p.suffix.lower() == kind]


def _read(path: Path, *, flipped_y: bool) -> dict[str, Picks]:
    """Return the picks of one file by the name it gives each micrograph."""
    match path.suffix.lower():
        case ".star":
            return _read_star(path)
        case ".cbox":
            return {path.stem: read_cbox(path, path.stem)}
        case ".box":
            return {path.stem: read_boxes(path, path.stem)}
        case ".txt":
            return read_topaz(path)
        case ".cs":
            return read_cryosparc(path, flipped_y=flipped_y)
        case ".parquet":
            return read_pick_table(path)
        case _:
            msg = f"{path}: not a file of picks; accepted are {', '.join(SUFFIXES)}"
            raise InputError(msg)


def _read_star(path: Path) -> dict[str, Picks]:
    """Return the picks of a STAR file: a list of files, particles, or one micrograph's."""
    blocks = read_star(path)
    if LIST_BLOCK in blocks:
        return read_autopick_list(path, blocks[LIST_BLOCK])
    for table in blocks.values():
        if table.column(X) is not None and table.column(NAME) is not None:
            return _by_micrograph(path, table)
    stem = path.stem
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    return {stem: read_coordinates(path, stem)}


def _by_micrograph(path: Path, table: StarTable) -> dict[str, Picks]:
    """Return the picks of a particle table, split by the micrograph they came from."""
    column = table.columns.index(NAME)
    rows: dict[str, list[tuple[str, ...]]] = {}
    for row in table.rows:
        rows.setdefault(row[column], []).append(row)
    return {
        name: picks_of_table(path, StarTable(columns=table.columns, rows=tuple(mine)), name)
        for name, mine in rows.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The subjects of a list, by name and by file name."""

    names: frozenset[str]
    stems: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, subjects: Sequence[str]) -> _Known:
        """Return the index of some subjects."""
        stems: dict[str, list[str]] = {}
        for subject in subjects:
            stems.setdefault(stem_of(subject), []).append(subject)
        return cls(names=frozenset(subjects), stems={k: tuple(v) for k, v in stems.items()})

    def subject(self, name: str) -> str | None:
        """Return the subject a name belongs to; ``None`` where there is none, or no single one.

        cryoSPARC puts a number of 18 to 21 digits and an underscore before a name; Topaz and
        crYOLO leave the suffix off.
        """
        if name in self.names:
            return name
        for stem in (stem_of(name), stem_of(f"{name}.mrc"), _without_uid(stem_of(name))):
            found = self.stems.get(stem, ())
            if len(found) == 1:
                return found[0]
        return None


def _without_uid(stem: str) -> str:
    """Return a stem without the number that cryoSPARC puts before it.

    >>> _without_uid("000090334788266266069_mic_7"), _without_uid("2017_mic")
    ('mic_7', '2017_mic')
    """
    head, _, rest = stem.partition("_")
    return rest if head.isdigit() and len(head) >= 15 and rest else stem
