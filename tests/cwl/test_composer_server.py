"""The composer's server: who may ask, what is answered, and a run from beginning to end."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cryoverdict.cwl.composer.references import SHIPPED, read_reference
from cryoverdict.cwl.composer.server import ASSETS, ComposerServer
from cryoverdict.cwl.composer.session import ComposerSession
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError

# For a machine that does much else; what works never takes so long.
PATIENCE_S = 300
JUDGE = "shipped/workflows/judge-micrographs.cwl"
# Two jobs that wait until a file is there, then count lines.
TOOL = """cwlVersion: v1.0
class: CommandLineTool
id: count
baseCommand: [sh, -c, 'while [ ! -e "$1" ]; do sleep 0.05; done; wc -l < "$0"']
inputs:
  - {id: text, type: File, inputBinding: {position: 1}}
  - {id: flag, type: string, inputBinding: {position: 2}}
outputs:
  - {id: count, type: stdout}
stdout: count.txt
"""
WORKFLOW = {
    "cwlVersion": "v1.0",
    "class": "Workflow",
    "id": "small",
    "inputs": [{"id": "texts", "type": "File[]"}, {"id": "flag", "type": "string"}],
    "steps": [
        {
            "id": "counting",
            "run": "folder/count.cwl",
            "scatter": ["text"],
            "in": [{"id": "text", "source": "texts"}, {"id": "flag", "source": "flag"}],
            "out": ["count"],
        }
    ],
    "outputs": [{"id": "counts", "type": "File[]", "outputSource": "counting/count"}],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ComposerServer]:
    """Return a server over a folder with a tool and two texts."""
    (tmp_path / "count.cwl").write_text(TOOL)
    (tmp_path / "a.txt").write_text("1\n2\n")
    (tmp_path / "b.txt").write_text("1\n")
    session = ComposerSession(tmp_path, read_reference(JUDGE))
    with ComposerServer(session) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join(timeout=10)


def ask(
    server: ComposerServer,
    path: str,
    told: object = None,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Ask for a path below the token; return the status and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    body = None if told is None else json.dumps(told)
    method = "GET" if told is None else "POST"
    place = server.token if token is None else token
    connection.request(method, f"/{place}/{path}", body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.headers["Content-Type"] == "application/json":
        return answer.status, json.loads(content)
    return answer.status, content


def wait_for(server: ComposerServer, *states: str) -> dict[str, Any]:
    """Return the run once it is in one of these states."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        run: dict[str, Any] = ask(server, "run")[1]["run"]
        if run["state"] in states:
            return run
        time.sleep(0.05)
    pytest.fail(f"the run is {run['state']}: {run['message']} {run['log']}")


def test_only_the_own_page_may_ask(server: ComposerServer) -> None:
    """A wrong token, a name that an attacker resolves to this machine, another site's script."""
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 32
    port = server.server_port
    save = {"document": WORKFLOW, "name": "evil", "replace": True}
    for token, headers in (
        ("", {}),
        ("x" * len(server.token), {}),
        (None, {"Host": f"evil.example:{port}"}),
        (None, {"Origin": "http://evil.example"}),
        (None, {"Origin": "null"}),
    ):
        assert ask(server, "state", token=token, headers=headers) == (404, b"")
        assert ask(server, "save", save, token=token, headers=headers) == (404, b"")
    assert not (server.session.folder / "evil.cwl").exists()
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert ask(server, "state", headers=own)[0] == 200


@pytest.mark.parametrize(
    ("path", "told", "status"),
    [
        ("nothing", None, 404),
        ("../server.py", None, 404),
        ("state/x", None, 404),
        ("workflow/folder%2F..%2F..%2Fx.cwl", None, 400),
        ("workflow/shipped%2F..%2F..%2Fx.cwl", None, 400),
        ("process//etc/passwd", None, 400),
        ("workflow/folder%2Fcount.cwl", None, 400),
        ("save", {}, 400),
        ("save", [], 400),
        ("save", {"document": [], "name": "a"}, 400),
        ("save", {"document": WORKFLOW, "name": "../a"}, 400),
        ("run", {"workflow": JUDGE, "values": {}}, 400),
        ("run", {"workflow": "folder/none.cwl", "values": {}}, 400),
        ("nothing", {}, 400),
    ],
)
def test_anything_else_is_refused(
    server: ComposerServer, path: str, told: object, status: int
) -> None:
    before = sorted(p.name for p in server.session.folder.rglob("*"))
    assert ask(server, path, told)[0] == status
    assert sorted(p.name for p in server.session.folder.rglob("*")) == before


def test_every_part_of_the_page_is_there(server: ComposerServer) -> None:
    page = ask(server, "")[1].decode()
    for name, (_, _, kind) in ASSETS.items():
        status, content = ask(server, name)
        assert status == 200, name
        assert content.strip()
        if name.endswith((".js", ".css")):
            assert f'"{name}"' in page, kind


def test_the_files_of_others_are_told_apart_from_copies(server: ComposerServer) -> None:
    document = ask(server, f"workflow/{JUDGE.replace('/', '%2F')}")[1]["document"]
    saved = ask(server, "save", {"document": document, "name": "mine", "opened": JUDGE})[1]
    assert (saved["reference"], saved["faults"]) == ("folder/mine.cwl", [])
    files = {one["reference"]: one["class"] for one in ask(server, "state")[1]["files"]}
    own = {name: kind for name, kind in files.items() if name.startswith("folder/")}
    assert own == {"folder/count.cwl": "CommandLineTool", "folder/mine.cwl": "Workflow"}
    shipped = {f"shipped/{p.relative_to(SHIPPED)}" for p in SHIPPED.glob("[tw]*/*.cwl")}
    assert set(files) - set(own) == shipped
    again = {"document": WORKFLOW, "name": "mine", "opened": "folder/other.cwl"}
    assert ask(server, "save", again)[0] == 409


def test_a_run_is_watched_stopped_and_goes_on(server: ComposerServer) -> None:
    folder = server.session.folder
    assert ask(server, "run")[1] == {"run": None}
    saved = ask(server, "save", {"document": WORKFLOW, "name": "small"})[1]
    assert saved["faults"] == []
    flag = str(folder / "flag")
    values = {"texts": "a.txt\nb.txt", "flag": flag}
    start = {"workflow": "folder/small.cwl", "values": values}
    assert "texts: " in ask(server, "run", {**start, "values": {"texts": "c.txt"}})[1]["error"]
    assert ask(server, "run", start)[1]["run"]["state"] == "running"
    assert "stop it first" in ask(server, "run", start)[1]["error"]
    deadline = time.monotonic() + PATIENCE_S
    while not ask(server, "run")[1]["run"]["steps"].get("counting", {}).get("begun"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stopped = ask(server, "stop", {})[1]["run"]
    assert (stopped["state"], stopped["steps"]["counting"]["state"]) == ("stopped", "stopped")
    assert not _waiting(flag)
    (folder / "flag").touch()
    ask(server, "run", start)
    done = wait_for(server, "done", "failed")
    assert done["state"] == "done", done["message"]
    assert done["steps"] == {"counting": {"state": "done", "begun": 2, "done": 2}}
    assert done["outputs"] == ["counts/001/count.txt", "counts/002/count.txt"]
    counted = [(folder / "runs" / "small" / name).read_text().strip() for name in done["outputs"]]
    assert counted == ["2", "1"]
    told = ask(server, "workflow/folder%2Fsmall.cwl")[1]
    assert told["values"] == {
        "texts": f"{folder / 'a.txt'}\n{folder / 'b.txt'}",
        "flag": flag,
    }


def _waiting(word: str) -> bool:
    """Return whether a process is there that was told a word."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if word in words and place.parent.name != str(os.getpid()):
            return True
    return False


def test_a_run_that_fails_says_so_at_its_step(server: ComposerServer) -> None:
    (server.session.folder / "count.cwl").write_text(
        TOOL.replace("wc -l < ", "echo error: no luck >&2; exit 3; ")
    )
    ask(server, "save", {"document": WORKFLOW, "name": "small"})
    values = {"texts": "a.txt", "flag": "a.txt"}
    (server.session.folder / "flag").touch()
    values["flag"] = str(server.session.folder / "flag")
    ask(server, "run", {"workflow": "folder/small.cwl", "values": values})
    failed = wait_for(server, "done", "failed")
    assert (failed["state"], failed["message"]) == ("failed", "no luck")
    assert failed["steps"]["counting"]["state"] == "failed"


def test_a_workflow_with_faults_is_not_run(server: ComposerServer) -> None:
    wrong = {**WORKFLOW, "outputs": [{"id": "counts", "type": "File[]"}]}
    assert ask(server, "save", {"document": wrong, "name": "small"})[1]["faults"] == [
        {"part": "outputs", "node": "counts", "text": "nothing is connected to it"}
    ]
    start = {"workflow": "folder/small.cwl", "values": {"texts": "a.txt", "flag": "x"}}
    assert "nothing is connected" in ask(server, "run", start)[1]["error"]


def test_the_packages_own_folder_is_not_composed_in() -> None:
    with pytest.raises(InputError, match="belongs to the package"):
        ComposerSession(SHIPPED / "workflows", read_reference(JUDGE))


def test_a_taken_port_is_one_line(server: ComposerServer) -> None:
    with pytest.raises(EngineError, match="give another --port"):
        ComposerServer(server.session, port=server.server_port)
