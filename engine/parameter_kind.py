"""A kind of parameter decision: which parameters are settled, and what is known when they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryoverdict.rules.rule import DecisionKind as KindId


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number that a step needs: its name with unit suffix, its unit, and what it does.

    ``whole`` parameters are counts or switches (0 or 1) and are rounded after all bounds.
    """

    name: str
    unit: str
    meaning: str
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number known of the whole data set before the parameters are settled."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterKind:
    """What every decision of one kind of parameters has in common.

    ``parameters`` are settled in their order: the rules of each may speak of all ``facts`` and of
    the parameters before it.
    """

    id: KindId
    facts: tuple[Fact, ...]
    parameters: tuple[Parameter, ...]

    def units(self) -> Mapping[str, str]:
        """Return the unit of every name that the rules may use."""
        known = {fact.name: fact.unit for fact in self.facts}
        return known | {p.name: p.unit for p in self.parameters}
