"""Optics groups of several lists as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, parse_number, table_of

GROUP, NAME = "rlnOpticsGroup", "rlnOpticsGroupName"
# What a list from before RELION 3.1 says in every row.
SETTINGS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedOptics:
    """One optics table, and where each list's groups are in it.

    ``numbers`` gives for each list its groups' numbers in ``table``; a list without optics groups
    has the one key ``None``.
    """

    table: StarTable
    numbers: tuple[Mapping[str | None, str], ...]
    notes: tuple[str, ...]

    def group(self, position: int, group: str | None, place: str) -> str:
        """Return the new number of a row's group; raises `InputError` for one not described."""
        known = self.numbers[position]
        if None in known:
            return known[None]
        if group not in known:
            msg = f"{place}: optics group {group} is not described in the optics block"
            raise InputError(msg)
        return known[group]


def merged_optics(lists: Sequence[tuple[Path, StarTable, StarTable | None]]) -> MergedOptics:
    """Return the optics groups of all lists, those of equal name and settings as one.

    Each list is its path, its particles and its optics table (``None`` before RELION 3.1). Numbers
    run from 1 in the order of appearance.
    """
    rows: list[dict[str, str]] = []
    known: dict[tuple[tuple[str, str], ...], str] = {}
    taken: set[str] = set()
    numbers: list[dict[str | None, str]] = []
    notes: list[str] = []
    for position, (star, particles, optics) in enumerate(lists, start=1):
        mine: dict[str | None, str] = {}
        for old, cells in _groups(star, particles, optics, position):
            name = cells.get(NAME, f"opticsGroup{old or position}")
            settings = {k: v for k, v in cells.items() if k not in (GROUP, NAME)}
            key = (("", name), *sorted((k, _canonical(v)) for k, v in settings.items()))
            if key not in known:
                new = name
                for count in range(2, len(lists) * 100):
                    if new not in taken:
                        break
                    new = f"{name}_{count}"
                if new != name:
                    notes.append(
                        f"{star}: the optics group {name} has other settings than the one of that"
                        f" name before it, and is called {new} here"
                    )
                taken.add(new)
                known[key] = str(len(rows) + 1)
                rows.append({NAME: new, GROUP: known[key], **settings})
            mine[old] = known[key]
        numbers.append(mine)
    return MergedOptics(table=table_of(rows), numbers=tuple(numbers), notes=tuple(notes))


def _groups(
    star: Path, particles: StarTable, optics: StarTable | None, position: int
) -> list[tuple[str | None, dict[str, str]]]:
    """Return each group's number and cells; a list without groups is one group."""
    if optics is None:
        return [(None, {NAME: f"opticsGroup{position}", **_flat_settings(particles)})]
    if GROUP not in optics.columns:
        msg = f"{star}: _{GROUP} is missing; accepted is an optics block that names groups"
        raise InputError(msg)
    found = [dict(zip(optics.columns, row, strict=True)) for row in optics.rows]
    return [(cells[GROUP], cells) for cells in found]


def _flat_settings(particles: StarTable) -> dict[str, str]:
    """Return the settings that the first row of an older list carries."""
    first = dict(zip(particles.columns, particles.rows[0], strict=True))
    found = {label: first[label] for label in SETTINGS if label in first}
    size = first.get("rlnPixelSize") or first.get("rlnImagePixelSize")
    detector, magnification = first.get("rlnDetectorPixelSize"), first.get("rlnMagnification")
    if size is None and detector is not None and magnification is not None:
        pixel_um, times = parse_number(detector), parse_number(magnification)
        size = f"{pixel_um * 1e4 / times:.6f}" if pixel_um and times else None
    return found if size is None else {**found, "rlnImagePixelSize": size}


def _canonical(value: str) -> str:
    """Return a value so that ``300`` and ``300.000000`` are the same."""
    try:
        number = parse_number(value)
    except ValueError:
        return value
    return value if number is None else f"{number:.6g}"
