"""The kinds of decision, one file each, and the tuples that register them."""

from __future__ import annotations

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.kinds.further_round import FURTHER_ROUND
from cryoverdict.engine.kinds.keep_particles import KEEP_PARTICLES
from cryoverdict.engine.kinds.learning import LEARNING
from cryoverdict.engine.kinds.micrograph_yield import MICROGRAPH_YIELD, EvidenceKind
from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.parameter_kind import ParameterKind

KINDS: tuple[DecisionKind, ...] = (REJECT_MICROGRAPHS, SELECT_CLASSES)

# The kinds that settle parameters instead of judging subjects.
PARAMETER_KINDS: tuple[ParameterKind, ...] = (PICKING, CLASSIFICATION)

# The rules over facts of an earlier step, which add to its decision or follow it with one.
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = (
    MICROGRAPH_YIELD,
    KEEP_PARTICLES,
    FURTHER_ROUND,
    LEARNING,
)
