"""The pages of classification: figures, sheets, everything escaped, light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cryoverdict.engine.classification_decision.deciding import decide_classification
from cryoverdict.engine.classification_decision.pick_facts import PickFacts
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.reports.chart import bar_chart, error_chart, line_chart
from cryoverdict.reports.class_sheet import ClassTile, grey
from cryoverdict.reports.classification_decision_report import report_decision
from cryoverdict.reports.classification_page import (
    ClassificationPage,
    Trial,
    TriedMask,
    write_classification_page,
)
from cryoverdict.reports.classification_report import report_snapshot
from cryoverdict.rules.rule_loader import load_rules

if TYPE_CHECKING:
    from tests.reports.chromium import Chromium

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
AVERAGES = np.random.default_rng(1).standard_normal((3, 20, 20)).astype(np.float32)


def page_of(folder: Path) -> Path:
    masks = tuple(
        TriedMask(diameter=f"{d} Å", score="50 ± 4 bits", chosen=d == 110, averages=AVERAGES[:2])
        for d in (100, 110)
    )
    chart = error_chart("Shared detail", "Å", [(100.0, 50.0, 4.0), (110.0, 60.0, 5.0)])
    curve = line_chart("Classes", "iteration", [("alive", [1.0, 2.0, 3.0], [5.0, None, 9.0])])
    bars = bar_chart("Sizes", "class", [0.5, 1.5, 2.5], [7.0, 3.0])
    assert chart is not None
    assert curve is not None
    assert bars is not None
    page = ClassificationPage(
        title="2D classification",
        sentence=f"Of {HOSTILE}.",
        numbers=(("particles", "10"),),
        notes=(HOSTILE,),
        averages=AVERAGES,
        tiles=(
            ClassTile(number=2, address="", count=7, share=0.7, resolution_a=12.3),
            ClassTile(number=1, address="", count=3, share=0.3, resolution_a=None),
            ClassTile(number=3, address="", count=0, share=0.0, resolution_a=None),
        ),
        curves=(curve,),
        histograms=(bars,),
        trial=Trial(sentence="Tried.", chart=chart, masks=masks),
    )
    return write_classification_page(folder / "report", page)


def test_a_run_that_goes_on_has_a_page_that_loads_itself_anew(tmp_path: Path) -> None:
    history = [
        {"start": 1, "number": n, "total": 25, "alive": 3, "compared_a": 30.0 - n}
        for n in range(1, 11)
    ]
    page = report_snapshot(tmp_path, AVERAGES, history).read_text(encoding="utf-8")
    assert "Iteration 10 of 25 is done." in page
    assert re.search(r'<meta http-equiv="refresh" content="\d+"', page)
    assert len(list((tmp_path / "report").rglob("*.png"))) + page.count("data:image/png") > 0
    finished = page_of(tmp_path / "done").read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' not in finished


def test_lines_break_where_nothing_is_known() -> None:
    chart = line_chart("a", "i", [("x", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, None, 4.0])])
    assert chart is not None
    assert chart.series[0].path.count("M") == 2
    assert [t.text for t in chart.y_ticks] == ["1", "2", "3", "4"]
    assert line_chart("a", "i", [("x", [1.0], [None])]) is None


def test_bars_stand_on_the_axis_and_the_tallest_reaches_the_top() -> None:
    chart = bar_chart("a", "px", [0.0, 1.0, 2.0], [2.0, 4.0])
    assert chart is not None
    feet = re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", chart.series[0].path)
    assert {float(foot) for foot, _ in feet} == {chart.bottom}
    heights = [chart.bottom - float(top) for _, top in feet]
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.02)
    assert heights[1] == pytest.approx(chart.bottom - chart.top)
    assert bar_chart("a", "px", [0.0, 1.0], [0.0]) is None


def test_error_bars_span_the_interval() -> None:
    chart = error_chart("a", "Å", [(100.0, 50.0, 5.0), (120.0, 50.0, 2.5)])
    assert chart is not None
    spans = [
        float(low) - float(high)
        for low, high in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", chart.series[0].path)
    ]
    assert spans[0] == pytest.approx(2 * spans[1], rel=0.02)
    assert error_chart("a", "Å", []) is None


def test_an_average_fills_the_grey_scale_and_a_flat_one_is_black() -> None:
    shown = grey(AVERAGES[0])
    assert (shown.min(), shown.max()) == (0, 255)
    assert grey(np.full((4, 4), 3.0, np.float32)).max() == 0


def test_the_page_shows_classes_by_the_order_given_and_escapes(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    html = page.read_text()
    assert HOSTILE not in html
    assert re.findall(r'id="class-(\d)"', html) == ["2", "1", "3"]
    assert "12.3 Å" in html
    assert "no resolution" in html
    for address in re.findall(r'src="([^"]+\.png)"', html):
        assert (page.parent / address).is_file(), address
    assert len(re.findall(r"<figure class=\"mask", html)) == 2
    assert len(re.findall(r"mask chosen", html)) == 1


def test_the_page_of_a_decision_says_who_settled_what(tmp_path: Path) -> None:
    rules = load_rules("classification", features=CLASSIFICATION.units())
    facts = {"particle_count": 9000.0, "diameter_a": 150.0, "pixel_size_a": 1.0}
    decided = decide_classification(PickFacts(facts=facts), rules, name="picks")
    html = report_decision(tmp_path, decided, notes=("A note.",)).read_text()
    for parameter in CLASSIFICATION.parameters:
        assert f'id="parameter-{parameter.name}"' in html
    assert "classification-box-wide" in html
    assert "A note." in html


@pytest.mark.browser
def test_the_page_opens_without_faults_in_light_and_dark(browser: Chromium, tmp_path: Path) -> None:
    browser.events.clear()
    browser.send("Page.navigate", url=page_of(tmp_path).as_uri())
    browser.run(
        "new Promise((done) => { const look = () => document.readyState === 'complete'"
        " ? done(true) : setTimeout(look, 5); look(); })"
    )
    grounds = []
    for theme in ("light", "dark"):
        browser.run(f"document.documentElement.dataset.theme = '{theme}'")
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
    assert browser.run("document.title") == "2D classification · cryoverdict"
    assert (
        browser.run("[...document.images].filter(i => i.complete && !i.naturalWidth).length") == 0
    )
    assert browser.faults() == []
