"""What every outside picker is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingOrder:
    """What a picker shall do: these micrographs, with these parameters, in this folder.

    ``folder`` is its own to work in. ``threads`` copies of the program may run at a time.
    """

    subjects: Sequence[PickingMicrograph]
    parameters: PickingParameters
    templates: Templates | None
    folder: Path
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsidePicker:
    """A program that picks: its name, the program looked for, and how it is asked.

    ``pick`` returns the picks of each subject in full-size pixels of RELION's convention, what the
    program scored as its score; a subject it found nothing in may be left out. It raises
    `ProgramError` where the program is absent or fails, and leaves out subjects whose image cannot
    be read.
    """

    name: str
    program: str
    pick: Callable[[PickingOrder], Mapping[str, Picks]]
