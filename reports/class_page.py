"""The page on which a reader sees which class averages were kept, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Feature
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.class_picture import write_average
from cryoverdict.reports.detail import TableIndex, detail_of
from cryoverdict.reports.frame import write_folder, write_page
from cryoverdict.reports.number import write_number, write_share
from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.script_data import write_script

SCRIPTS = ("evidence.js", "classes.js")
STYLES = ("detail.css", "classes.css")
OUTCOMES = ("good", "junk")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTile:
    """What the sheet shows of one class.

    ``record`` is its object of ``decisions.jsonl``; ``grey`` ``(y, x)`` uint8 its picture;
    ``members`` the number of its particles; ``price`` what its rejection costs, in words.
    """

    record: Mapping[str, Any]
    grey: NDArray[np.uint8]
    number: int
    members: int | None
    price: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPage:
    """All that a page of classes shows.

    ``guards`` are pairs of whether a guard holds, its name and its sentence; ``particles`` are the
    numbers kept and rejected, ``None`` where none were listed; ``outliers`` the sentence on
    particles of good classes; ``rules`` as for the page of micrographs.
    """

    tiles: Sequence[ClassTile]
    table: FeatureTable
    features: Sequence[Feature]
    guards: Sequence[tuple[bool, str, str]]
    particles: tuple[int, int] | None
    outliers: str
    price: str
    rules: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    errors: Mapping[str, str]
    title: str = "Classes: which are good, and why"


def write_class_page(folder: Path, page: ClassPage) -> Path:
    """Write the page as one folder that opens offline; return the path of ``index.html``.

    Raises `ReportError` for a decision with another outcome than good or junk, and where
    ``folder`` holds something that is no report.
    """
    for tile in page.tiles:
        if tile.record["outcome"] not in OUTCOMES:
            what = tile.record["outcome"]
            msg = f"{tile.record['subject']}: its outcome is {what}; accepted is good or junk"
            raise ReportError(msg)

    def write(part: Path) -> Path:
        """Write the page into a new folder."""
        index = TableIndex.of(page.table)
        details = []
        for i, tile in enumerate(page.tiles):
            write_average(part / "pictures" / f"{i:04d}.png", tile.grey)
            detail = detail_of(tile.record, index)
            detail |= {
                "subject": tile.record["subject"],
                "outcome": tile.record["outcome"],
                "grade": tile.record["grade"],
                "review": tile.record["review"],
                "number": tile.number,
                "members": tile.members,
                "price": tile.price,
            }
            details.append(detail)
        write_script(part, "classes", details)
        known = [f for f in page.features if f.name in page.table.features]
        by_name = {f.name: f for f in known}
        write_script(
            part,
            "page",
            {
                "features": [
                    {
                        "name": name,
                        "unit": by_name[name].unit if name in by_name else "1",
                        "meaning": by_name[name].meaning if name in by_name else "",
                    }
                    for name in page.table.features
                ],
                "rules": [{"id": r["id"], "title": r["title"]} for r in page.rules],
            },
        )
        return write_page(part, "classes.html", _context(page), (*SCRIPTS, *STYLES))

    return write_folder(folder, write)


def _context(page: ClassPage) -> dict[str, Any]:
    """Return what the template shows."""
    good = [t for t in page.tiles if t.record["outcome"] == "good"]
    defects = Counter(d["name"] for t in page.tiles for d in t.record["defects"])
    review = sum(bool(t.record["review"]) for t in page.tiles)
    order = sorted(
        range(len(page.tiles)),
        key=lambda i: (-page.tiles[i].record["favourable_probability"], i),
    )
    return {
        "title": page.title,
        "sentence": _sentence(page, len(good)),
        "total": len(page.tiles),
        "classes": (("keep", "good", len(good)), ("reject", "junk", len(page.tiles) - len(good))),
        "particles": page.particles
        and (("keep", "kept", page.particles[0]), ("reject", "rejected", page.particles[1])),
        "all_particles": sum(page.particles) if page.particles else 0,
        "review": review,
        "defects": defects.most_common(),
        "guards": page.guards,
        "outliers": page.outliers,
        "price": page.price,
        "tiles": [_tile(page.tiles[i], i) for i in order],
        "rules": page.rules,
        "notes": tuple(page.notes),
        "errors": page.errors,
        "scripts": SCRIPTS,
        "styles": STYLES,
    }


def _tile(tile: ClassTile, place: int) -> dict[str, Any]:
    """Return one tile of the sheet."""
    record = tile.record
    return {
        "place": place,
        "picture": f"pictures/{place:04d}.png",
        "subject": record["subject"],
        "number": tile.number,
        "outcome": record["outcome"],
        "probability": record["favourable_probability"],
        "members": tile.members,
        "grade": record["grade"],
        "defects": [d["name"] for d in record["defects"]],
        "review": bool(record["review"]),
    }


def _sentence(page: ClassPage, good: int) -> str:
    """Return the outcome as a person would say it."""
    total = len(page.tiles)
    parts = [f"{write_number(good)} of {write_number(total)} classes good"]
    if page.particles:
        kept, rejected = page.particles
        share = write_share(kept, kept + rejected)
        parts.append(
            f"{write_number(kept)} of {write_number(kept + rejected)} particles kept ({share})"
        )
    if page.errors:
        parts.append(f"{write_number(len(page.errors))} images could not be read")
    return ", ".join(parts) + "."
