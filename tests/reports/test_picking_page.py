"""The page of picking: its figures, its gallery, and what it holds back from the page's start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cryoverdict.engine.picking.picks import DROP_REASONS
from cryoverdict.engine.picking_run.consensus import ALONE
from cryoverdict.engine.picking_run.picking_step import REJECTED
from cryoverdict.reports.picking_figures import (
    counts_figure,
    diameter_figure,
    picked_scores,
    score_figure,
)
from cryoverdict.reports.picking_page import (
    CHUNK,
    REASON_WORDS,
    Overlay,
    PickedRow,
    PickingPage,
    write_picking_page,
)

if TYPE_CHECKING:
    from tests.reports.chromium import Chromium
    from tests.reports.conftest import ReadScript

HOSTILE = "mics/<img src=x onerror=\"document.title='owned'\">&'.mrc"
DECISION: dict[str, Any] = {
    "review": True,
    "favourable_probability": 0.55,
    "prior_log_odds": 2.2,
    "evidence": [{"name": "yield-few", "log_odds": -2.0, "text": "Only <i>3</i> picks."}],
    "defects": [],
}


def name_of(i: int) -> str:
    """Return the name of a micrograph."""
    return HOSTILE if i == 1 else f"mics/m{i:04d}.mrc"


def rows(count: int) -> Iterator[PickedRow]:
    """Yield micrographs: the fourth of ten unreadable, the sixth rejected, the others kept."""
    for i in range(count):
        match i % 10:
            case 4:
                yield PickedRow(subject=name_of(i), outcome="error", reason="truncated")
            case 6:
                yield PickedRow(
                    subject=name_of(i), outcome="reject", reason="empty", decision=DECISION
                )
            case _:
                yield PickedRow(subject=name_of(i), outcome="keep", decision=DECISION)


def overlay(subject: str) -> Overlay | None:
    """Return picks for a micrograph of 400 rows and 600 columns, one more each time."""
    number = 1 if subject == HOSTILE else int(subject[6:10])
    if number % 10 == 4:
        return None
    k = np.arange(number % 7, dtype=float)
    return Overlay(
        shape=(400, 600),
        picks=np.stack([100 + 50 * k, 60 + 20 * k, 9 - k, np.full(k.shape, 40.0)], axis=1),
        dropped={"film": np.array([[500.4, 300.6]])},
        thumbnail=np.full((100, 150), 128, np.uint8),
        notes=("A note of its own.",) if number == 13 else (),
    )


def page_of(**changes: Any) -> PickingPage:
    """Return what stands on a page besides the gallery."""
    return PickingPage(title="Picking", sentence="Seen & <picked>.", **changes)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of 60 micrographs."""
    folder = tmp_path_factory.mktemp("picking") / "report"
    figures = [f for f in (counts_figure([3, 5, 4]), picked_scores(np.arange(9.0), 4.0)) if f]
    return write_picking_page(
        folder,
        page_of(figures=figures, bins=[("keep", "kept", 48), ("reject", "rejected", 6)]),
        rows=rows(60),
        overlay=overlay,
    )


def test_rows_and_picks_stand_in_files_of_their_own(written: Path, read_script: ReadScript) -> None:
    listed = read_script(written.parent / "data" / "rows.js")
    assert listed["subject"][:3] == ["mics/m0000.mrc", HOSTILE, "mics/m0002.mrc"]
    assert listed["count"][:6] == [0, 1, 2, 3, None, 5]
    assert listed["score"][:3] == [None, 9.0, 8.5]
    assert listed["review"][4:7] == [0, 1, 1]
    parts = sorted((written.parent / "data").glob("picks_*.js"))
    assert [len(read_script(p)) for p in parts] == [CHUNK, CHUNK, 60 - 2 * CHUNK]
    second = read_script(parts[0])[2]
    assert second["picks"] == [[100, 60, 9.0, 40], [150, 80, 8.0, 40]]
    assert second["dropped"] == {"film": [500, 301]}
    assert read_script(parts[0])[4] is None


def test_names_and_sentences_are_escaped(written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    assert "Seen &amp; &lt;picked&gt;." in html
    assert "onerror" not in html
    assert "onerror" in (written.parent / "data" / "rows.js").read_text()
    assert "<img src=x" not in (written.parent / "data" / "rows.js").read_text()


def test_the_same_picks_make_the_same_page(written: Path, tmp_path: Path) -> None:
    figures = [f for f in (counts_figure([3, 5, 4]), picked_scores(np.arange(9.0), 4.0)) if f]
    again = write_picking_page(
        tmp_path / "elsewhere",
        page_of(figures=figures, bins=[("keep", "kept", 48), ("reject", "rejected", 6)]),
        rows=rows(60),
        overlay=overlay,
    )
    one, other = written.parent, again.parent
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert all((one / n).read_bytes() == (other / n).read_bytes() for n in names)


def test_a_mark_stands_where_its_value_does() -> None:
    curves = {"diameters_a": np.array([100.0, 150.0, 200.0]), "size_evidence": np.arange(3.0)}
    parameter = {"value": 150.0, "given": 125.0, "estimate": {"low": 90.0, "high": 175.0}}
    made = diameter_figure(curves, parameter)
    assert made is not None
    left, width = made.chart.left, made.chart.right - made.chart.left
    assert [(m.tone, m.at) for m in made.marks] == [
        ("given", left + width / 4),
        ("value", left + width / 2),
    ]
    assert made.marks[1].text == "settled 150 Å"
    assert made.band == pytest.approx((left, width * 3 / 4), abs=0.01)


def test_a_histogram_is_drawn_bin_by_bin_with_chance_beside_it() -> None:
    curves = {
        "score_edges": np.array([0.0, 1.0, 2.0]),
        "score_counts": np.array([10.0, 5.0]),
        "null_counts": np.array([5.0, 0.0]),
    }
    made = score_figure(curves, None)
    assert made is not None
    picks, chance = made.chart.series
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", picks.path)]
    foot = made.chart.bottom
    assert heights[0] == heights[-1] == foot
    assert (foot - heights[1]) == pytest.approx(2 * (foot - heights[3]), abs=0.2)
    assert chance.name == "chance"
    assert score_figure({"score_edges": np.arange(2.0), "score_counts": np.ones(4)}, None) is None


def test_long_lists_are_drawn_by_medians() -> None:
    made = counts_figure([7] * 20_000)
    assert made is not None
    assert made.chart.series[0].path.count("L") < 1500
    assert "median is 7 " in made.text


@pytest.mark.browser
def test_the_gallery_shows_what_is_asked_for_and_one_large(
    browser: Chromium, written: Path
) -> None:
    browser.events.clear()
    browser.open(written)
    browser.settle()
    shown = "cryoverdict.page.shown()"
    assert browser.run(shown) == [name_of(i) for i in range(60)]
    assert browser.run("document.title") == "Picking · cryoverdict"
    browser.run(
        "(() => { const s = document.getElementById('choose-show'); s.value = 'reject';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    browser.settle()
    assert browser.run(shown) == [name_of(i) for i in range(6, 60, 10)]
    browser.run(
        "(() => { const s = document.getElementById('choose-show'); s.value = 'keep';"
        " s.dispatchEvent(new Event('change'));"
        " const o = document.getElementById('choose-order'); o.value = 'most';"
        " o.dispatchEvent(new Event('change')); })()"
    )
    browser.settle()
    assert browser.run(shown)[0] == "mics/m0013.mrc"
    browser.click(".tile")
    browser.settle()
    assert browser.run("document.querySelector('#zoom h2').textContent") == "mics/m0013.mrc"
    text: str = browser.run("document.querySelector('#zoom .facts-of-one').textContent")
    assert "picks6" in text
    assert "on film1" in text
    assert "Only <i>3</i> picks." in text
    assert "A note of its own." in text
    # The overlay has the pick's colour where its ring is, and none between.
    ring = browser.run(
        "(() => { const c = document.querySelector('#zoom canvas');"
        " const s = c.width / 600; const p = c.getContext('2d');"
        " const at = (x, y) => p.getImageData(Math.round(x * s), Math.round(y * s), 1, 1).data[3];"
        " return [at(100.5 + 20, 60.5) > 60, at(100.5, 60.5)]; })()"
    )
    assert ring == [True, 0]
    browser.press("ArrowRight")
    browser.settle()
    assert browser.run("document.querySelector('#zoom h2').textContent") == "mics/m0020.mrc"
    assert browser.faults() == []
    assert [r for r in browser.requests() if not r.startswith(("file:", "data:", "about:"))] == []


@pytest.mark.browser
def test_a_page_of_two_thousand_holds_few_of_them_at_a_time(
    browser: Chromium, tmp_path: Path
) -> None:
    page = write_picking_page(
        tmp_path / "report",
        page_of(),
        rows=rows(2000),
        overlay=lambda s: None if (o := overlay_of(s)) is None else o,
    )
    browser.events.clear()
    took = browser.open(page)
    browser.settle()
    assert took < 4.0, "generous: two cores are shared, alone it takes a quarter of a second"
    assert browser.run("document.querySelectorAll('.tile').length") < 200
    loaded = [r for r in browser.requests() if "/picks_" in r]
    assert 0 < len(loaded) < 12
    assert browser.faults() == []


def overlay_of(subject: str) -> Overlay | None:
    """Return an overlay with a tiny picture, so that many are written fast."""
    found = overlay(subject)
    if found is None:
        return None
    return Overlay(
        shape=found.shape,
        picks=found.picks,
        dropped=found.dropped,
        thumbnail=np.full((4, 6), 128, np.uint8),
    )


def test_every_reason_that_picking_gives_has_words() -> None:
    given = {*DROP_REASONS, ALONE, REJECTED}
    assert given <= set(REASON_WORDS)
