"""Regions held for contamination that are filled with particles are picked, others are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.pick_micrograph import pick_image
from cryoverdict.features.area_map import AreaKind
from tests.engine.picking.painted import DIAMETER_A, PIXEL_A, lattice, painted, parameters

SIDE = 320
PLACES = lattice()


def _disc(place: NDArray[np.float64], radius_px: float) -> NDArray[np.bool_]:
    """Return the pixels of a disc."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(rows - place[0], columns - place[1]) < radius_px)


def _picked(barren: NDArray[np.bool_], code: AreaKind, ceiling: float = 1000.0) -> int:
    """Return how many balls are picked in a region of a kind."""
    kind = np.where(barren, np.uint8(code), np.uint8(AreaKind.USABLE))
    picks = pick_image(
        painted(PLACES, kind=kind.astype(np.uint8)), parameters(score_ceiling=ceiling)
    )
    rows, columns = np.rint(picks.y_px).astype(int), np.rint(picks.x_px).astype(int)
    return int(barren[rows, columns].sum())


def test_a_ball_held_for_contamination_is_picked() -> None:
    radius = 0.5 * DIAMETER_A / PIXEL_A
    on = _disc(PLACES[10], radius) | _disc(PLACES[30], radius)
    assert _picked(on, AreaKind.CONTAMINATION) == 2
    assert _picked(on, AreaKind.AGGREGATE) == 2
    assert _picked(on, AreaKind.FILM) == 0


def test_contamination_that_balls_do_not_fill_stays() -> None:
    radius = 0.5 * DIAMETER_A / PIXEL_A
    assert _picked(_disc(PLACES[10], 1.4 * radius), AreaKind.CONTAMINATION) == 0
    # As large as many particles, though full of them.
    rows = slice(int(PLACES[0, 0]) - 12, int(PLACES[0, 0]) + 12)
    band = np.zeros((SIDE, SIDE), np.bool_)
    band[rows] = True
    assert _picked(band, AreaKind.CONTAMINATION) == 0


def test_what_scores_higher_than_particles_stays() -> None:
    on = _disc(PLACES[10], 0.5 * DIAMETER_A / PIXEL_A)
    assert _picked(on, AreaKind.CONTAMINATION, ceiling=6.0) == 0


def test_what_was_held_for_contamination_is_said() -> None:
    on = _disc(PLACES[10], 0.5 * DIAMETER_A / PIXEL_A)
    kind = np.where(on, np.uint8(AreaKind.CONTAMINATION), np.uint8(AreaKind.USABLE))
    picks = pick_image(painted(PLACES, kind=kind.astype(np.uint8)), parameters())
    assert picks.notes == ("0.3% of it was held for contamination and is filled with particles",)
    assert pick_image(painted(PLACES), parameters()).notes == ()
