"""Which micrographs to keep, and what is wrong with the others."""

from __future__ import annotations

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.features.families import micrograph_features
from cryoverdict.rules.rule import DEFECTS

REJECT_MICROGRAPHS = DecisionKind(
    id="reject-micrographs",
    favourable="keep",
    unfavourable="reject",
    grades=("great", "decent"),
    defects=DEFECTS["reject-micrographs"],
    features=micrograph_features,
)
