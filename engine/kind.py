"""A kind of decision: what is decided about what, from which measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryoverdict.features.feature import Feature
from cryoverdict.rules.rule import DecisionKind as KindId


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionKind:
    """What every decision of one kind has in common.

    ``favourable`` and ``unfavourable`` are the two outcomes; ``grades`` (best first) refine the
    favourable one, ``defects`` say what is wrong with a subject of the other. ``features`` gives
    the measurements that rules and models may speak of.
    """

    id: KindId
    favourable: str
    unfavourable: str
    grades: tuple[str, ...]
    defects: tuple[str, ...]
    features: Callable[[], tuple[Feature, ...]]

    def units(self) -> dict[str, str]:
        """Return the unit of each feature by name."""
        return {f.name: f.unit for f in self.features()}
