"""How the final stack is cut: the settings of extraction, at the final box and pixel size."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.extraction.extraction_settings import (
    LEAST_BOX_PX,
    USUAL_RADIUS,
    ExtractionSettings,
)


def stack_settings(
    settings: ExtractionSettings,
    micrograph_pixel_size_a: float | None,
    *,
    box_px: int | None = None,
    pixel_size_a: float | None = None,
) -> ExtractionSettings:
    """Return the settings of the final stack; without a wish, unbinned at the decided box.

    ``box_px`` counts micrograph pixels. For a wished ``pixel_size_a`` the binned box is the even
    number that comes closest. The background radius stays the same in Å, unless the new box is too
    small for it: then it is the usual 3/8 of the box. Raises `EngineError` for a pixel size finer
    than the micrograph's or where that is not known.
    """
    box = settings.box_px if box_px is None else box_px
    binned = box
    if pixel_size_a is not None:
        if micrograph_pixel_size_a is None:
            msg = "the micrographs' pixel size is unknown, so no stack pixel size can be held"
            raise EngineError(msg)
        if not 0.999 * micrograph_pixel_size_a <= pixel_size_a < inf:
            msg = (
                f"the stack's pixel size is {pixel_size_a:g} Å; accepted is the micrographs' "
                f"{micrograph_pixel_size_a:g} Å or more"
            )
            raise EngineError(msg)
        binned = min(box, 2 * round(box * micrograph_pixel_size_a / pixel_size_a / 2.0))
        if binned < LEAST_BOX_PX <= box:
            msg = (
                f"the stack's pixel size is {pixel_size_a:g} Å, which leaves {binned} px of the "
                f"box of {box}; accepted are at least {LEAST_BOX_PX}"
            )
            raise EngineError(msg)
    radius = round(settings.background_radius_px * settings.binning * binned / box)
    if 2 * radius >= binned:
        radius = round(USUAL_RADIUS * binned)
    return replace(
        settings,
        box_px=box,
        binned_box_px=binned,
        background_radius_px=max(1, radius),
        binned_pixel_size_a=None
        if settings.binned_pixel_size_a is None
        else settings.binned_pixel_size_a / settings.binning * box / max(binned, 1),
    )
