"""The page on which a reader sees what became of the particles, and why it was done so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.reports.chart import Chart
from cryoverdict.reports.class_sheet import ClassTile, write_averages
from cryoverdict.reports.frame import write_folder, write_page
from cryoverdict.reports.parameter_evidence import parameter_rows

STYLES = ("parameters.css", "classification.css")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of a list: its name, meaning, value as a page writes it."""

    name: str
    meaning: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedMask:
    """One candidate of the mask trial as the page shows it, with its largest averages."""

    diameter: str
    score: str
    chosen: bool
    averages: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The mask trial: what was measured, the figure, the candidates."""

    sentence: str
    chart: Chart | None
    masks: tuple[TriedMask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One parameter decision on the page: its heading, its facts, the rows of its parameters."""

    heading: str
    sentence: str
    facts: tuple[Fact, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationPage:
    """What the page shows; every part but title and sentence may be missing.

    ``averages`` ``(K, box, box)`` belong to ``tiles`` in their order, whose addresses are filled in
    when the pictures are written. ``refresh_s`` makes the browser load the page anew.
    """

    title: str
    sentence: str
    numbers: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    averages: NDArray[np.float32] | None = None
    tiles: tuple[ClassTile, ...] = ()
    curves: tuple[Chart, ...] = ()
    histograms: tuple[Chart, ...] = ()
    trial: Trial | None = None
    judged: tuple[Judged, ...] = ()
    refresh_s: int | None = None
    settled: tuple[Fact, ...] = field(default=())


def write_classification_page(folder: Path, page: ClassificationPage) -> Path:
    """Write the page as one folder that opens offline; return the path of ``index.html``."""

    def write(part: Path) -> Path:
        """Write pictures and page into a new folder."""
        tiles: Sequence[Mapping[str, Any]] = ()
        if page.averages is not None:
            addresses = write_averages(part, page.averages, [t.number for t in page.tiles])
            tiles = [
                {"tile": tile, "address": address}
                for tile, address in zip(page.tiles, addresses, strict=True)
            ]
        masks = []
        for number, mask in enumerate(page.trial.masks if page.trial else (), start=1):
            shown = range(1, len(mask.averages) + 1)
            masks.append(
                {
                    "mask": mask,
                    "addresses": write_averages(part, mask.averages, shown, f"mask_{number}"),
                }
            )
        context = {
            "title": page.title,
            "page": page,
            "tiles": tiles,
            "masks": masks,
            "judged": [{"judged": j, "parameters": parameter_rows(j.record)} for j in page.judged],
            "styles": STYLES,
        }
        return write_page(part, "classification.html", context, STYLES)

    return write_folder(folder, write)
