"""How a number and its unit are written on every page; ``assets/frame.js`` follows it."""

from __future__ import annotations

from math import isfinite

UNIT_SIGNS = {"1": "", "A": "Å", "um": "µm", "deg": "°", "px": "px", "count": ""}
DIGITS = 4
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_number(value: float | None, digits: int = DIGITS) -> str:
    """Write a number with ``digits`` significant digits, as a reader wants it.

    An unknown number is a dash; the minus is the typographic one; from 1,000 the thousands are
    set apart; what is very large or very small gets a power of ten.

    >>> write_number(-1234.5678), write_number(0.00001234), write_number(None)
    ('−1,235', '1.234×10⁻⁵', '–')
    """
    if value is None or not isfinite(value):
        return "–"
    size = abs(value)
    sign = "−" if value < 0 else ""
    if size != 0 and (size >= 1e7 or size < 1e-3):
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{_trimmed(mantissa)}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    whole = len(str(int(size)))
    decimals = 0 if size == int(size) else max(0, digits - (whole if size >= 1 else 0))
    text = f"{size:,.{decimals}f}"
    return sign + (_trimmed(text) if decimals else text)


def write_quantity(value: float | None, unit: str, digits: int = DIGITS) -> str:
    """Write a number with the sign of its unit (`UNIT_SIGNS`; an unknown unit stands as it is).

    >>> write_quantity(4.2, "A"), write_quantity(90.0, "deg"), write_quantity(0.5, "1")
    ('4.2 Å', '90°', '0.5')
    """
    sign = UNIT_SIGNS.get(unit, unit)
    number = write_number(value, digits)
    if value is None or not sign:
        return number
    return number + sign if sign == "°" else f"{number} {sign}"


def write_share(part: int, whole: int) -> str:
    """Write a part of a whole in per cent, so that no part looks like none and none like all.

    >>> write_share(1, 3000), write_share(2999, 3000), write_share(0, 3), write_share(0, 0)
    ('<0.1 %', '>99.9 %', '0 %', '–')
    """
    if whole == 0:
        return "–"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    percent = 100.0 * part / whole
    if percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if percent > 99.9 else f"{percent:.1f} %"


def _trimmed(text: str) -> str:
    """Drop the zeros at the end of a decimal fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text
