"""The first page of a run."""

from __future__ import annotations

from pathlib import Path

from cryoverdict.reports.index_page import PageLink, write_index

PAGES = (
    PageLink(
        address="micrographs/index.html",
        step="decide-micrographs",
        title="Micrographs",
        lines=("2 of 3 kept <b>",),
        bins=(("kept", 2), ("rejected", 1), ("error", 0)),
    ),
    PageLink(address="picking/index.html", step="decide-picking", title="Picking"),
)


def test_index_links_the_steps_in_order(tmp_path: Path) -> None:
    page = write_index(tmp_path, PAGES, title="Run of “a” & <b>", notes=("<i>note</i>",))
    html = page.read_text()
    assert page == tmp_path / "index.html"
    first, second = (html.index(f'href="{p.address}"') for p in PAGES)
    assert first < second
    assert "2 of 3 kept &lt;b&gt;" in html
    assert "&lt;i&gt;note&lt;/i&gt;" in html
    assert "<b>" not in html
    assert "2 kept · 1 rejected · 0 error" in html
    assert 'class="fill-keep" x="0.00" y="0" width="666.67"' in html
    names = {p.name for p in (tmp_path / "assets").iterdir()}
    assert names == {"frame.css", "frame.js", "index.css"}


def test_same_run_same_bytes(tmp_path: Path) -> None:
    one = write_index(tmp_path / "one", PAGES).read_bytes()
    assert write_index(tmp_path / "two", PAGES).read_bytes() == one
