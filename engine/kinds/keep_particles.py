"""Which particles of good classes are outliers: decided by rules alone, for all at once."""

from __future__ import annotations

from cryoverdict.engine.kinds.micrograph_yield import EvidenceKind
from cryoverdict.engine.parameter_kind import Fact

KEEP_PARTICLES = EvidenceKind(
    id="keep-particles",
    decision="select-classes",
    facts=(
        Fact(
            name="likelihood_outlier",
            unit="1",
            meaning="Log-likelihood of a particle about its micrograph's median, in robust "
            "deviations of its class.",
        ),
        Fact(
            name="probability_ratio",
            unit="1",
            meaning="Probability of a particle's best place, relative to the median of its class.",
        ),
        Fact(
            name="offset_outlier",
            unit="1",
            meaning="Length of a particle's shift, in robust deviations of its class.",
        ),
    ),
)
