"""The optics groups under which the micrographs of a list are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cryoverdict.features.list_source import ListSource
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_list import GROUP, PATH
from cryoverdict.features.star import UNKNOWN, StarTable, parse_number, table_of

GROUP_NAME = "rlnOpticsGroupName"
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "rlnMicrographPixelSize": "pixel_size_a",
        "rlnVoltage": "voltage_kv",
        "rlnSphericalAberration": "cs_mm",
        "rlnAmplitudeContrast": "amplitude_contrast",
    }
)
# RELION 3.1 reads no list whose groups lack one of these: relion_star_handler writes an empty file
# and says it is done, other programs stop. An unknown one is therefore written, as nan.
REQUIRED = ("rlnMicrographPixelSize", "rlnVoltage", "rlnSphericalAberration")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticsGroups:
    """A ``data_optics`` table and the group number of each subject."""

    table: StarTable
    number: Mapping[str, str]


def group_optics(
    micrographs: MicrographList, chosen: Sequence[str], found: Mapping[str, Optics]
) -> OpticsGroups:
    """Return the groups of a whole list, so that every file written from it has the same.

    First stand the groups of the input's tables with all their columns, completed by what was
    ``found`` when the images were read; a group whose micrographs turned out to differ is split,
    and micrographs without a table are grouped by their optics. The batches of one list share its
    groups. The numbers of a single table stay. ``chosen`` are subjects that need a group even if
    they could not be read.
    """
    rows: list[dict[str, str]] = []
    places: dict[tuple[int | None, str | None, Optics | None], int] = {}
    owner = _owners(micrographs.sources)
    for number, source in enumerate(micrographs.sources):
        if source.optics is None or owner[number] != number:
            continue
        for row in source.optics.rows:
            cells = dict(zip(source.optics.columns, row, strict=True))
            places[number, cells[GROUP], None] = len(rows)
            rows.append(cells)
    optics = {m.subject: found.get(m.subject, m.optics) for m in micrographs.micrographs}
    for subject in chosen:
        optics.setdefault(subject, found.get(subject, micrographs.entry(subject).optics))
    member: dict[str, int] = {}
    for subject, setting in optics.items():
        number = owner[micrographs.origin[subject][0]]
        group = micrographs.entry(subject).group
        key = (number, group, setting) if group is not None else (None, None, setting)
        if key not in places:
            unset = places.pop((number, group, None), None)
            if unset is None:
                base = next((rows[i] for k, i in places.items() if k[:2] == key[:2]), {})
                base = {} if group is None else base
                unset = len(rows)
                rows.append({c: v for c, v in base.items() if c not in (*LABELS, GROUP)})
            rows[unset] = _completed(rows[unset], setting)
            places[key] = unset
        member[subject] = places[key]
    rows = [_completed(row, Optics()) for row in rows or [{}]]
    own = [micrographs.sources[number].optics for number in sorted(set(owner))]
    tables = [table for table in own if table is not None]
    _number(rows, keep=len(tables) == 1)
    order = [label for table in tables for label in table.columns]
    return OpticsGroups(
        table=table_of(rows, [*order, GROUP_NAME, GROUP, *REQUIRED]),
        number={subject: rows[place][GROUP] for subject, place in member.items()},
    )


def _owners(sources: Sequence[ListSource]) -> list[int]:
    """Return for each list the number of the list whose optics groups it has: itself, mostly.

    Batches of one list say where their files lie and have the same groups. Other lists with equal
    groups may come from two sessions, and stay apart.
    """
    batches: dict[StarTable, int] = {}
    owners = []
    for number, source in enumerate(sources):
        batch = source.table is not None and PATH in source.table.columns
        shared = source.optics if batch else None
        owners.append(number if shared is None else batches.setdefault(shared, number))
    return owners


def _completed(row: Mapping[str, str], optics: Optics) -> dict[str, str]:
    """Return a group's row with what it lacks from ``optics``, nan for what RELION must find."""
    whole = dict(row)
    for label, setting in LABELS.items():
        if label in whole and parse_number(whole[label]) is not None:
            continue
        value = getattr(optics, setting)
        if value is not None:
            whole[label] = f"{value:.6f}"
        elif label in REQUIRED:
            whole.setdefault(label, UNKNOWN)
    return whole


def _number(rows: Sequence[dict[str, str]], *, keep: bool) -> None:
    """Give each row its number and a name of its own; ``keep`` leaves the numbers it has."""
    numbers = [row.get(GROUP, "") for row in rows]
    keep = keep and all(number.isdecimal() for number in numbers if number)
    last = max((int(number) for number in numbers if keep and number), default=0)
    taken: set[str] = set()
    for row, number in zip(rows, numbers, strict=True):
        if not (keep and number):
            last += 1
            row[GROUP] = str(last)
        name = row.get(GROUP_NAME, f"opticsGroup{row[GROUP]}")
        while name in taken:
            name = f"{name}_{row[GROUP]}"
        taken.add(name)
        row[GROUP_NAME] = name
