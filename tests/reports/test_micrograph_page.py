"""The page of a micrograph decision as files on the disk."""

from __future__ import annotations

import gc
import json
import weakref
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.detail import CHUNK
from cryoverdict.reports.frame import MARK
from cryoverdict.reports.micrograph_page import write_micrograph_page
from cryoverdict.reports.pictures import PagePictures
from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.rows import OUTCOMES

if TYPE_CHECKING:
    from tests.reports.conftest import ReadScript

HOSTILE = "mics/<script>alert('1')</script>\"><img src=x onerror=alert(2)>&amp;\u2028.mrc"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_rows_are_the_decisions_and_the_unreadable(
    page: Path, data_set: Any, read_script: ReadScript
) -> None:
    rows = read_script(page.parent / "data" / "rows.js")
    said = read_script(page.parent / "data" / "page.js")
    decisions = data_set.decisions
    errors = [item for item in data_set.ledger["items"] if item["bin"] == "error"]
    assert len(errors) == 2
    assert rows["subject"] == [d["subject"] for d in decisions] + [e["item"] for e in errors]
    outcomes = [OUTCOMES[k] for k in rows["outcome"]]
    assert outcomes == [d["outcome"] for d in decisions] + ["error"] * 2
    assert rows["favourable"] == [d["favourable_probability"] for d in decisions] + [None] * 2
    assert rows["review"] == [int(d["review"]) for d in decisions] + [0, 0]
    assert rows["reason"][-2:] == [e["reason"] for e in errors]
    named = [[said["defects"][k] for k in places] for places in rows["defects"]]
    assert named == [[x["name"] for x in d["defects"]] for d in decisions] + [[], []]
    fired = [{said["rules"][k]["id"] for k in places} for places in rows["fired"]]
    spoke = [{e["name"] for e in d["evidence"] if e["source"] != "model"} for d in decisions]
    assert fired == [*spoke, set(), set()]
    assert rows["pictured"] == [1] * 20 + [0] * 212


def test_details_are_the_decisions_in_files_of_a_hundred(
    page: Path, data_set: Any, read_script: ReadScript
) -> None:
    chunks = [read_script(p) for p in sorted((page.parent / "data").glob("details_*.js"))]
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 30]
    for detail, decision in zip(chain(*chunks), data_set.decisions, strict=True):
        for key in (
            "probability",
            "favourable_probability",
            "prior_log_odds",
            "evidence",
            "gates",
            "defects",
            "review_reasons",
            "counterfactual",
            "digests",
            "version",
        ):
            assert detail[key] == decision[key]
        told = [(c["rule"], c["missing"]) for c in detail["could_not_say"]]
        assert told == [(c["rule"], c["missing"]) for c in decision["could_not_say"]]


def test_columns_are_the_table(page: Path, data_set: Any, read_script: ReadScript) -> None:
    table: FeatureTable = data_set.table
    for j, name in enumerate(table.features):
        column = read_script(page.parent / "data" / f"column_{j:03d}.js")
        wanted = [None if np.isnan(v) else float(v) for v in table.column(name)]
        assert column == [*wanted, None, None]


def test_a_full_last_file_is_not_followed_by_an_empty_one(report_data: Any, tmp_path: Path) -> None:
    data = report_data.make_data_set(CHUNK, unreadable=0)
    page = write_micrograph_page(tmp_path / "report", **data.page())
    found = sorted(p.name for p in (page.parent / "data").glob("details_*"))
    assert found == ["details_000.js"]


def test_same_input_same_bytes(report_data: Any, tmp_path: Path) -> None:
    data = report_data.make_data_set(8)
    for name in ("one", "two"):
        some = report_data.make_pictures(8)
        ask = {d["subject"]: shown for d, shown in zip(data.decisions, some, strict=True)}.get
        page = write_micrograph_page(tmp_path / name, **data.page(), pictures=ask)
        assert page == tmp_path / name / "index.html"
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert {"pictures/000/07.jpg", "pictures/000/07_spectrum.jpg", "data/rows.js"} <= set(one)


def test_pictures_are_asked_for_one_by_one_and_let_go(report_data: Any, tmp_path: Path) -> None:
    data = report_data.make_data_set(12)
    alive: list[weakref.ref[Any]] = []
    most = 0

    def ask(_: str) -> PagePictures:
        nonlocal most
        gc.collect()
        most = max(most, sum(ref() is not None for ref in alive))
        pixels = np.zeros((4, 4), np.uint8)
        alive.append(weakref.ref(pixels))
        return PagePictures(thumbnail=pixels)

    write_micrograph_page(tmp_path / "report", **data.page(), pictures=ask)
    assert len(alive) == 12
    assert most <= 1


def test_hostile_texts_stay_texts(
    report_data: Any, tmp_path: Path, read_script: ReadScript
) -> None:
    data = report_data.make_data_set(3, unreadable=0)
    table = data.table
    decision = json.loads(json.dumps(data.decisions[0])) | {"subject": HOSTILE}
    decision["evidence"][0]["text"] = decision["evidence"][0]["name"] = HOSTILE
    decision["evidence"][0]["source"] = "rule"
    decision["defects"] = [{"name": HOSTILE, "probability": 0.5}]
    decision["outcome"] = "reject"
    rules = [{"id": HOSTILE, "title": HOSTILE, "effect": HOSTILE, "because": HOSTILE}]
    hostile_table = FeatureTable(
        subjects=(HOSTILE,),
        features=(HOSTILE, "plain"),
        units={HOSTILE: HOSTILE, "plain": "1"},
        values=np.array([[1.0, np.nan]]),
        absent={(HOSTILE, "plain"): HOSTILE},
    )
    ledger = {
        "bins": {"kept": 0, "rejected": 1, "error": 1},
        "items": [{"item": HOSTILE + "2", "bin": "error", "reason": HOSTILE}],
    }
    page = write_micrograph_page(
        tmp_path / "report",
        decisions=[decision],
        table=hostile_table,
        ledger=ledger,
        rules=rules,
        title=HOSTILE,
        notes=[HOSTILE],
    )
    assert table.subjects
    html = page.read_text()
    for dangerous in ("<script>", "<img", "alert('1')", '</script>"', "&amp;\u2028"):
        assert dangerous not in html
    assert html.count("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&#34;&gt;&lt;img") > 5
    for script in (page.parent / "data").glob("*.js"):
        assert not set("<>&\u2028") & set(script.read_text())
    assert read_script(page.parent / "data" / "rows.js")["subject"] == [HOSTILE, HOSTILE + "2"]
    assert all(HOSTILE not in name for name in contents(page.parent))


def test_page_names_nothing_outside_its_folder(page: Path) -> None:
    html = page.read_text()
    assert "default-src 'none'" in html
    for folder in (page.parent, page.parent / "assets"):
        for path in folder.iterdir():
            if path.is_file():
                text = path.read_text().replace("http://www.w3.org/2000/svg", "")
                assert "http:" not in text
                assert "https:" not in text
    assert " style=" not in html
    assert "onclick=" not in html


def test_folder_of_something_else_is_left_alone(data_set: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my thesis")
    with pytest.raises(ReportError, match="holds something else than a report"):
        write_micrograph_page(tmp_path, **data_set.page())
    assert contents(tmp_path) == {"index.html": b"my thesis"}


def test_an_older_report_is_replaced(report_data: Any, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_micrograph_page(folder, **report_data.make_data_set(CHUNK + 1).page())
    assert MARK in (folder / "index.html").read_text()
    small = report_data.make_data_set(2)
    write_micrograph_page(folder, **small.page())
    fresh = tmp_path / "fresh"
    write_micrograph_page(fresh, **small.page())
    assert contents(folder) == contents(fresh)
    assert not list(tmp_path.glob("*.part"))


def test_a_failed_page_leaves_the_older_one(report_data: Any, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_micrograph_page(folder, **report_data.make_data_set(2).page())
    before = contents(folder)
    wrong = report_data.make_data_set(3)
    twice = wrong.page() | {"decisions": [*wrong.decisions, wrong.decisions[0]]}
    with pytest.raises(ReportError, match="is decided twice"):
        write_micrograph_page(folder, **twice)
    assert contents(folder) == before


def test_faults_name_their_subject(data_set: Any, tmp_path: Path) -> None:
    wrong = PagePictures(thumbnail=np.zeros((2, 2)))  # type: ignore[arg-type]
    subject = data_set.decisions[0]["subject"]
    with pytest.raises(ReportError, match=f"^{subject}: thumbnail: is float64"):
        write_micrograph_page(tmp_path / "a", **data_set.page(), pictures=lambda _: wrong)
    with pytest.raises(ReportError, match="no measurement nonsense; accepted are ctf_res"):
        write_micrograph_page(tmp_path / "b", **data_set.page(), key_features=["nonsense"])


def test_key_measurements_may_be_chosen(
    report_data: Any, tmp_path: Path, read_script: ReadScript
) -> None:
    data = report_data.make_data_set(40)
    chosen = ["spot_count", "defocus_um"]
    page = write_micrograph_page(tmp_path / "report", **data.page(), key_features=chosen)
    places = read_script(page.parent / "data" / "page.js")["columns"]
    assert [data.table.features[j] for j in places] == chosen
    assert page.read_text().index('data-feature="spot_count"') < page.read_text().index(
        'data-feature="defocus_um"'
    )


def test_page_of_nothing(tmp_path: Path) -> None:
    empty = FeatureTable.of({}, ())
    ledger = {"bins": {"kept": 0, "rejected": 0, "error": 0}, "items": []}
    page = write_micrograph_page(tmp_path / "report", decisions=[], table=empty, ledger=ledger)
    assert "There was no micrograph to judge." in page.read_text()
    assert not (page.parent / "pictures").exists()
