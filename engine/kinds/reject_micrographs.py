"""Which micrographs to keep, and what is wrong with the others."""

from __future__ import annotations

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.features.families import micrograph_features

REJECT_MICROGRAPHS = DecisionKind(
    id="reject-micrographs",
    favourable="keep",
    unfavourable="reject",
    grades=("great", "decent"),
    defects=(
        "contamination",
        "film",
        "empty_no_ice",
        "empty_vitreous_ice",
        "crystalline_ice",
        "thick_ice",
        "drift",
        "bad_ctf",
        "broken_exposure",
        "low_dose",
    ),
    features=micrograph_features,
)
