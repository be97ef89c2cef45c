"""Which way up the given picks are: the micrographs tell where the particles lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.pick_micrograph import prepared_search
from cryoverdict.engine.picking.picking_image import PickingImage, read_picking_image
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.sought import sought
from cryoverdict.features.input_error import InputError

_Float = NDArray[np.float32]

# So many micrographs are asked, those with most picks.
MOST_ASKED = 6
# Standard errors by which one order must lie on particles more than the other.
PLAIN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOrder:
    """Whether rows count from the last one, and a sentence about how that was seen."""

    flipped: bool
    sentence: str


def row_order(
    subjects: Sequence[PickingMicrograph],
    stored: Mapping[str, Picks],
    flipped: Mapping[str, Picks],
    parameters: PickingParameters,
) -> RowOrder:
    """Return which reading of the same picks lies on what scores as particles.

    The built-in picker's scores at the places are compared, place by place. Where neither is
    plainly better, rows count as they are stored.
    """
    asked = sorted(
        (s for s in subjects if s.subject in stored),
        key=lambda s: (-len(stored[s.subject]), s.subject),
    )[:MOST_ASKED]
    differences = [_differences(s, stored, flipped, parameters) for s in asked]
    better = np.concatenate([np.zeros(0), *differences])
    count = len(better)
    error = float(better.std()) / max(count, 1) ** 0.5 if count > 1 else float("inf")
    evidence = float(better.mean()) / max(error, 1e-9) if count > 1 else 0.0
    if abs(evidence) < PLAIN:
        said = "the micrographs do not tell how the rows of the given picks count: as stored"
        return RowOrder(flipped=False, sentence=said)
    turned = evidence > 0.0
    order = "from the last one" if turned else "as they are stored"
    return RowOrder(
        flipped=turned,
        sentence=(
            f"the rows of the given picks count {order}: there {count} places score "
            f"{abs(float(better.mean())):.2f} deviations more than the other way up"
        ),
    )


def _differences(
    subject: PickingMicrograph,
    stored: Mapping[str, Picks],
    flipped: Mapping[str, Picks],
    parameters: PickingParameters,
) -> NDArray[np.float64]:
    """Return how much more each place scores when flipped; none where the file cannot be read."""
    try:
        image = read_picking_image(
            subject, parameters.picking_pixel_size_a, sign=parameters.contrast_sign
        )
    except (InputError, OSError):
        return np.zeros(0)
    made = prepared_search(image, parameters, sought(parameters, None))
    score, _ = made.detector.scores(made.detector.field.transform)
    name = subject.subject
    return _at(score, image, flipped[name]) - _at(score, image, stored[name])


def _at(score: _Float, image: PickingImage, picks: Picks) -> NDArray[np.float64]:
    """Return the scores at places of the full-size micrograph."""
    rows = np.rint((picks.y_px + 0.5) / image.step[0] - 0.5).astype(np.intp)
    columns = np.rint((picks.x_px + 0.5) / image.step[1] - 0.5).astype(np.intp)
    height, width = score.shape
    return score[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].astype(np.float64)
