"""The table of a parameter decision: who settled what, by whose word, inside which bounds."""

from __future__ import annotations

from typing import Any

from cryoverdict.reports.frame import environment
from cryoverdict.reports.parameter_evidence import STRIP_WIDTH, parameter_rows


def record(**changes: Any) -> dict[str, Any]:
    """Return the record of a decision on one parameter."""
    evidence = [
        {
            "source": "statistics",
            "name": "statistics",
            "does": "estimate",
            "value": 150.0,
            "unit": "A",
            "text": "Measured <b>so</b>.",
            "decided": True,
        },
        {
            "source": "rule",
            "name": "wide-enough",
            "does": "at_least",
            "value": 60.0,
            "unit": "A",
            "text": "Nothing smaller is seen.",
            "decided": False,
        },
    ]
    plain = {
        "name": "diameter_a",
        "unit": "A",
        "meaning": "Particle diameter.",
        "whole": False,
        "value": 150.0,
        "settled_by": "statistics",
        "estimate": {"value": 150.0, "low": 140.0, "high": 170.0, "text": "Measured <b>so</b>."},
        "given": None,
        "evidence": evidence,
        "contradictions": ["60 is against 50"],
        "could_not_say": ["another-rule"],
    }
    return {"parameters": [{**plain, **changes}]}


def test_a_row_says_value_interval_and_each_word() -> None:
    (row,) = parameter_rows(record())
    assert (row.value, row.interval, row.settled_by) == ("150 Å", "95 %: 140 to 170 Å", "measured")
    said = [(e.does, e.value, e.decided) for e in row.evidence]
    assert said == [("measured", "150 Å", True), ("at least", "60 Å", False)]
    assert row.contradictions == ("60 is against 50",)
    assert row.could_not_say == ("another-rule",)


def test_the_strip_keeps_the_order_of_what_was_said() -> None:
    (row,) = parameter_rows(record(given=165.0))
    strip = row.strip
    assert strip is not None
    assert strip.low is not None
    assert strip.high is not None
    assert strip.given is not None
    assert 0 < strip.low < strip.value < strip.given < strip.high < STRIP_WIDTH
    assert strip.at_least is None, "a bound far off would squeeze the rest"
    near = [{**record()["parameters"][0]["evidence"][1], "value": 135.0}]
    (row,) = parameter_rows(record(evidence=near))
    assert row.strip is not None
    assert row.strip.at_least is not None
    assert row.strip.low is not None
    assert row.strip.at_least < row.strip.low


def test_without_anything_to_compare_there_is_no_strip() -> None:
    assert parameter_rows(record(estimate=None))[0].strip is None
    assert parameter_rows(record(value=None, settled_by="none"))[0].value == "–"


def test_the_table_escapes_what_was_said_and_marks_who_decided() -> None:
    html = environment().get_template("parameters.html").render(parameters=parameter_rows(record()))
    assert "<b>so</b>" not in html
    assert "Measured &lt;b&gt;so&lt;/b&gt;." in html
    decided = html.split('class="decided"')[1].split("</li>")[0]
    assert "150 Å" in decided
    assert "wide-enough" not in decided
    assert '<p class="note">60 is against 50</p>' in html
