"""The page as a reader meets it: in a browser, from the disk, without a network."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest

from cryoverdict.reports.index_page import PageLink, write_index
from cryoverdict.reports.micrograph_page import write_micrograph_page
from cryoverdict.reports.number import write_number

if TYPE_CHECKING:
    from tests.reports.chromium import Chromium
    from tests.reports.report_data import DataSet

pytestmark = pytest.mark.browser

HOSTILE = "mics/<img src=x onerror=\"document.title='owned'\"></script><script>1</script>'&.mrc"


def shown(browser: Chromium) -> list[str]:
    subjects: list[str] = browser.run("cryoverdict.page.shown()")
    return subjects


def text(browser: Chromium, selector: str) -> str:
    found: str = browser.run(f"document.querySelector({json.dumps(selector)}).textContent")
    return found


def detail_files(browser: Chromium) -> list[str]:
    return [Path(r).name for r in browser.requests() if "/details_" in r]


def test_page_opens_with_everything_and_without_faults(
    browser: Chromium, page: Path, data_set: DataSet
) -> None:
    browser.events.clear()
    browser.open(page)
    assert shown(browser)[:230] == [d["subject"] for d in data_set.decisions]
    counts = browser.run(
        "Object.fromEntries([...document.querySelectorAll('[data-count]')]"
        ".map((b) => [b.dataset.count, Number(b.textContent)]))"
    )
    assert counts == {
        "keep": data_set.ledger["bins"]["kept"],
        "reject": data_set.ledger["bins"]["rejected"],
        "error": 2,
        "review": sum(d["review"] for d in data_set.decisions),
    }
    assert browser.faults() == []
    assert [r for r in browser.requests() if not r.startswith(("file:", "data:", "about:"))] == []
    assert detail_files(browser) == []


def test_only_what_is_on_the_screen_exists(browser: Chromium, page: Path) -> None:
    browser.open(page)
    count = "document.querySelectorAll('#listing tr[data-row]').length"
    assert 10 < browser.run(count) < 60
    browser.run("scrollTo(0, document.documentElement.scrollHeight)")
    browser.settle()
    top = browser.run(
        "document.querySelector('[data-row=\"231\"]').getBoundingClientRect().top"
        " - document.querySelector('#listing tbody').getBoundingClientRect().top"
    )
    assert top == 231 * 60, "each row stands where it would if all existed"
    assert browser.run(count) < 60
    browser.run("scrollTo(0, 0)")


def test_filters_come_from_the_address(browser: Chromium, page: Path, data_set: DataSet) -> None:
    decisions = data_set.decisions
    browser.open(page, "#outcome=reject")
    rejected = [d["subject"] for d in decisions if d["outcome"] == "reject"]
    assert shown(browser) == rejected
    assert browser.run("document.documentElement.dataset.shown") == str(len(rejected))
    browser.open(page, "#defect=film")
    film = [d["subject"] for d in decisions if "film" in [x["name"] for x in d["defects"]]]
    assert shown(browser) == film
    browser.open(page, "#grade=decent&review=yes")
    graded = [d["subject"] for d in decisions if d["grade"] == "decent" and d["review"]]
    assert shown(browser) == graded
    browser.open(page, "#rule=film-over-half")
    gated = [d["subject"] for d in decisions if d["gates"]]
    assert shown(browser) == gated
    browser.open(page, "#outcome=error")
    assert shown(browser) == ["Micrographs/broken_0.mrc", "Micrographs/broken_1.mrc"]
    assert min(map(len, (rejected, film, graded, gated))) > 0


def test_range_and_order_are_those_of_the_table(
    browser: Chromium, page: Path, data_set: DataSet
) -> None:
    ice = data_set.table.column("ice_ratio")
    low, high = np.nanquantile(ice, (0.3, 0.8))
    browser.open(page, f"#range=ice_ratio:{float(low)!r}:{float(high)!r}&sort=-ice_ratio")
    inside = [i for i in np.argsort(-ice, kind="stable") if low <= ice[i] <= high]
    assert shown(browser) == [data_set.table.subjects[i] for i in inside]
    browser.open(page, "#sort=ice_ratio")
    absent = [s for s, name in data_set.table.absent if name == "ice_ratio"]
    assert len(absent) > 2
    assert shown(browser)[-len(absent) - 2 : -2] == absent
    browser.open(page, "#sort=favourable")
    p = [d["favourable_probability"] for d in data_set.decisions]
    assert shown(browser)[:230] == [
        data_set.table.subjects[i] for i in np.argsort(p, kind="stable")
    ]


def test_search_narrows_while_typing(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.press("/")
    for key in "data_7":
        browser.press(key)
    found = shown(browser)
    assert found
    assert all("Data_7" in subject for subject in found)
    assert "q=data_7" in browser.run("location.hash")
    assert text(browser, "#shown") == f"{len(found)} of 232 micrographs"


def test_a_link_opens_one_micrograph_with_its_addition(
    browser: Chromium, page: Path, data_set: DataSet
) -> None:
    decision = next(d for d in data_set.decisions[100:] if d["gates"])
    place = data_set.decisions.index(decision)
    browser.events.clear()
    browser.open(page, "#" + quote(decision["subject"], safe=""))
    browser.settle()
    assert browser.run("document.getElementById('detail').dataset.subject") == decision["subject"]
    assert detail_files(browser) == [f"details_{place // 100:03d}.js"]
    total = decision["prior_log_odds"] + sum(e["log_odds"] for e in decision["evidence"])
    assert text(browser, ".sum .total") == f"{total:+.2f}".replace("-", "−")
    bars = browser.run(
        "[...document.querySelectorAll('.evidences li')].map((line) => "
        "[line.querySelector('b').textContent, line.querySelector('.number').textContent])"
    )
    told = {name: float(value.replace("−", "-")) for name, value in bars}
    assert told.pop("prior") == decision["prior_log_odds"]
    assert told == {e["name"]: pytest.approx(e["log_odds"], abs=6e-3) for e in decision["evidence"]}
    gate = next(e for e in decision["evidence"] if e["source"] == "gate")
    assert gate["text"] in text(browser, ".callout.gate")
    assert decision["counterfactual"]["text"] in text(browser, ".callout.other")


def test_a_sum_that_does_not_fit_is_said(
    browser: Chromium, report_data: Any, tmp_path: Path
) -> None:
    data = report_data.make_data_set(1, unreadable=0)
    wrong = data.decisions[0] | {"favourable_probability": 0.123456}
    made = write_micrograph_page(tmp_path / "report", **(data.page() | {"decisions": [wrong]}))
    browser.open(made)
    browser.press("ArrowDown")
    assert "not for the stored 0.123456" in text(browser, ".evidences .note")


def test_could_not_say_gives_the_reason(browser: Chromium, page: Path, data_set: DataSet) -> None:
    decision = next(d for d in data_set.decisions if d["could_not_say"])
    browser.open(page, f"#subject={quote(decision['subject'], safe='')}")
    said = text(browser, ".could-not-say")
    reason = data_set.table.absent[decision["subject"], "ice_ratio"]
    assert "ice-ring-strong" in said
    assert reason in said


def test_arrows_walk_through_the_list_as_shown(browser: Chromium, page: Path) -> None:
    browser.open(page, "#sort=-favourable&outcome=reject")
    wanted = shown(browser)
    seen = []
    for key in ("Enter", "ArrowDown", "ArrowDown", "ArrowUp"):
        browser.press(key)
        seen.append(browser.run("document.getElementById('detail').dataset.subject"))
    assert seen == [wanted[0], wanted[1], wanted[2], wanted[1]]
    assert text(browser, ".where") == f"2 of {len(wanted)}"
    current = "document.querySelector('tr[aria-current] a').title"
    assert browser.run(current) == wanted[1]
    browser.press("Escape")
    assert browser.run("document.getElementById('detail').hidden")


def test_pictures_and_overlay(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.press("ArrowDown")
    sizes = browser.run(
        "Promise.all([...document.querySelectorAll('#detail img')].map((i) => i.decode()"
        ".then(() => [i.naturalWidth, i.naturalHeight])))"
    )
    assert sizes == [[256, 192], [256, 192], [256, 256]]
    overlay = "document.querySelector('#detail .area').hidden"
    assert not browser.run(overlay)
    browser.press("o")
    assert browser.run(overlay)
    browser.press("ArrowDown")
    assert browser.run(overlay), "the choice holds for the next micrograph"
    browser.press("o")
    assert browser.run("document.querySelectorAll('.profile path').length") == 5


def test_a_micrograph_without_pictures_and_one_that_was_unreadable(
    browser: Chromium, page: Path, data_set: DataSet
) -> None:
    last = data_set.decisions[-1]["subject"]
    browser.open(page, f"#subject={quote(last, safe='')}")
    assert browser.run("document.querySelectorAll('#detail img, #detail .profile').length") == 0
    assert browser.run("document.querySelectorAll('#detail .evidences').length") == 1
    browser.open(page, "#Micrographs/broken_0.mrc")
    assert "truncated: the header promises" in text(browser, "#detail .callout")


def test_table_for_export_is_what_is_shown(
    browser: Chromium, page: Path, data_set: DataSet
) -> None:
    browser.open(page, "#outcome=keep&column=ctf_resolution_a&column=ice_ratio")
    lines = list(csv.DictReader(io.StringIO(browser.run("cryoverdict.page.csv()"))))
    kept = [d for d in data_set.decisions if d["outcome"] == "keep"]
    assert [line["subject"] for line in lines] == [d["subject"] for d in kept]
    assert [float(line["favourable_probability"]) for line in lines] == [
        d["favourable_probability"] for d in kept
    ]
    for line in lines:
        row = data_set.table.row(line["subject"])
        assert float(line["ctf_resolution_a"]) == row["ctf_resolution_a"]
        assert line["ice_ratio"] == "" or float(line["ice_ratio"]) == row["ice_ratio"]


def test_hostile_names_are_shown_and_not_obeyed(
    browser: Chromium, report_data: Any, tmp_path: Path
) -> None:
    data = report_data.make_data_set(1, unreadable=0)
    decision = json.loads(json.dumps(data.decisions[0])) | {"subject": HOSTILE}
    for piece in decision["evidence"]:
        piece["text"] = HOSTILE
    formula = {"text": '=HYPERLINK("x")', "source": "gate", "name": HOSTILE}
    decision["evidence"][0] |= formula
    made = write_micrograph_page(
        tmp_path / "report", **(data.page() | {"decisions": [decision], "title": HOSTILE})
    )
    browser.events.clear()
    browser.open(made)
    browser.press("ArrowDown")
    assert browser.run("document.getElementById('detail').dataset.subject") == HOSTILE
    assert HOSTILE.rsplit("/")[-1] == text(browser, "#detail h2")
    assert browser.run("document.title") == f"{HOSTILE} · cryoverdict"
    assert browser.run("document.querySelectorAll('img[src=x]').length") == 0
    assert browser.faults() == []
    line = list(csv.reader(io.StringIO(browser.run("cryoverdict.page.csv()"))))[1]
    assert line[0] == HOSTILE
    assert line[6] == '\'=HYPERLINK("x")'


def test_a_missing_file_is_said(browser: Chromium, report_data: Any, tmp_path: Path) -> None:
    data = report_data.make_data_set(3)
    made = write_micrograph_page(tmp_path / "report", **data.page())
    (made.parent / "data" / "details_000.js").unlink()
    browser.open(made)
    browser.press("ArrowDown")
    assert "data/details_000.js is missing" in text(browser, "#detail")


def test_numbers_are_written_as_the_templates_write_them(browser: Chromium, page: Path) -> None:
    browser.open(page)
    rng = np.random.default_rng(2)
    sizes = 10.0 ** rng.uniform(-6, 9, 300) * rng.choice([-1, 1], 300)
    values = [float(f"{v:.7g}") for v in sizes] + [0.0, 1.0, -12.0, 1e6, 0.001, 123456.0]
    written = browser.run(f"{json.dumps(values)}.map((v) => cryoverdict.number(v))")
    assert written == [write_number(v) for v in values]


def test_gallery_rules_and_measurements(browser: Chromium, page: Path, data_set: DataSet) -> None:
    browser.open(page, "#layout=gallery&outcome=error")
    assert browser.run("document.querySelectorAll('.gallery .tile').length") == 2
    browser.open(page, "#view=rules")
    assert browser.run("getComputedStyle(document.getElementById('rules')).display") == "table"
    browser.click('[data-filter-rule="drift-directional"]')
    rule = next(r for r in data_set.rules if r["id"] == "drift-directional")
    assert len(shown(browser)) == rule["fired"] > 0
    assert browser.run("document.getElementById('rules').offsetParent") is None
    browser.open(page, "#view=measurements")
    assert browser.run("document.querySelectorAll('#measurements tbody tr').length") == len(
        data_set.features
    )


def test_index_opens_without_faults(browser: Chromium, tmp_path: Path) -> None:
    page = write_index(tmp_path, [PageLink(address="a/index.html", step="a", title="A")])
    browser.events.clear()
    browser.send("Page.navigate", url=page.as_uri())
    browser.settle()
    assert text(browser, ".step-title") == "A"
    assert browser.faults() == []
