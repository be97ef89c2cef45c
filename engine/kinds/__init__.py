"""The kinds of decision, one file each, and the tuple that registers them."""

from __future__ import annotations

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS

KINDS: tuple[DecisionKind, ...] = (REJECT_MICROGRAPHS,)
