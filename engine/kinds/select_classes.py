"""Which class averages are good, and what is wrong with the others."""

from __future__ import annotations

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.features.class_families import class_features

SELECT_CLASSES = DecisionKind(
    id="select-classes",
    favourable="good",
    unfavourable="junk",
    grades=("sharp", "fair"),
    defects=(
        "empty",
        "noise",
        "edge",
        "clipped",
        "off_centre",
        "neighbours",
        "fuzzy",
        "overfit",
        "ice",
        "contamination",
        "duplicate_view",
    ),
    features=class_features,
)
