"""The second look at a micrograph: what its picks say that its image did not."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.engine.parameter_kind import Fact
from cryoverdict.rules.rule import DEFECTS
from cryoverdict.rules.rule import DecisionKind as KindId


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceKind:
    """Rules that add evidence to a decision taken before, over facts of its subjects.

    ``id`` is that of the rules; the decisions they add to are of the kind ``decision``.
    """

    id: KindId
    decision: KindId
    facts: tuple[Fact, ...]

    @property
    def defects(self) -> tuple[str, ...]:
        """What a subject may turn out to be; empty where the rules point to nothing."""
        return DEFECTS.get(self.id, ())

    def units(self) -> dict[str, str]:
        """Return the unit of every fact by name."""
        return {fact.name: fact.unit for fact in self.facts}


MICROGRAPH_YIELD = EvidenceKind(
    id="micrograph-yield",
    decision="reject-micrographs",
    facts=(
        Fact(name="pick_count", unit="1", meaning="Picks in the micrograph."),
        Fact(
            name="pick_density",
            unit="1",
            meaning="Picks that a micrograph as usable as the best would have at this density.",
        ),
        Fact(
            name="pick_evenness",
            unit="1",
            meaning="Share of the field with picks, over the share that an even spread would have.",
        ),
        Fact(name="pick_score", unit="1", meaning="Median score of the picks."),
        Fact(
            name="dropped_fraction",
            unit="1",
            meaning="Fraction of the places with a pick's score that lie on film or contamination.",
        ),
    ),
)
