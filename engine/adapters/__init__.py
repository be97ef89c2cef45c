"""Outside programs, one file each, and the tuples that register them."""

from __future__ import annotations

from cryoverdict.engine.adapters.outside_picker import OutsidePicker
from cryoverdict.engine.adapters.relion_autopick import RELION
from cryoverdict.engine.adapters.topaz import TOPAZ

# The programs that pick, by the name that `pick --picker` gives them.
PICKERS: tuple[OutsidePicker, ...] = (RELION, TOPAZ)
