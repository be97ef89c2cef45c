"""The rules of a page: what each says, how often it spoke, and what it alone changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryoverdict.reports.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule as a page lists it.

    ``fired``, ``could_not_say`` and ``fired_alone`` count subjects; ``fired_alone`` are those
    against which no other rule spoke, the rule's marginal effect. ``None`` is a count nobody gave.
    """

    place: int
    id: str
    title: str
    effect: str
    because: str
    fired: int | None
    could_not_say: int | None
    fired_alone: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return what the page's scripts need to know."""
        return {"id": self.id, "title": self.title, "effect": self.effect, "because": self.because}


def rule_lines(rules: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> tuple[RuleLine, ...]:
    """Return the rules given, and after them those that fired though nobody described them."""
    given = {rule["id"]: rule for rule in rules}
    spoke = Counter(name for row in rows for name in row.fired)
    unknown = {
        name: {"id": name, "fired": spoke[name]} for name in sorted(spoke) if name not in given
    }
    return tuple(
        RuleLine(
            place=place,
            id=rule["id"],
            title=rule.get("title", ""),
            effect=rule.get("effect", ""),
            because=rule.get("because", ""),
            fired=rule.get("fired"),
            could_not_say=rule.get("could_not_say"),
            fired_alone=rule.get("fired_alone"),
        )
        for place, rule in enumerate([*given.values(), *unknown.values()])
    )
