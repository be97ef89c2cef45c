"""What a number is counted in, and what becomes of that in arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

SYMBOLS: Mapping[str, str] = MappingProxyType({"A": "Å", "um": "µm", "deg": "°", "count": "counts"})
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A product of powers of base units: ``{"A": 1, "px": -1}`` is Å a pixel, ``{}`` a pure number.

    No unit is turned into another: a rule that compares Å with µm is refused, not converted.
    """

    powers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, unit: str) -> Dimension:
        """Return the dimension of a feature's unit; ``"1"`` is a pure number."""
        return cls({} if unit == "1" else {unit: 1})

    def times(self, other: Dimension, sign: int = 1) -> Dimension:
        """Return the dimension of a product, or with ``sign=-1`` of a quotient."""
        powers = dict(self.powers)
        for unit, power in other.powers.items():
            powers[unit] = powers.get(unit, 0) + sign * power
        return Dimension({unit: power for unit, power in sorted(powers.items()) if power})

    @property
    def unit(self) -> str:
        """The unit as features name it: ``"1"``, ``"A"``, ``"A/px"``, ``"A^2"``."""
        above = [_power(u, p) for u, p in self.powers.items() if p > 0]
        below = [_power(u, -p) for u, p in self.powers.items() if p < 0]
        return "/".join(["*".join(above) or "1", *below])


def _power(unit: str, power: int) -> str:
    """Return ``A`` or ``A^2``."""
    return unit if power == 1 else f"{unit}^{power}"


def symbol(unit: str) -> str:
    """Return a unit as a page prints it: nothing for a pure number, ``Å`` for ``A``.

    >>> symbol("A^2/px")
    'Å²/px'
    """
    if unit == "1":
        return ""
    printed = []
    for part in unit.split("/"):
        factors = []
        for factor in part.split("*"):
            base, _, power = factor.partition("^")
            factors.append(SYMBOLS.get(base, base) + power.translate(_SUPERSCRIPTS))
        printed.append("·".join(factors))
    return "/".join(printed)


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit to three significant digits, without an exponent if short.

    >>> quantity(12345.6, "A"), quantity(0.12345, "1"), quantity(45.0, "deg")
    ('12300 Å', '0.123', '45°')
    """
    number = f"{value:.3g}"
    if "e" in number and 1e-4 <= abs(value) < 1e7:
        number = f"{float(number):.0f}" if abs(value) >= 1 else f"{float(number):.6f}".rstrip("0")
    mark = symbol(unit)
    return number + ("" if mark in ("", "°") else " ") + mark
