"""The page on which a facility's scientist reads why micrographs were kept or rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryoverdict.features.feature import Feature
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.detail import CHUNK, TableIndex, detail_of
from cryoverdict.reports.distribution import most_telling
from cryoverdict.reports.frame import write_folder, write_page
from cryoverdict.reports.measurements import measurements_of, values_of
from cryoverdict.reports.pictures import PagePictures, write_pictures
from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.rows import (
    OUTCOMES,
    Row,
    check_ledger,
    columns_of,
    defect_counts,
    row_of,
    unreadable_rows,
)
from cryoverdict.reports.rule_list import rule_lines
from cryoverdict.reports.script_data import finite, write_script
from cryoverdict.reports.summary import summary_of

# In the order in which the page loads them.
SCRIPTS = (
    "address.js",
    "selection.js",
    "virtual_list.js",
    "listing.js",
    "toolbar.js",
    "figures.js",
    "evidence.js",
    "detail.js",
    "page.js",
)
STYLES = ("listing.css", "detail.css")
HISTOGRAMS = 6
SHOWN_COLUMNS = 4

AskPictures = Callable[[str], PagePictures | None]


def write_micrograph_page(
    folder: Path,
    *,
    decisions: Iterable[Mapping[str, Any]],
    table: FeatureTable,
    features: Sequence[Feature] = (),
    pictures: AskPictures = lambda _: None,
    ledger: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    area_kinds: Sequence[str] = ("usable",),
    key_features: Sequence[str] = (),
    title: str = "Micrographs",
    notes: Sequence[str] = (),
) -> Path:
    """Write the page of a micrograph decision as one folder that opens offline.

    ``decisions`` are records of ``decisions.jsonl``, read once; ``pictures`` is asked once a
    subject, and nothing of its answer stays in memory. ``ledger`` is the object of
    ``ledger.json``: what could not be read is listed with its error. ``rules`` are dicts with
    ``id``, ``title``, ``effect`` (a sentence), ``fired``, ``could_not_say`` and ``fired_alone``
    (counts; the last of subjects against which no other rule spoke), optionally ``because``.
    ``area_kinds`` names the codes of the area maps. ``key_features`` are the measurements shown
    first; where it is empty they are those in which kept and rejected differ most. ``notes`` are
    sentences about the whole data set.

    Returns the path of ``index.html``. Raises `ReportError` where what is given does not fit
    together, or where ``folder`` holds something that is no report.
    """

    def write(part: Path) -> Path:
        index = TableIndex.of(table)
        rows = _write_details(part, decisions, index, pictures, area_kinds)
        if ledger is not None:
            rows += unreadable_rows(ledger)
            check_ledger(rows, ledger)
        values, kept = values_of(rows, index)
        measured = measurements_of(table, features, values, kept)
        telling = _places(table, key_features) or most_telling(values, kept, HISTOGRAMS)
        defects, lines = defect_counts(rows), rule_lines(rules, rows)
        _write_columns(part, rows, index)
        columns = columns_of(rows, defects=list(defects), rules=[line.id for line in lines])
        write_script(part, "rows", columns)
        said = {
            "chunk": CHUNK,
            "outcomes": OUTCOMES,
            "features": [m.to_dict() for m in measured],
            "columns": list(telling[:SHOWN_COLUMNS]),
            "defects": list(defects),
            "rules": [line.to_dict() for line in lines],
        }
        write_script(part, "page", said)
        context = {
            "title": title,
            "notes": tuple(notes),
            "summary": summary_of(rows, defects),
            "measurements": measured,
            "telling": [measured[place] for place in telling[:HISTOGRAMS]],
            "telling_is_given": bool(key_features),
            "rules": lines,
            "scripts": SCRIPTS,
            "styles": STYLES,
        }
        return write_page(part, "micrographs.html", context, (*SCRIPTS, *STYLES))

    return write_folder(folder, write)


def _write_details(
    folder: Path,
    decisions: Iterable[Mapping[str, Any]],
    index: TableIndex,
    pictures: AskPictures,
    area_kinds: Sequence[str],
) -> list[Row]:
    """Write pictures and detail scripts, `CHUNK` subjects at a time; return the rows."""
    rows: list[Row] = []
    chunk: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, decision in enumerate(decisions):
        subject = decision["subject"]
        if subject in seen:
            msg = f"{subject}: is decided twice; accepted is one decision a subject"
            raise ReportError(msg)
        seen.add(subject)
        detail = detail_of(decision, index)
        shown = pictures(subject)
        stem = folder / "pictures" / f"{number // CHUNK:03d}" / f"{number % CHUNK:02d}"
        try:
            detail["pictures"] = {} if shown is None else write_pictures(stem, shown, area_kinds)
        except ReportError as error:
            msg = f"{subject}: {error}"
            raise ReportError(msg) from error
        rows.append(row_of(decision, pictured="thumbnail" in detail["pictures"]))
        chunk.append(detail)
        if len(chunk) == CHUNK:
            write_script(folder, f"details_{number // CHUNK:03d}", chunk)
            chunk = []
    if chunk:
        write_script(folder, f"details_{len(rows) // CHUNK:03d}", chunk)
    return rows


def _write_columns(folder: Path, rows: Sequence[Row], index: TableIndex) -> None:
    """Write each measurement over all rows, a script the page loads when it is asked for."""
    places = [index.row.get(row.subject) for row in rows]
    for j in range(len(index.table.features)):
        column = index.table.values[:, j]
        numbers = [float("nan") if i is None else float(column[i]) for i in places]
        write_script(folder, f"column_{j:03d}", finite(numbers))


def _places(table: FeatureTable, names: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of some features; raises `ReportError` for a name the table lacks."""
    lacking = [name for name in names if name not in table.features]
    if lacking:
        msg = f"report: no measurement {lacking[0]}; accepted are {', '.join(table.features)}"
        raise ReportError(msg)
    return tuple(table.features.index(name) for name in names)
