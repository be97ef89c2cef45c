"""Labels as people hand them over: a CSV table, or a pickle of MIFFI's."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from cryoverdict.engine.catalogue.plain_pickle import read_plain_pickle
from cryoverdict.engine.catalogue.rating import Rating, check_day
from cryoverdict.engine.catalogue.vocabulary import (
    DEFECTS,
    Meaning,
    label_of,
    merged,
    miffi_label,
    read_words,
)
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.training.labelled_set import Label
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics

PICKLES = (".pkl", ".pickle")
FILE_COLUMNS = ("file", "name", "subject", "micrograph", "filename", "path", "rlnmicrographname")
VERDICT_COLUMNS = ("verdict", "favourable")
SET_COLUMNS = ("data_set", "dataset", "set")
OPTICS_COLUMNS = ("pixel_size_a", "voltage_kv", "cs_mm", "amplitude_contrast")
# How much a label counts that its own table calls a grey case: an expert would nearly toss a coin.
GREY_WEIGHT = 0.3
TRUE_WORDS = ("true", "1", "yes")
FAULTS_SHOWN = 5
Value = TypeVar("Value")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRating:
    """One line of a label list: the file as it is named there, its rating, and what else is told.

    ``rating`` is ``None`` for a line that names a micrograph without judging it.
    """

    file: str
    rating: Rating | None
    data_set: str | None = None
    source: str | None = None
    optics: Optics = field(default_factory=Optics)


def read_label_list(path: Path, *, rater: str, rated_on: str | None) -> tuple[ListedRating, ...]:
    """Return the lines of a label list; ``rater`` and ``rated_on`` count where a line has none.

    A CSV file has a column ``file`` and ``label`` or ``verdict``, ``grade``, ``defects``, and may
    have ``doubtful``, ``weight``, ``rater``, ``date``, ``data_set``, ``source`` and the optics; the
    tables that ``simulate`` and ``export`` write are such. Raises `EngineError` that names the
    first faulty lines.
    """
    if path.suffix.lower() in PICKLES:
        return _miffi(path, rater, rated_on)
    return _csv(path, rater, rated_on)


def _miffi(path: Path, rater: str, rated_on: str | None) -> tuple[ListedRating, ...]:
    """Return the labels of a MIFFI pickle: a dictionary of file and four choices."""
    table = read_plain_pickle(path)
    if not isinstance(table, dict):
        msg = f"{path}: holds a {type(table).__name__}; accepted is MIFFI's dictionary of labels"
        raise EngineError(msg)

    def line(item: tuple[object, object]) -> ListedRating:
        file, choices = item
        if not isinstance(file, str):
            msg = f"a file is named by a {type(file).__name__}; accepted are words"
            raise EngineError(msg)
        try:
            label = miffi_label(choices)
        except EngineError as error:
            msg = f"{file[:80]}: {error}"
            raise EngineError(msg) from error
        said = " ".join(str(choice) for choice in choices)  # type: ignore[attr-defined]
        rating = Rating(label=label, rater=rater, rated_on=rated_on, said=said, place=path.name)
        return ListedRating(file=file, rating=rating)

    return _each(path, table.items(), line, lambda _, number: f"entry {number}")


def read_queue(path: Path) -> tuple[str, ...]:
    """Return the files that a CSV table names, in its order; it need not judge them.

    Raises `EngineError` for a table without a column of files or an empty name in it.
    """
    columns, rows = _table(path)
    if not set(columns) & set(FILE_COLUMNS):
        msg = f"{path}: has the columns {', '.join(columns) or 'none'}; accepted is one with file"
        raise EngineError(msg)
    return _each(path, rows, lambda item: _file(item[1]), lambda item, _: f"line {item[0]}")


def _csv(path: Path, rater: str, rated_on: str | None) -> tuple[ListedRating, ...]:
    """Return the labels of a CSV table."""
    columns, rows = _table(path)
    judging = {"label", "grade", "defects", *VERDICT_COLUMNS}
    if not set(columns) & set(FILE_COLUMNS) or not set(columns) & judging:
        msg = (
            f"{path}: has the columns {', '.join(columns) or 'none'}; accepted is a table with "
            "file, and label or verdict"
        )
        raise EngineError(msg)

    def line(item: tuple[int, Mapping[str, str]]) -> ListedRating:
        number, row = item
        file, label = _file(row), _label(row)
        day = check_day(row.get("date") or row.get("rated_on"), f"column date of {file}")
        rating = None
        if label is not None:
            rating = Rating(
                label=label,
                rater=row.get("rater") or rater,
                rated_on=day or rated_on,
                said=_said(row),
                place=f"{path.name}:{number}",
            )
        return ListedRating(
            file=file,
            rating=rating,
            data_set=_first(row, SET_COLUMNS),
            source=row.get("source") or None,
            optics=_optics(row),
        )

    return _each(path, rows, line, lambda item, _: f"line {item[0]}")


def _table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the columns of a CSV table, and its rows with their lines."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            columns = [name.strip().lower() for name in reader.fieldnames or ()]
            rows = [
                (reader.line_num, dict(zip(columns, _cells(row), strict=False))) for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be read ({reason}); accepted is a CSV table in UTF-8"
        raise EngineError(msg) from error
    return columns, rows


def _file(row: Mapping[str, str]) -> str:
    """Return the file of a row; raises `EngineError` where none is named."""
    file = _first(row, FILE_COLUMNS)
    if not file:
        msg = "the file name is empty; accepted is a name of an image"
        raise EngineError(msg)
    return file


def _each(
    path: Path,
    items: Iterable[Value],
    line: Callable[[Value], Found],
    place: Callable[[Value, int], str],
) -> tuple[Found, ...]:
    """Return every line, or raise one `EngineError` that names the first faulty ones."""
    found, faults = [], []
    for number, item in enumerate(items, start=1):
        try:
            found.append(line(item))
        except (EngineError, InputError) as error:
            faults.append(f"{place(item, number)}: {error}")
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        msg = f"{path}: {'; '.join(faults[:FAULTS_SHOWN])}{more}"
        raise EngineError(msg)
    return tuple(found)


def _cells(row: Mapping[str | None, str | list[str] | None]) -> list[str]:
    """Return the cells of a row as words without blanks around them; a missing one is empty."""
    return [c.strip() if isinstance(c, str) else "" for name, c in row.items() if name is not None]


def _first(row: Mapping[str, str], columns: Sequence[str]) -> str | None:
    """Return the first of some columns that is filled."""
    return next((row[name] for name in columns if row.get(name)), None)


def _label(row: Mapping[str, str]) -> Label | None:
    """Return the label of a row, ``None`` where all its columns for it are empty."""
    words = [row[name] for name in ("label", *VERDICT_COLUMNS, "grade", "defects") if row.get(name)]
    severities = _severities(row)
    if not words and not severities:
        return None
    meanings = [read_words(text) for text in words]
    doubtful = read_words(row.get("doubtful", "")).defects
    verdict = _first(row, VERDICT_COLUMNS)
    meaning = merged(meanings)
    if verdict:
        # A verdict of its own stands above what the defects would say: experts keep some.
        meaning = replace(meaning, favourable=read_words(verdict).favourable)
    if doubtful:
        meaning = replace(meaning, doubtful=(meaning.doubtful | doubtful) - meaning.defects)
    if severities:
        meaning = _by_severity(meaning, severities)
    weight = _number(row, "weight")
    if weight is None:
        weight = GREY_WEIGHT if row.get("grey", "").lower() in TRUE_WORDS else 1.0
    if not 0.0 < weight <= 1.0:
        msg = f"column weight: {weight:g}; accepted is above 0 and at most 1"
        raise EngineError(msg)
    return label_of(meaning, weight=weight)


def _severities(row: Mapping[str, str]) -> dict[str, float]:
    """Return the severity of each defect that has a column of its own, as ``simulate`` writes."""
    found = {name: _number(row, name) for name in DEFECTS}
    return {name: value for name, value in found.items() if value is not None}


def _by_severity(meaning: Meaning, severities: Mapping[str, float]) -> Meaning:
    """Return a meaning whose defects are those severe enough, as in the simulated sets."""
    from cryoverdict.engine.simulation.severity import BAD_FROM
    from cryoverdict.engine.simulation.truth import NAMED_FROM

    return replace(
        meaning,
        defects=frozenset(d for d, s in severities.items() if s >= BAD_FROM),
        doubtful=frozenset(d for d, s in severities.items() if NAMED_FROM <= s < BAD_FROM),
    )


def _optics(row: Mapping[str, str]) -> Optics:
    """Return what a row tells of the microscope."""
    return Optics(**{name: _number(row, name) for name in OPTICS_COLUMNS})


def _number(row: Mapping[str, str], column: str) -> float | None:
    """Return a cell as a number, ``None`` where it is empty or absent."""
    text = row.get(column)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        msg = f"column {column}: {text[:40]!r}; accepted is a number"
        raise EngineError(msg) from None


def _said(row: Mapping[str, str]) -> str:
    """Return the words of a row that its label came from."""
    columns = ("label", *VERDICT_COLUMNS, "grade", "defects", "doubtful")
    return " ".join(dict.fromkeys(row[name] for name in columns if row.get(name)))
