"""Asking the accepted micrographs how they should be picked."""

from __future__ import annotations

from collections.abc import Sequence

from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.templates import Templates


def survey(
    subjects: Sequence[PickingMicrograph],
    *,
    given_diameter_a: float | None = None,
    class_averages: Templates | None = None,
    threads: int = 1,
    seed: int = 0,
) -> PickingSurvey:
    """Return what the micrographs say of how to pick.

    ``class_averages`` are the good class averages of round one. Raises `InputError` where no
    micrograph can be used.
    """
    raise NotImplementedError
