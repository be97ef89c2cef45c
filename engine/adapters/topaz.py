"""Picking by an installed Topaz with its pretrained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cryoverdict.engine.adapters.linked_micrographs import link_micrographs
from cryoverdict.engine.adapters.outside_picker import OutsidePicker, PickingOrder
from cryoverdict.engine.adapters.outside_program import find_program, run_program
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.topaz_picks import read_topaz

PROGRAM = "topaz"
# The shipped models were trained on particles about so many pixels wide (RELION's rule for the
# downscaling of Topaz), and never on less binned images than this.
MODEL_DIAMETER_PX = 71
LEAST_DOWNSCALE = 4
# Below the cut that RELION takes (−3), so that later steps choose.
SCORE_CUT = -3.0


def pick_with_topaz(order: PickingOrder) -> Mapping[str, Picks]:
    """Return what Topaz's pretrained model picks; raises `ProgramError` where that fails.

    The micrographs are binned by ``topaz preprocess`` so that a particle has about the size that
    the model was trained on, and the coordinates are scaled back.
    """
    program = find_program(
        PROGRAM, how="install topaz-em in an environment of its own, or use --picker builtin"
    )
    linked = link_micrographs(order.subjects, order.folder)
    found: dict[str, Picks] = {}
    sizes = sorted({m.optics.pixel_size_a for m in linked if m.optics.pixel_size_a is not None})
    for number, size in enumerate(sizes):
        mine = {Path(m.name).stem: m for m in linked if m.optics.pixel_size_a == size}
        scale = downscale(order.parameters, size)
        binned, table = f"binned_{number}", f"picks_{number}.txt"
        names = [m.name for m in mine.values()]
        steps = {
            "preprocess": [*preprocess_arguments(scale, binned, order.threads), *names],
            "extract": [
                *extract_arguments(order.parameters, size, scale, table, order.threads),
                *(f"{binned}/{stem}.mrc" for stem in mine),
            ],
        }
        for step, arguments in steps.items():
            log = order.folder / f"{step}_{number}.log"
            run_program([program, *arguments], folder=order.folder, log=log)
        for stem, picks in read_topaz(order.folder / table).items():
            if stem in mine:
                name = mine[stem].subject.subject
                found[name] = replace(picks, subject=name)
    return found


def downscale(parameters: PickingParameters, pixel_size_a: float) -> int:
    """Return by how much the micrographs are binned: as RELION does, at least 4.

    Micrographs that are too coarse for that already are binned less, never below 1.
    """
    across = parameters.diameter_a / pixel_size_a
    wanted = max(LEAST_DOWNSCALE, round(2.0 * across / MODEL_DIAMETER_PX))
    return max(1, min(wanted, int(across / 8.0)))


def preprocess_arguments(scale: int, folder: str, threads: int) -> list[str]:
    """Return the arguments of ``topaz preprocess``."""
    return ["preprocess", "-s", str(scale), "-o", folder, "-d", "-1", "-t", str(threads)]


def extract_arguments(
    parameters: PickingParameters, pixel_size_a: float, scale: int, table: str, threads: int
) -> list[str]:
    """Return the arguments of ``topaz extract``: its radius is half the spacing, in binned pixels.

    ``-x`` writes the coordinates in pixels of the full-size micrograph.
    """
    radius = max(1, round(parameters.spacing_a / 2.0 / pixel_size_a / scale))
    arguments = ["extract", "-r", str(radius), "-x", str(scale), "-t", f"{SCORE_CUT:g}"]
    return [*arguments, "-o", table, "-d", "-1", "--num-workers", str(threads)]


TOPAZ = OutsidePicker(name="topaz", program=PROGRAM, pick=pick_with_topaz)
