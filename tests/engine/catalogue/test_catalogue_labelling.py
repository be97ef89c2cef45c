"""A person labelling: the session, its page's server, and the page in a browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cryoverdict.engine.catalogue.database import Catalogue, open_catalogue
from cryoverdict.engine.catalogue.history import read_history
from cryoverdict.engine.catalogue.label_list import read_queue
from cryoverdict.engine.catalogue.labelling import LabellingSession, begin_labelling
from cryoverdict.engine.catalogue.labelling_server import LabellingServer
from cryoverdict.engine.engine_error import EngineError


def begin(catalogue: Catalogue, stand_in: Any, tmp_path: Path) -> LabellingSession:
    """Return a session over three micrographs that another rater has judged."""
    stand_in.write_classes(tmp_path / "set", {"great": 1, "drift": 2})
    stand_in.bring(catalogue, tmp_path / "set", rater="bo")
    return begin_labelling(catalogue, rater="ada", rated_on="2024-06-01")


@pytest.fixture
def session(stand_in: Any, tmp_path: Path) -> LabellingSession:
    """Return a session in a catalogue that is a file."""
    return begin(open_catalogue(str(tmp_path / "c.sqlite")), stand_in, tmp_path)


def said(catalogue: Catalogue) -> list[tuple[int, str, bool, bool]]:
    """Return what one rater said: micrograph, words, present, retracted."""
    with catalogue.reading() as connection:
        history = read_history(connection)
    return [
        (s.micrograph, s.rating.said, s.present, s.retracted)
        for s in history
        if s.rating.rater == "ada"
    ]


def test_judging_goes_through_all_and_undo_goes_back(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    session = begin(catalogue, stand_in, tmp_path)
    first, second, third = session.waiting
    shown = session.shown()
    assert shown is not None
    assert shown.name == "mic_001.png"
    session.judge(first, favourable=True, grade="great", defects=["film"])
    session.judge(second, favourable=False, grade=None, defects=["drift", "thick_ice"])
    assert session.undo()
    assert session.waiting == [second, third]
    session.judge(second, favourable=False, grade=None, defects=["drift", "thick_ice"])
    session.skip(third)
    session.judge(third, favourable=False, grade=None, defects=[])
    assert session.shown() is None
    assert said(session.catalogue) == [
        (first, "keep great film", True, False),
        (second, "reject drift thick_ice", False, True),
        (second, "reject drift thick_ice", True, False),
        (third, "reject", True, False),
    ]
    again = begin_labelling(session.catalogue, rater="ada", rated_on="2024-06-02")
    assert again.waiting == []
    assert not again.undo()


def test_labels_of_a_page_that_is_behind_and_unknown_words_are_refused(
    session: LabellingSession,
) -> None:
    first, second, _ = session.waiting
    for number, favourable, grade, defects in (
        (second, True, None, []),
        (first, True, None, ["nice"]),
        (first, False, "great", []),
        (first, True, "nice", []),
    ):
        with pytest.raises(EngineError, match="label: "):
            session.judge(number, favourable=favourable, grade=grade, defects=defects)
    assert said(session.catalogue) == []


def test_only_chosen_data_sets_are_shown(session: LabellingSession) -> None:
    for names, count in ((("set",), 3), (("other",), 0)):
        chosen = begin_labelling(session.catalogue, rater="x", rated_on="", data_sets=names)
        assert len(chosen.waiting) == count


def test_a_queue_is_shown_in_its_own_order(session: LabellingSession, tmp_path: Path) -> None:
    first, _, third = session.waiting
    table = tmp_path / "queue.csv"
    table.write_text(
        "micrograph,run,keep_probability\nx/mic_003.mrc,a,.5\nx/mic_001.mrc,a,.5\ngone.mrc,a,.5\n"
    )
    queue = read_queue(table)
    chosen = begin_labelling(session.catalogue, rater="ada", rated_on="", queue=queue)
    assert chosen.waiting == [third, first]
    with pytest.raises(EngineError, match="none of the 1 micrographs of the queue"):
        begin_labelling(session.catalogue, rater="ada", rated_on="", queue=["gone.mrc"])
    table.write_text("run\na\n")
    with pytest.raises(EngineError, match="has the columns run; accepted is one with file"):
        read_queue(table)


@pytest.fixture
def server(session: LabellingSession) -> Iterator[LabellingServer]:
    """Return a server that runs until the test ends."""
    with LabellingServer(session) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def ask(
    server: LabellingServer,
    path: str,
    told: object = None,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Ask for a path below the token; return the status and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    body = None if told is None else json.dumps(told)
    connection.request(
        "GET" if told is None else "POST",
        f"/{server.token if token is None else token}/{path}",
        body,
        headers or {},
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.headers["Content-Type"] == "application/json":
        return answer.status, json.loads(content)
    return answer.status, content


def test_the_server_takes_labels(server: LabellingServer) -> None:
    session = server.session
    first = session.waiting[0]
    status, state = ask(server, "state")
    assert status == 200
    assert state["shown"] == {
        "number": first,
        "name": "mic_001.png",
        "data_set": "set",
        "pixel_size_a": None,
        "rows_px": 64,
        "columns_px": 80,
    }
    assert (state["rater"], state["given"], state["waiting"]) == ("ada", 0, 3)
    assert ask(server, f"thumbnail/{first}")[1].startswith(b"\xff\xd8\xff")
    label = {"number": first, "favourable": False, "grade": None, "defects": ["film"]}
    assert ask(server, "label", label)[1]["given"] == 1
    assert ask(server, "label", label) == (
        400,
        {"error": f"label: micrograph {first} is not the one shown; load the page again"},
    )
    assert ask(server, "undo", {})[1]["given"] == 0
    assert (
        ask(server, "skip", {"number": first})[1]["shown"]["number"] == session.waiting[0] != first
    )


@pytest.mark.parametrize(
    ("path", "told", "status"),
    [
        ("nothing", None, 404),
        ("thumbnail/99", None, 404),
        ("area/1", None, 404),
        ("thumbnail/../labelling.js", None, 404),
        ("../labelling_server.py", None, 404),
        ("label", {}, 400),
        ("label", [], 400),
        ("label", {"number": 1, "favourable": 1, "grade": None, "defects": []}, 400),
        ("label", "x" * 5000, 400),
        ("nothing", {}, 400),
    ],
)
def test_anything_else_is_refused(
    server: LabellingServer, path: str, told: object, status: int
) -> None:
    assert ask(server, path, told)[0] == status
    assert said(server.session.catalogue) == []


def test_only_the_own_page_may_ask(server: LabellingServer) -> None:
    """A wrong token, a name that an attacker resolves to this machine, another site's script."""
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 32
    port = server.server_port
    for token, headers in (
        ("", {}),
        ("x" * len(server.token), {}),
        (None, {"Host": f"evil.example:{port}"}),
        (None, {"Origin": "http://evil.example"}),
    ):
        assert ask(server, "state", token=token, headers=headers) == (404, b"")
        assert ask(server, "undo", {}, token=token, headers=headers) == (404, b"")
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert ask(server, "state", headers=own)[0] == 200


def test_a_taken_port_is_one_line(server: LabellingServer) -> None:
    with pytest.raises(EngineError, match="give another --port"):
        LabellingServer(server.session, port=server.server_port)


@pytest.mark.browser
def test_the_page_is_worked_by_keyboard(
    stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "reports")
    chromium = import_module("chromium")
    # The page is on the loopback address; every other host stays unknown to the browser.
    flags = [f + ", EXCLUDE 127.0.0.1" if "NOTFOUND" in f else f for f in chromium.FLAGS]
    monkeypatch.setattr(chromium, "FLAGS", flags)
    program = chromium.find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    catalogue = open_catalogue(str(tmp_path / "c.sqlite"))
    stand_in.bring(catalogue, stand_in.write_classes(tmp_path / "set", {"film": 3}), rater="bo")
    session = begin_labelling(catalogue, rater="ada", rated_on="2024-06-01")
    first, second, third = session.waiting
    with LabellingServer(session) as server, chromium.Chromium(program) as browser:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        browser.send("Page.navigate", url=server.url)

        def wait(condition: str) -> None:
            browser.run(
                "new Promise((done) => { const look = () => ("
                + condition
                + ") ? done(true) : setTimeout(look, 10); look(); })"
            )

        def progress(text: str) -> None:
            wait(f"document.getElementById('progress')?.textContent === 'ada: {text}'")

        progress("0 labelled, 3 to go")
        wait("document.getElementById('thumbnail').naturalWidth === 8")
        browser.photograph(tmp_path / "page.png")
        browser.press("g")
        progress("1 labelled, 2 to go")
        browser.send("Input.dispatchKeyEvent", type="keyDown", key="C", text="C", modifiers=8)
        wait("document.querySelector('[data-name=contamination]').ariaPressed === 'true'")
        browser.press("t")
        progress("2 labelled, 1 to go")
        browser.press("u")
        progress("1 labelled, 2 to go")
        browser.press("x")
        progress("2 labelled, 1 to go")
        browser.click("[data-name=decent]")
        progress("3 labelled, 0 to go")
        browser.press("q")
        wait("document.getElementById('done').textContent.startsWith('Ended')")
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert browser.faults() == []
        outside = [
            u for u in browser.requests() if not u.startswith((server.url, "about:", "data:"))
        ]
        assert outside == []
    assert said(catalogue) == [
        (first, "keep great", True, False),
        (second, "reject contamination thick_ice", False, True),
        (second, "reject", True, False),
        (third, "keep decent", True, False),
    ]
