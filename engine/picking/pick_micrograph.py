"""Picking one micrograph."""

from __future__ import annotations

from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates


def pick_micrograph(
    subject: PickingMicrograph,
    parameters: PickingParameters,
    templates: Templates | None = None,
) -> Picks:
    """Return the picks of one micrograph.

    Raises `InputError` where the image cannot be read or its pixel size is unknown.
    """
    raise NotImplementedError
