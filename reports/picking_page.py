"""The page on which a reader sees how particles were picked, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.reports.frame import write_folder, write_page
from cryoverdict.reports.number import write_number
from cryoverdict.reports.parameter_evidence import ParameterRow
from cryoverdict.reports.picking_figures import MarkedChart
from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.script_data import write_script

SCRIPTS = ("virtual_list.js", "picking.js")
STYLES = ("classification.css", "parameters.css", "picking.css")
# Micrographs a detail script holds: a few screens of the gallery.
CHUNK = 24
JPEG_QUALITY = 72
# Where a place of another program is drawn that lies beyond every micrograph.
FARTHEST_PX = 1e6

# How the reasons for which places are no picks are told.
REASON_WORDS: Mapping[str, str] = {
    "film": "on film",
    "dark_bar": "on a dark bar",
    "contamination": "on contamination",
    "aggregate": "on an aggregate",
    "bright": "on a bright area",
    "edge": "too near the border",
    "crowded": "too near a better one",
    "score_ceiling": "score above the ceiling",
    "chance": "no better than chance in this micrograph",
    "too_many": "beyond the most a micrograph may have",
    "one_picker_only": "found by too few pickers",
    "micrograph_rejected": "in a rejected micrograph",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """The picks of one micrograph for the page.

    ``shape`` is rows and columns of the full-size micrograph; ``picks`` ``(n, 4)`` holds x, y,
    score and diameter, in full-size pixels (NaN where unknown); ``dropped`` maps a reason to
    ``(n, 2)`` places. ``thumbnail`` ``(h, w)`` uint8 has the first row on top. ``notes`` are
    sentences about this micrograph alone. ``usual_px`` is the decided diameter, for places whose
    own is not known.
    """

    shape: tuple[int, int]
    picks: NDArray[np.float64]
    dropped: Mapping[str, NDArray[np.float64]]
    thumbnail: NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()
    usual_px: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedRow:
    """One micrograph in the gallery: its name, what became of it, and why.

    ``outcome`` is ``keep``, ``reject`` or ``error``; ``decision`` is the record of the second
    look, ``None`` where there was none.
    """

    subject: str
    outcome: str
    reason: str = ""
    decision: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingPage:
    """Everything that stands on the page besides the gallery."""

    title: str
    sentence: str
    numbers: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    figures: Sequence[MarkedChart] = ()
    parameters: Sequence[ParameterRow] = ()
    average: NDArray[np.uint8] | None = None
    bins: Sequence[tuple[str, str, int]] = field(default=())


def write_picking_page(
    folder: Path,
    page: PickingPage,
    *,
    rows: Iterable[PickedRow] = (),
    overlay: Callable[[str], Overlay | None] = lambda _: None,
) -> Path:
    """Write the page as one folder that opens offline; return its ``index.html``.

    ``overlay`` is asked once a row, and nothing of its answer stays in memory. Raises
    `ReportError` where ``folder`` holds something that is no report.
    """

    def write(part: Path) -> Path:
        columns, dropped = _write_gallery(part, rows, overlay)
        write_script(part, "rows", columns)
        reasons = [
            {"name": name, "words": REASON_WORDS.get(name, name.replace("_", " "))}
            for name, _ in dropped
        ]
        write_script(part, "page", {"chunk": CHUNK, "reasons": reasons})
        if page.average is not None:
            _write_picture(part / "pictures" / "average.png", page.average)
        context = {
            "title": page.title,
            "page": page,
            "parameters": page.parameters,
            "gallery": bool(columns["subject"]),
            "dropped": [
                (REASON_WORDS.get(name, name.replace("_", " ")), name, n) for name, n in dropped
            ],
            "scripts": SCRIPTS,
            "styles": STYLES,
        }
        return write_page(part, "picking.html", context, (*SCRIPTS, *STYLES))

    return write_folder(folder, write)


def _write_gallery(
    folder: Path, rows: Iterable[PickedRow], overlay: Callable[[str], Overlay | None]
) -> tuple[dict[str, list[Any]], list[tuple[str, int]]]:
    """Write pictures and overlays; return the rows by columns and the dropped by reason."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("subject", "outcome", "reason", "review", "count", "dropped", "score", "shape")
    }
    totals: Counter[str] = Counter()
    chunk: list[Any] = []
    number = -1
    for number, row in enumerate(rows):
        shown = overlay(row.subject)
        columns["subject"].append(row.subject)
        columns["outcome"].append(row.outcome)
        columns["reason"].append(row.reason)
        columns["review"].append(int(bool(row.decision and row.decision["review"])))
        if shown is None:
            for name, nothing in (
                ("count", None),
                ("dropped", 0),
                ("score", None),
                ("shape", None),
            ):
                columns[name].append(nothing)
            chunk.append(None)
        else:
            reasons = {name: len(places) for name, places in shown.dropped.items()}
            totals.update(reasons)
            scores = shown.picks[:, 2][np.isfinite(shown.picks[:, 2])]
            columns["count"].append(len(shown.picks))
            columns["dropped"].append(sum(reasons.values()))
            columns["score"].append(round(float(np.median(scores)), 3) if scores.size else None)
            pictured = shown.thumbnail is not None
            columns["shape"].append([*shown.shape] if pictured else None)
            if shown.thumbnail is not None:
                _write_picture(_picture(folder, number), shown.thumbnail)
            chunk.append(_detail(row, shown))
        if len(chunk) == CHUNK:
            write_script(folder, f"picks_{number // CHUNK:04d}", chunk)
            chunk = []
    if chunk:
        write_script(folder, f"picks_{number // CHUNK:04d}", chunk)
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return columns, ranked


def _detail(row: PickedRow, shown: Overlay) -> dict[str, Any]:
    """Return what the page loads of one micrograph: places in pixels, and the evidence."""
    decision = row.decision
    return {
        "picks": [_rounded(pick) for pick in shown.picks],
        "dropped": {
            reason: np.rint(np.clip(places, -FARTHEST_PX, FARTHEST_PX)).astype(int).ravel().tolist()
            for reason, places in sorted(shown.dropped.items())
        },
        "notes": list(shown.notes),
        "usual": None if shown.usual_px is None else round(shown.usual_px),
        "decision": decision
        and {
            "probability": decision["favourable_probability"],
            "prior": decision["prior_log_odds"],
            "evidence": [
                {"name": e["name"], "log_odds": e["log_odds"], "text": e["text"]}
                for e in decision["evidence"]
            ],
            "defects": [d["name"] for d in decision["defects"]],
        },
    }


def _rounded(pick: NDArray[np.float64]) -> list[float | None]:
    """Return x, y, score and diameter with the digits that a page can show."""
    x, y, score, diameter = (float(v) for v in pick)
    return [
        round(x),
        round(y),
        round(score, 2) if np.isfinite(score) else None,
        round(diameter) if np.isfinite(diameter) else None,
    ]


def _picture(folder: Path, number: int) -> Path:
    """Return the file of a micrograph's picture."""
    return folder / "pictures" / f"{number // 100:03d}" / f"{number % 100:02d}.jpg"


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a grey picture; raises `ReportError` for anything else."""
    from PIL import Image

    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.size == 0:
        msg = f"{path.name}: is {pixels.dtype} {pixels.shape}; accepted is uint8 (rows, columns)"
        raise ReportError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        Image.fromarray(pixels).save(path, quality=JPEG_QUALITY)
    else:
        Image.fromarray(pixels).save(path)


def counted(n: int, one: str, many: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "pick", "picks"), counted(1200, "pick", "picks")
    ('1 pick', '1,200 picks')
    """
    return f"{write_number(n)} {one if n == 1 else many}"
