"""The page of class averages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cryoverdict.features.feature import Feature
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.class_page import ClassPage, ClassTile, write_class_page
from cryoverdict.reports.class_picture import draw_average
from cryoverdict.reports.report_error import ReportError

if TYPE_CHECKING:
    from tests.reports.chromium import Chromium

HOSTILE = "000003@<img src=x onerror=\"document.title='owned'\">.mrcs"


def record(i: int, outcome: str, subject: str) -> dict[str, Any]:
    log_odds = 1.5 - 0.5 * i
    return {
        "kind": "select-classes",
        "subject": subject,
        "outcome": outcome,
        "probability": 0.8,
        "favourable_probability": 1 / (1 + np.exp(-log_odds)),
        "grade": "fair" if outcome == "good" else None,
        "defects": [] if outcome == "good" else [{"name": "edge", "probability": 0.9}],
        "review": i == 2,
        "review_reasons": ["near"] if i == 2 else [],
        "gates": [],
        "prior_log_odds": 1.0,
        "evidence": [
            {
                "source": "rule",
                "name": "class-slope",
                "log_odds": log_odds - 1.0,
                "value": 0.3,
                "unit": "1",
                "text": "A slope.",
            }
        ],
        "could_not_say": [{"rule": "class-streaks", "missing": ["streak_score"]}],
        "counterfactual": None,
        "digests": {},
        "version": "0",
    }


def page_of() -> ClassPage:
    subjects = ["000001@a.mrcs", "000002@a.mrcs", HOSTILE, "000004@a.mrcs"]
    outcomes = ["good", "good", "good", "junk"]
    rng = np.random.default_rng(0)
    tiles = [
        ClassTile(
            record=record(i, o, s),
            grey=rng.integers(0, 255, (32, 32)).astype(np.uint8),
            number=i + 1,
            members=[10, 40, 20, 5][i],
            price="5 particles" if o == "junk" else "",
        )
        for i, (s, o) in enumerate(zip(subjects, outcomes, strict=True))
    ]
    feature = Feature(
        name="plane_share",
        unit="1",
        better="lower",
        meaning="A share.",
        source="here",
        function=lambda _: 0.0,
    )
    table = FeatureTable.of({s: {"plane_share": 0.1} for s in subjects}, [feature])
    return ClassPage(
        tiles=tiles,
        table=table,
        features=[feature],
        guards=[
            (True, "rejected-classes: run", "fine"),
            (False, "rejected-particles: run", "much"),
        ],
        particles=(70, 5),
        outliers="2 of 70 are outliers.",
        price="25% of the classes",
        rules=[
            {
                "id": "class-slope",
                "title": "A slope runs",
                "effect": "against",
                "because": "",
                "fired": 4,
                "could_not_say": 0,
                "fired_alone": 1,
            }
        ],
        notes=["A note."],
        errors={"x.png": "cannot be read"},
    )


def test_the_page_says_what_was_decided(tmp_path: Path) -> None:
    path = write_class_page(tmp_path / "report", page_of())
    html = path.read_text(encoding="utf-8")
    assert "3 of 4 classes good, 70 of 75 particles kept (93.3 %), 1 images" in html
    assert html.count('class="tile ') == 4
    assert "raised" in html
    assert "2 of 70 are outliers." in html
    assert "<img src=x" not in html
    # The most probable class stands first.
    assert html.index('data-number="1"') < html.index('data-number="4"')
    assert len(list((tmp_path / "report" / "pictures").glob("*.png"))) == 4


def test_another_outcome_is_refused(tmp_path: Path) -> None:
    page = page_of()
    page.tiles[0].record["outcome"] = "keep"  # type: ignore[index]
    with pytest.raises(ReportError, match="accepted is good or junk"):
        write_class_page(tmp_path / "report", page)


def test_a_picture_is_bright_where_the_particle_is() -> None:
    image = np.zeros((400, 400), dtype=np.float32)
    image[180:220, 180:220] = -1.0
    drawn = draw_average(image, inverted=True)
    assert drawn.shape[0] <= 192
    middle = drawn.shape[0] // 2
    assert drawn[middle, middle] == 255
    assert drawn[3, 3] == 0


@pytest.mark.browser
def test_a_reader_filters_orders_and_opens(browser: Chromium, tmp_path: Path) -> None:
    browser.events.clear()
    page = write_class_page(tmp_path / "report", page_of())
    browser.send("Page.navigate", url=page.as_uri())
    browser.run(
        "new Promise((d) => { const l = () => (window.cryoverdict && cryoverdict.classes) ? d(1) :"
        " setTimeout(l, 20); l(); })"
    )
    assert browser.run("cryoverdict.classes.shown()") == [1, 2, 3, 4]
    browser.run("document.querySelector('.sheet-tools [data-outcome=junk]').click()")
    assert browser.run("cryoverdict.classes.shown()") == [4]
    browser.run("document.querySelector('.sheet-tools [data-outcome=junk]').click()")
    browser.run(
        "(() => { const o = document.getElementById('order'); o.value = 'members';"
        " o.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run("cryoverdict.classes.shown()") == [2, 3, 1, 4]
    browser.run("cryoverdict.classes.open(2)")
    assert browser.run("document.querySelector('#detail .folder').textContent") == HOSTILE
    assert browser.run("document.querySelector('#detail .total').textContent") == "+0.50"
    assert "Flagged for review" in browser.run("document.getElementById('detail').textContent")
    assert browser.run("document.title").startswith("Classes")
    assert browser.faults() == []
