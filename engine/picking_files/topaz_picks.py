"""Picks that Topaz wrote: one text table over all micrographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.coordinate_star import best_first
from cryoverdict.features.input_error import InputError

HEAD = ("image_name", "x_coord", "y_coord")


def read_topaz(path: Path, scale: float = 1.0) -> dict[str, Picks]:
    """Return the picks of each image name of a ``topaz extract`` table, scores as written.

    The columns are ``image_name``, ``x_coord``, ``y_coord`` and mostly ``score``, separated by
    tabs; names stand without their suffix. Coordinates are multiplied by ``scale``, for micrographs
    that were downsampled before Topaz saw them. Raises `InputError` for another file.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a table of topaz extract"
        raise InputError(msg) from error
    head = lines[0].split("\t") if lines else []
    if tuple(head[:3]) != HEAD:
        msg = f"{path}: line 1: no head {', '.join(HEAD)}; accepted is a table of topaz extract"
        raise InputError(msg)
    found: dict[str, list[tuple[float, float, float]]] = {}
    scored = "score" in head
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if not line.strip():
            continue
        try:
            score = float(cells[head.index("score")]) if scored else float("nan")
            place = (float(cells[1]) * scale, float(cells[2]) * scale, score)
        except (IndexError, ValueError) as error:
            msg = f"{path}: line {number}: {line[:40]!r}; accepted is name, x, y and score"
            raise InputError(msg) from error
        found.setdefault(cells[0], []).append(place)
    picks = {}
    for name, places in found.items():
        x, y, score_of = np.array(places).T
        picks[name] = best_first(
            Picks(subject=name, x_px=x, y_px=y, score=score_of, diameter_a=np.full(len(x), np.nan))
        )
    return picks
