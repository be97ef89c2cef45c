"""Numbers as pages write them."""

from __future__ import annotations

import pytest

from cryoverdict.reports.number import write_number, write_quantity, write_share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (3.14159, "3.142"),
        (0.12345, "0.1235"),
        (-42.5, "−42.5"),
        (1234567.0, "1,234,567"),
        (12345678.0, "1.235×10⁷"),
        (0.00012345, "1.234×10⁻⁴"),
        (99999.4, "99,999"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert write_number(value) == text


def test_quantity_has_the_sign_of_its_unit() -> None:
    units = ("A", "um", "deg", "px", "count", "1")
    assert [write_quantity(2.5, u) for u in units] == [
        "2.5 Å",
        "2.5 µm",
        "2.5°",
        "2.5 px",
        "2.5",
        "2.5",
    ]
    assert write_quantity(None, "A") == "–"


def test_share_never_hides_a_rest() -> None:
    assert [write_share(k, 5000) for k in (0, 1, 2500, 4999, 5000)] == [
        "0 %",
        "<0.1 %",
        "50.0 %",
        ">99.9 %",
        "100 %",
    ]
