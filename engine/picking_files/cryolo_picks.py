"""Picks that crYOLO wrote: .cbox, .box and .star."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.coordinate_star import best_first, numbers
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import read_star

BLOCK = "cryolo"


def read_cbox(path: Path, subject: str) -> Picks:
    """Return the centres of a ``.cbox`` file with their confidence as score.

    ``_CoordinateX`` and ``_CoordinateY`` are the corner of the smallest coordinates, ``_Width`` and
    ``_Height`` the sides, all in pixels of the micrograph; a ``.cbox`` holds every box above the
    lowest threshold, not only the picked. Raises `InputError` for another file.
    """
    blocks = read_star(path)
    table = blocks.get(BLOCK)
    if table is None or table.column("CoordinateX") is None:
        msg = f"{path}: holds no data_{BLOCK} with _CoordinateX; accepted is a .cbox of crYOLO"
        raise InputError(msg)
    corner = [numbers(path, table, f"Coordinate{axis}") for axis in "XY"]
    sides = [numbers(path, table, side) for side in ("Width", "Height")]
    x, y = (c + s / 2 for c, s in zip(corner, sides, strict=True))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        msg = f"{path}: a box without corner or side; accepted are _Width and _Height in pixels"
        raise InputError(msg)
    return best_first(
        Picks(
            subject=subject,
            x_px=x,
            y_px=y,
            score=numbers(path, table, "Confidence"),
            diameter_a=np.full(len(x), np.nan),
        )
    )
