"""The scores of a data set under some parameters, beside what chance gives, and the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.competition import competing_discoveries
from cryoverdict.engine.picking.discoveries import Discoveries
from cryoverdict.engine.picking.found import Found
from cryoverdict.engine.picking.noise import phase_randomised
from cryoverdict.engine.picking.peaks import apart
from cryoverdict.engine.picking.pick_micrograph import prepared_search
from cryoverdict.engine.picking.picking_image import PickingImage, rebinned
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.search import Search
from cryoverdict.engine.picking.sought import sought
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking.trial import inside_usable

_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]

FLOOR = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """The scores of each micrograph, those of its phase-randomised copy, and both together."""

    scores: tuple[_Double, ...]
    null_scores: tuple[_Double, ...]
    seen: Discoveries


def scored(
    images: Sequence[PickingImage],
    parameters: PickingParameters,
    templates: Templates | None,
    seed: int,
) -> Scored:
    """Return the scores that picking with some parameters gives, from the floor on."""
    own: list[Found] = []
    null: list[Found] = []
    spacings_px = []
    wanted = sought(parameters, templates)
    for number, image in enumerate(images):
        shown = rebinned(image, parameters.picking_pixel_size_a)
        made = prepared_search(shown, parameters, wanted)
        spacing_px = parameters.spacing_a / shown.pixel_size_a
        copy = phase_randomised(made.rest, np.random.default_rng((seed, 7, number)))
        own.append(_places(made, made.detector.field.transform, spacing_px))
        null.append(_places(made, copy, spacing_px))
        spacings_px.append(spacing_px)
    return Scored(
        scores=tuple(f.score for f in own),
        null_scores=tuple(n.score for n in null),
        seen=competing_discoveries(own, null, spacings_px),
    )


def _places(made: Search, transform: _Complex, spacing_px: float) -> Found:
    """Return the places of a transform that lie in the usable area, apart."""
    found = made.found(transform, FLOOR)
    found = found.only(inside_usable(made, found))
    return found.only(apart(found.y, found.x, spacing_px))
