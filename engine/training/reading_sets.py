"""Labelled sets as they are named on a command line: folders, folders of folders, the reference."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.training.labelled_set import LABELS, LabelledSet, read_labelled_sets

REFERENCE = "reference"


def read_sets(places: Sequence[Path], *, reference: bool = False) -> list[LabelledSet]:
    """Return the labelled sets at some places, in order, after those of the shipped reference.

    A place is a folder with ``labels.csv``, or a folder whose folders have one. Raises
    `EngineError` for a place without any.
    """
    sets = read_reference() if reference else []
    for place in places:
        found = [place] if (place / LABELS).exists() else []
        found = found or sorted(p.parent for p in place.glob(f"*/{LABELS}"))
        if not found:
            msg = f"{place}: no labelled set; accepted is a folder with {LABELS} in it or below"
            raise EngineError(msg)
        for folder in found:
            sets += read_labelled_sets(folder)
    return sets


def read_reference() -> list[LabelledSet]:
    """Return the reference catalogue that ships with the package: features and labels, no pixels.

    Raises `EngineError` where this installation has none.
    """
    place = files("cryoverdict.engine.training").joinpath(REFERENCE)
    if not place.joinpath(LABELS).is_file():
        msg = "this installation has no reference catalogue; make one with `catalogue simulate`"
        raise EngineError(msg)
    with as_file(place) as folder:
        return read_labelled_sets(folder)
