"""Writing micrographs, with what was decided of them, as the lists they came from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour, ListedMicrograph
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics
from cryoverdict.features.optics_groups import group_optics
from cryoverdict.features.relion_list import GROUP, NAME
from cryoverdict.features.star import UNKNOWN, table_of, write_star

UID_LABEL = "cryosparcUid"
NONE = "none"

Verdict = Mapping[str, Mapping[str, object]]


def write_micrograph_star(
    path: Path,
    micrographs: MicrographList,
    subjects: Iterable[str],
    verdict: Verdict,
    optics: Mapping[str, Optics] | None = None,
    *,
    stale: Collection[str] = (),
) -> None:
    """Write some micrographs as a STAR file with optics groups, readable by RELION 3.1 and later.

    They stand in the order of the list. All columns of STAR input are kept as written, the
    columns of ``verdict`` (``{subject: {column: value}}``) are added or replaced; for other input
    the name, the optics group, the CTF and the motion that came with it, and cryoSPARC's number.
    ``optics`` are what was found when the images were read (a pixel size from the header), where
    that is more than the list knows. The optics groups are those of the whole list, so that they
    have the same numbers in each file written from it. RELION 3.1 keeps columns it does not know.
    ``stale`` are input columns that no longer hold, such as those of a CTF fit that was replaced.
    Raises `InputError` for a subject that is not in the list.
    """
    chosen = _chosen(micrographs, subjects)
    groups = group_optics(micrographs, chosen, optics or {})
    columns = tuple(dict.fromkeys(c for values in verdict.values() for c in values))
    numeric = {c for c in columns if any(_is_number(v.get(c)) for v in verdict.values())}
    rows: list[dict[str, str]] = []
    for subject in chosen:
        row = {c: v for c, v in _row(micrographs, subject).items() if c not in stale}
        row[GROUP] = groups.number[subject]
        values = verdict.get(subject, {})
        row |= {c: _text(values.get(c), UNKNOWN if c in numeric else NONE) for c in columns}
        rows.append(row)
    tables = [s.table for s in micrographs.sources if s.table]
    given = [label for table in tables for label in table.columns if label not in stale]
    table = table_of(rows, [*given, NAME, GROUP, *([] if rows else columns)])
    write_star(path, {"optics": groups.table, "micrographs": table})


def write_exposures_cs(path: Path, micrographs: MicrographList, subjects: Iterable[str]) -> None:
    """Write some micrographs of cryoSPARC lists as a ``.cs`` file: their records, unchanged.

    Fields and uids stay, so that cryoSPARC finds its own exposures again. Raises `InputError`
    where a subject came from another kind of list, or from lists with different fields.
    """
    records = []
    for subject in _chosen(micrographs, subjects):
        number, row = micrographs.origin[subject]
        exposures = micrographs.sources[number].exposures
        if exposures is None:
            msg = f"{path}: {subject} comes from no cryoSPARC list; accepted are exposures of one"
            raise InputError(msg)
        records.append(exposures[row : row + 1])
    arrays = [s.exposures for s in micrographs.sources if s.exposures is not None]
    if not arrays or len({array.dtype.names for array in arrays}) > 1:
        msg = f"{path}: the cryoSPARC lists have different fields; write them one by one"
        raise InputError(msg)
    table = np.concatenate([arrays[0][:0], *records])
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        np.save(file, table, allow_pickle=False)
    temporary.replace(path)


def _chosen(micrographs: MicrographList, subjects: Iterable[str]) -> list[str]:
    """Return subjects in the order of the list; `InputError` for one that is not in it."""
    wanted = dict.fromkeys(subjects)
    for subject in wanted:
        if subject not in micrographs.origin:
            msg = f"{subject}: is not in the list of micrographs"
            raise InputError(msg)
    return [subject for subject in micrographs.origin if subject in wanted]


def _row(micrographs: MicrographList, subject: str) -> dict[str, str]:
    """Return the columns a subject had in its list, or those that can be made of what it says."""
    number, row = micrographs.origin[subject]
    source = micrographs.sources[number]
    if source.table is not None:
        return dict(zip(source.table.columns, source.table.rows[row], strict=True))
    entry = source.entries[row]
    cells = {NAME: entry.name if source.flavour is Flavour.CRYOSPARC else subject, GROUP: ""}
    return cells | _measured_elsewhere(entry)


def _measured_elsewhere(entry: ListedMicrograph) -> dict[str, str]:
    """Return CTF, motion and uid of an entry under RELION's labels; only what is known."""
    ctf, motion = entry.given_ctf, entry.given_motion
    numbers: dict[str, float | None] = {}
    if ctf is not None:
        numbers = {
            "rlnDefocusU": ctf.defocus_u_a,
            "rlnDefocusV": ctf.defocus_v_a,
            "rlnDefocusAngle": ctf.defocus_angle_deg,
            "rlnPhaseShift": ctf.phase_shift_deg,
            "rlnCtfFigureOfMerit": ctf.fit_score,
            "rlnCtfMaxResolution": ctf.resolution_a,
        }
    if motion is not None:
        numbers |= {
            "rlnAccumMotionTotal": motion.total_a,
            "rlnAccumMotionEarly": motion.early_a,
            "rlnAccumMotionLate": motion.late_a,
        }
    cells = {label: f"{value:.6f}" for label, value in numbers.items() if value is not None}
    return cells if entry.uid is None else {**cells, UID_LABEL: str(entry.uid)}


def _is_number(value: object) -> bool:
    """Return whether a verdict's value is a number."""
    return isinstance(value, int | float | np.number)


def _text(value: object, nothing: str) -> str:
    """Return a verdict's value as one word: a list joined by commas, blanks as underscores."""
    if value is None:
        return nothing
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return f"{float(value):.6f}" if isfinite(float(value)) else nothing
    if isinstance(value, str):
        return "_".join(value.split()) or nothing
    if isinstance(value, Sequence | set | frozenset):
        parts = sorted(value) if isinstance(value, set | frozenset) else value
        return ",".join(_text(part, nothing) for part in parts) or nothing
    msg = f"a verdict of type {type(value).__name__}; accepted are numbers, words and lists of them"
    raise InputError(msg)
