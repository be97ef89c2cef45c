"""Whether particles are classified once more after the bad ones among them are gone."""

from __future__ import annotations

from cryoverdict.engine.kinds.micrograph_yield import EvidenceKind
from cryoverdict.engine.parameter_kind import Fact

FURTHER_ROUND = EvidenceKind(
    id="further-round",
    decision="further-round",
    facts=(
        Fact(
            name="newly_rejected",
            unit="1",
            meaning="Share of the particles of a round that its selection rejected.",
        ),
        Fact(name="particles_left", unit="1", meaning="Particles that the round kept."),
        Fact(
            name="round_number",
            unit="1",
            meaning="Which round of 2D classification of the whole data set it was, from 1.",
        ),
    ),
)
