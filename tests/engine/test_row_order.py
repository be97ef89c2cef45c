"""Which way up cryoSPARC's picks are, asked of the micrographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_run.row_order import row_order
from cryoverdict.features.micrograph import Micrograph
from tests.engine.picking.painted import PIXEL_A, lattice, painted, parameters, write_micrograph

SIDE = 240


def picks(places: NDArray[np.float64]) -> Picks:
    """Return places (y, x) as the picks of a micrograph."""
    return Picks(
        subject="m.mrc",
        x_px=places[:, 1],
        y_px=places[:, 0],
        score=np.full(len(places), np.nan),
        diameter_a=np.full(len(places), np.nan),
    )


def turned(one: Picks) -> Picks:
    """Return picks whose rows count from the other end."""
    return replace(one, y_px=SIDE - 1.0 - one.y_px)


@pytest.fixture
def subject(tmp_path: Path) -> PickingMicrograph:
    """Return a micrograph of dark balls."""
    path = tmp_path / "m.mrc"
    write_micrograph(path, -painted(lattice(side=SIDE), side=SIDE).pixels, PIXEL_A)
    return PickingMicrograph(micrograph=Micrograph(subject="m.mrc", path=path))


@pytest.mark.parametrize("flipped", [False, True])
def test_the_order_that_lies_on_particles_is_taken(
    subject: PickingMicrograph, flipped: bool
) -> None:
    right = picks(lattice(side=SIDE))
    stored, other = (turned(right), right) if flipped else (right, turned(right))
    seen = row_order([subject], {"m.mrc": stored}, {"m.mrc": other}, parameters())
    assert seen.flipped is flipped
    assert ("from the last one" in seen.sentence) is flipped


def test_picks_of_nothing_count_as_stored(subject: PickingMicrograph) -> None:
    anywhere = picks(np.random.default_rng(1).uniform(10.0, SIDE - 10.0, (30, 2)))
    seen = row_order([subject], {"m.mrc": anywhere}, {"m.mrc": turned(anywhere)}, parameters())
    assert not seen.flipped
    assert "do not tell" in seen.sentence


def test_a_micrograph_that_is_gone_tells_nothing(
    subject: PickingMicrograph, tmp_path: Path
) -> None:
    gone = replace(subject, micrograph=replace(subject.micrograph, path=tmp_path / "gone.mrc"))
    right = picks(lattice(side=SIDE))
    seen = row_order([gone], {"m.mrc": turned(right)}, {"m.mrc": right}, parameters())
    assert not seen.flipped
