"""What a rule does where it says yes."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.rules.dimension import quantity, symbol
from cryoverdict.rules.expression import Expression, text


@dataclass(frozen=True, slots=True)
class Reject:
    """A gate: the rule decides alone, for extremes and broken input only."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A warning: it is reported and changes no outcome."""


@dataclass(frozen=True, slots=True)
class LogOdds:
    """A weight; a positive ``value`` speaks for the favourable outcome (keep, good)."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """The default ``value`` of a ``parameter``, in ``unit``."""

    parameter: str
    value: Expression
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtLeast:
    """A lower bound of a ``parameter``, in ``unit``."""

    parameter: str
    value: Expression
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """An upper bound of a ``parameter``, in ``unit``."""

    parameter: str
    value: Expression
    unit: str


ParameterEffect = Set | AtLeast | AtMost
Effect = Reject | Flag | LogOdds | Set | AtLeast | AtMost


def describe_effect(effect: Effect) -> str:
    """Return what a rule does as words after «then»."""
    match effect:
        case Reject():
            return "reject, on its own"
        case Flag():
            return "warn, without changing the outcome"
        case LogOdds(value):
            side = "for" if value > 0 else "against"
            return f"{quantity(abs(value), '1')} log-odds {side} keeping"
        case Set() | AtLeast() | AtMost():
            verb = {Set: "set", AtLeast: "at least", AtMost: "at most"}[type(effect)]
            unit = symbol(effect.unit)
            return f"{verb} {effect.parameter} = {text(effect.value)}" + (f" ({unit})" * bool(unit))


def effect_record(effect: Effect) -> dict[str, object]:
    """Return an effect as a rule file writes it, for digests and ``--json``."""
    match effect:
        case Reject():
            return {"effect": "reject"}
        case Flag():
            return {"effect": "flag"}
        case LogOdds(value):
            return {"effect": {"log_odds": value}}
        case Set() | AtLeast() | AtMost():
            name = {Set: "set", AtLeast: "at_least", AtMost: "at_most"}[type(effect)]
            body = {
                "parameter": effect.parameter,
                "value": text(effect.value),
                "unit": effect.unit,
            }
            return {"effect": {name: body}}
