"""What rules say of a parameter: a default, a lowest and a highest value, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryoverdict.rules.effect import AtLeast, AtMost, Effect, Set
from cryoverdict.rules.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The findings that settle or bound one parameter, the deciding one of each kind first.

    ``defaults`` are in the order of the rules, ``lowest`` begins with the highest lower bound,
    ``highest`` with the lowest upper bound. ``could_not_say`` are the rules that might have.
    """

    parameter: str
    defaults: tuple[Finding, ...]
    lowest: tuple[Finding, ...]
    highest: tuple[Finding, ...]
    could_not_say: tuple[Finding, ...]

    @property
    def default(self) -> float | None:
        """The value that rules set, where one does."""
        return self.defaults[0].value if self.defaults else None

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Sentences that say which rules cannot both be followed; empty where all agree."""
        found = []
        for other in self.defaults[1:]:
            if other.value != self.default:
                found.append(_against(self.defaults[0], other, "sets", "sets"))
        if self.lowest and self.highest and _value(self.lowest[0]) > _value(self.highest[0]):
            found.append(_against(self.lowest[0], self.highest[0], "asks at least", "at most"))
        return tuple(found)

    def clip(self, value: float) -> tuple[float, Finding | None]:
        """Return a value inside the bounds and the finding that moved it.

        Where the bounds contradict each other, the lower one is followed; `contradictions`
        reports it.
        """
        if self.lowest and value < _value(self.lowest[0]):
            return _value(self.lowest[0]), self.lowest[0]
        contradict = (
            self.lowest and self.highest and (_value(self.lowest[0]) > _value(self.highest[0]))
        )
        if self.highest and value > _value(self.highest[0]):
            deciding = self.lowest[0] if contradict else self.highest[0]
            return _value(deciding), deciding
        return value, None


def bounds(findings: Iterable[Finding], parameter: str) -> Bounds:
    """Return what the findings of one subject say of a parameter."""
    mine = [f for f in findings if getattr(f.rule.effect, "parameter", None) == parameter]

    def fired(kind: type[Effect]) -> list[Finding]:
        """Return the findings of one kind of effect that have a value."""
        return [f for f in mine if isinstance(f.rule.effect, kind) and f.value is not None]

    return Bounds(
        parameter=parameter,
        defaults=tuple(fired(Set)),
        lowest=tuple(sorted(fired(AtLeast), key=_value, reverse=True)),
        highest=tuple(sorted(fired(AtMost), key=_value)),
        could_not_say=tuple(f for f in mine if f.fired is None),
    )


def _value(finding: Finding) -> float:
    """Return the value of a finding that fired."""
    if finding.value is None:
        raise AssertionError(finding.rule.id)
    return finding.value


def _against(one: Finding, other: Finding, first: str, second: str) -> str:
    """Return the sentence of a contradiction."""
    return f"{one.rule.id} {first} {_value(one):g} and {other.rule.id} {second} {_value(other):g}"
