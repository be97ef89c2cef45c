"""The composer as a person works it: a real browser, a real mouse, real drags."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoverdict.cwl.cli import run as run_command
from cryoverdict.cwl.composer.checking import check_workflow
from cryoverdict.cwl.composer.references import SHIPPED, read_reference
from cryoverdict.cwl.composer.server import ComposerServer
from cryoverdict.cwl.composer.session import ComposerSession
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.simulation.data_set import demonstration
from cryoverdict.engine.simulation.data_set_files import write_data_set
from cryoverdict.features.star import read_star

pytestmark = pytest.mark.browser

Point = tuple[float, float]
# A whole small run, on a machine that does much else.
RUN_S = 900
PREPROCESS = "shipped/workflows/preprocess.cwl"
PICKER = """cwlVersion: v1.0
class: CommandLineTool
id: {id}
label: {label}
baseCommand: [{command}]
inputs:
  - {{id: micrograph, type: File, inputBinding: {{position: 1}}}}
  - {{id: threads, type: "int?"}}
outputs:
  - {{id: picked, type: stdout}}
stdout: picked.txt
"""
GATHER = """cwlVersion: v1.0
class: CommandLineTool
id: gather
label: Gather
baseCommand: [cat]
inputs:
  - {id: picked, type: "File[]", inputBinding: {position: 1}}
outputs:
  - {id: all_picks, type: stdout}
stdout: all.txt
"""
SMALL = """cwlVersion: v1.0
class: Workflow
id: small
requirements: [{class: ScatterFeatureRequirement}]
inputs:
  - {id: micrographs, type: "File[]", "sbg:x": 0, "sbg:y": 0}
  - {id: threads, type: int, default: 1, "sbg:x": 0, "sbg:y": 200}
steps:
  - {id: pick, label: <img src=x onerror="document.title='owned'">, run: old_picker.cwl,
     scatter: micrograph, in: [{id: micrograph, source: micrographs}], out: [picked],
     "sbg:x": 300, "sbg:y": 0}
  - {id: gather, run: gather.cwl, in: [{id: picked, source: pick/picked}], out: [all_picks],
     "sbg:x": 600, "sbg:y": 0}
outputs:
  - {id: all_picks, type: File, outputSource: gather/all_picks, "sbg:x": 900, "sbg:y": 0}
$namespaces: {sbg: "https://www.sevenbridges.com/"}
"""


class Page:
    """The composer's page in a browser, worked with mouse and keys."""

    def __init__(self, browser: Any, server: ComposerServer) -> None:
        """Open the page and wait until it is drawn."""
        self.browser = browser
        self.server = server
        self.folder = server.session.folder
        browser.events.clear()
        browser.send("Page.navigate", url=server.url)
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def run(self, script: str) -> Any:
        """Return the value of a script."""
        return self.browser.run(script)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition}: {self.status()}"
            time.sleep(0.05)
        self.browser.settle()

    def status(self) -> str:
        """Return what the page says last."""
        said: str = self.run("document.getElementById('status')?.textContent")
        return said

    def told(self, words: str) -> None:
        """Wait until the page says something."""
        self.wait(f"document.getElementById('status').textContent.includes({json.dumps(words)})")

    def at(self, selector: str) -> Point:
        """Return the middle of an element."""
        x, y = self.run(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        return x, y

    def node(self, name: str) -> Point:
        """Return the middle of a node."""
        return self.at(f'#drawing .node[data-id="{name}"] .core')

    def port(self, connection: str) -> Point:
        """Return the middle of a port."""
        return self.at(f'#drawing .port[data-connection-id="{connection}"] .port-handle')

    def tool(self, reference: str) -> Point:
        """Return the place of a palette item, scrolled to."""
        selector = f'[data-reference="{reference}"]'
        self.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
        return self.at(selector)

    def mouse(self, kind: str, point: Point, **more: Any) -> None:
        """Send one event of the mouse."""
        held = {"button": "left", "clickCount": 1} if kind != "mouseMoved" or more else {}
        self.browser.send(
            "Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], **held, **more
        )

    def click(self, point: Point) -> None:
        """Click at a point."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, point)
        self.browser.settle()

    def drag(self, begin: Point, end: Point) -> None:
        """Press at one point, move to another in steps, let go."""
        self.mouse("mouseMoved", begin)
        self.mouse("mousePressed", begin)
        for part in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
            x = begin[0] + part * (end[0] - begin[0])
            y = begin[1] + part * (end[1] - begin[1])
            self.mouse("mouseMoved", (x, y), buttons=1)
        self.mouse("mouseReleased", end)
        self.browser.settle()

    def zoom(self, point: Point, by: float) -> None:
        """Turn the wheel over a point."""
        x, y = point
        self.browser.send(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-500 * by
        )
        self.browser.settle()

    def tick_each(self, port: str) -> None:
        """Deal an input out, one job an item, or take it whole again."""
        self.browser.click(f'.port-row[data-port="{port}"] input[type=checkbox]')

    def fill(self, name: str, value: str) -> None:
        """Type the value of an input of the run."""
        self.run(
            f"(() => {{ const c = document.querySelector('#run [name={name}]'); "
            f"c.value = {json.dumps(value)}; c.dispatchEvent(new Event('input')); }})()"
        )

    def step(self, name: str) -> dict[str, Any]:
        """Return a step as the page holds it."""
        found: dict[str, Any] = self.run(f"composer.page.flow().step({json.dumps(name)})")
        return found

    def save(self) -> None:
        """Save, and wait until it is checked."""
        self.browser.click("#save")
        self.told("saved")

    def check(self) -> None:
        """Assert that nothing failed and nothing was asked of another place."""
        assert self.browser.faults() == []
        own = (self.server.url, "about:", "data:")
        assert [u for u in self.browser.requests() if not u.startswith(own)] == []


@pytest.fixture
def browser() -> Iterator[Any]:
    """Return a running Chromium that knows the loopback address alone.

    Each test has its own: a page left with changes would ask, and the driver answers no questions.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "reports")
        chromium = import_module("chromium")
        flags = [f + ", EXCLUDE 127.0.0.1" if "NOTFOUND" in f else f for f in chromium.FLAGS]
        patch.setattr(chromium, "FLAGS", flags)
        program = chromium.find_chromium()
        if program is None:
            pytest.skip("no Chromium is installed")
        with chromium.Chromium(program) as started:
            yield started


@pytest.fixture
def pages(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that opens the page on a workflow."""
    servers = []
    (tmp_path / "old_picker.cwl").write_text(
        PICKER.format(id="old_picker", label="Old picker", command="cat")
    )
    (tmp_path / "new_picker.cwl").write_text(
        PICKER.format(id="new_picker", label="New picker", command="tac")
    )
    (tmp_path / "gather.cwl").write_text(GATHER)
    (tmp_path / "small.cwl").write_text(SMALL)

    def start(first: str) -> Page:
        server = ComposerServer(ComposerSession(tmp_path, read_reference(first)))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return Page(browser, server)

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


def test_the_picking_step_is_taken_out_another_put_in_its_place_and_run(
    pages: Any, tmp_path: Path
) -> None:
    """The other one writes .box files too, and hands its folders out of the workflow."""
    text = (SHIPPED / "tools" / "pick.cwl").read_text(encoding="utf-8")
    text = text.replace("id: pick\n", "id: pick_with_boxes\n", 1)
    text = text.replace("arguments: [--quiet]", "arguments: [--quiet, --box]")
    (tmp_path / "pick_with_boxes.cwl").write_text(text, encoding="utf-8")
    page = pages(PREPROCESS)
    gathering = next(
        (step["id"], entry["id"])
        for step in page.run("composer.page.flow().document.steps")
        for entry in step["in"]
        if entry.get("source") == "pick/picked"
    )
    page.zoom(page.node("pick"), 0.4)
    place = page.node("pick")
    page.click(place)
    page.browser.press("Delete")
    page.told("pick is removed")
    assert page.step("pick") is None
    page.browser.photograph(tmp_path / "removed.png")

    page.drag(page.tool("folder/pick_with_boxes.cwl"), place)
    page.told("pick_with_boxes is added")
    page.drag(page.port("out/split/batches"), page.port("in/pick_with_boxes/micrographs"))
    page.told("split/batches feeds pick_with_boxes/micrographs")
    page.drag(page.port("out/decide_picking/picking"), page.port("in/pick_with_boxes/parameters"))
    page.told("decide_picking/picking feeds pick_with_boxes/parameters")
    page.drag(page.port("out/pick_with_boxes/picked"), page.port("in/" + "/".join(gathering)))
    page.told(f"pick_with_boxes/picked feeds {'/'.join(gathering)}")
    page.browser.click("#by-name")
    page.told("connected picker")
    page.tick_each("micrographs")
    page.drag(page.port("out/pick_with_boxes/picked"), (place[0] + 60, place[1] - 120))
    page.told("is a new output")
    page.save()
    page.browser.photograph(tmp_path / "another.png")
    assert page.status() == "preprocess.cwl is saved and valid"
    assert check_workflow(page.folder / "preprocess.cwl") == ()
    saved = yaml.safe_load((page.folder / "preprocess.cwl").read_text())
    picking = next(step for step in saved["steps"] if step["id"] == "pick_with_boxes")
    assert (picking["run"], picking["scatter"]) == ("pick_with_boxes.cwl", "micrographs")
    taken = {entry["id"]: entry["source"] for entry in picking["in"]}
    assert taken["micrographs"] == "split/batches"
    assert taken["parameters"] == "decide_picking/picking"
    assert taken["rules"] == "rules"
    gather = next(step for step in saved["steps"] if step["id"] == gathering[0])
    fed = next(entry for entry in gather["in"] if entry["id"] == gathering[1])
    assert fed == {"id": gathering[1], "source": "pick_with_boxes/picked"}
    (new,) = (one for one in saved["outputs"] if one["outputSource"] == "pick_with_boxes/picked")
    assert new["type"] == "Directory[]"

    page.browser.click("#show-run")
    for name, value in simulated(page.folder).items():
        page.fill(name, value)
    page.browser.click("#start")
    ends = "['done', 'failed', 'stopped']"
    page.wait(f"{ends}.includes(document.getElementById('run-state')?.className)", RUN_S)
    page.browser.photograph(tmp_path / "finished.png")
    assert page.run("document.getElementById('run-state').className") == "done", page.status()
    run = page.folder / "runs" / "preprocess"
    stack = run / "good_particles_star" / "good_particles.star"
    assert "_rlnImageName" in stack.read_text()
    boxes = {path.stem for path in (run / new["id"]).rglob("*.box")}
    judged = read_star(run / "judged" / "judged" / "micrographs_good.star")["micrographs"]
    assert boxes == {Path(name).stem for name in judged.column("rlnMicrographName") or ()}
    page.check()


def simulated(folder: Path) -> dict[str, str]:
    """Simulate a small session, deal it into batches, and return the values of a run on it."""
    whole = demonstration()
    spec = replace(
        whole, micrographs=5, bad_fraction=0.2, base=replace(whole.base, shape=(640, 640))
    )
    write_data_set(spec, folder / "mics", seed=0)
    words = ["split-micrographs", str(folder / "mics"), "--batch-size", "3", "--quiet"]
    assert run_command([*words, "--output", str(folder / "batches")]) == ExitCode.DONE
    lists = sorted((folder / "batches").glob("*.star"))
    return {
        "micrographs": "\n".join(str(path) for path in lists),
        "voltage_kv": f"{spec.base.voltage_kv:g}",
        "cs_mm": f"{spec.base.cs_mm:g}",
        "amplitude_contrast": f"{spec.base.amplitude_contrast:g}",
        "trial_particles": "400",
        "batch_size": "2",
    }


def test_a_changed_workflow_is_saved_and_run(pages: Any, tmp_path: Path) -> None:
    """The old picker writes the lines as they are, the new one from the last to the first."""
    page = pages("folder/small.cwl")
    for name in ("a", "b"):
        (page.folder / f"{name}.txt").write_text(f"{name}1\n{name}2\n")
    place = page.node("pick")
    page.click(place)
    page.browser.press("Delete")
    page.drag(page.tool("folder/new_picker.cwl"), place)
    page.told("new_picker is added")
    page.drag(page.port("out/micrographs/micrographs"), page.port("in/new_picker/micrograph"))
    page.drag(page.port("out/new_picker/picked"), page.port("in/gather/picked"))
    page.told("new_picker/picked feeds gather/picked")
    assert page.run("document.querySelectorAll('.edge.is-wrong').length") == 1
    page.save()
    assert "1 fault" in page.status()
    assert page.run("[...document.querySelectorAll('.has-fault')].map((n) => n.dataset.id)") == [
        "new_picker"
    ]
    page.browser.photograph(tmp_path / "fault.png")
    page.tick_each("micrograph")
    page.save()
    assert page.status() == "small.cwl is saved and valid"
    assert page.run("document.querySelectorAll('.is-wrong, .has-fault').length") == 0

    page.drag(page.port("out/new_picker/picked"), (place[0] + 60, place[1] + 260))
    page.told("picked is a new output")
    page.browser.click("#show-run")
    page.fill("micrographs", "a.txt\nb.txt")
    page.browser.click("#start")
    page.wait("document.getElementById('run-state')?.className === 'done'")
    page.browser.photograph(tmp_path / "done.png")
    marks = "Object.fromEntries([...document.querySelectorAll('.node.step')].map((n) => "
    marks += "[n.dataset.id, n.querySelector('.mark-progress text')?.textContent]))"
    assert page.run(marks) == {"gather": "✓", "new_picker": "2 ✓"}
    run = page.folder / "runs" / "small"
    assert (run / "all_picks" / "all.txt").read_text() == "a2\na1\nb2\nb1\n"
    assert (run / "picked" / "002" / "picked.txt").read_text() == "b2\nb1\n"
    saved = yaml.safe_load((page.folder / "small.cwl").read_text())
    assert {one["id"]: one["type"] for one in saved["outputs"]} == {
        "all_picks": "File",
        "picked": "File[]",
    }
    assert page.run("document.title") == "small · cryoverdict"
    page.check()


def test_a_step_dropped_on_another_takes_its_place_and_undo_gives_it_back(pages: Any) -> None:
    page = pages("folder/small.cwl")
    before = page.step("pick")
    page.drag(page.tool("folder/new_picker.cwl"), page.node("pick"))
    page.told("New picker takes the place of pick")
    after = page.step("pick")
    assert (after["run"], after["in"], after["scatter"]) == (
        "folder/new_picker.cwl",
        before["in"],
        before["scatter"],
    )
    page.browser.click("#undo")
    assert page.step("pick") == before
    page.browser.click("#redo")
    assert page.step("pick") == after
    page.browser.click("#undo")
    page.check()


def test_nodes_are_moved_named_and_set(pages: Any) -> None:
    """By mouse and by keys; what nobody touched is saved as it was."""
    page = pages("folder/small.cwl")
    x, y = page.node("gather")
    page.drag((x, y), (x + 90, y + 60))
    moved = page.step("gather")
    assert (moved["sbg:x"] > 600, moved["sbg:y"] > 0) == (True, True)
    page.run("document.querySelector('#drawing .node[data-id=pick]').focus()")
    page.browser.press("Enter")
    page.browser.press("ArrowDown")
    assert (page.step("pick")["sbg:x"], page.step("pick")["sbg:y"]) == (300, 20)
    change = "(() => {{ const c = document.querySelector({0}); c.value = {1}; "
    change += "c.dispatchEvent(new Event('change')); }})()"
    page.run(change.format("'.port-row[data-port=threads] input'", "'1.5'"))
    assert [entry["id"] for entry in page.step("pick")["in"]] == ["micrograph"]
    page.run(change.format("'.port-row[data-port=threads] input'", "'4'"))
    page.run(change.format("'#node-id'", "'picking'"))
    page.run("document.querySelector('[data-reference=\"folder/old_picker.cwl\"]').focus()")
    page.run("document.activeElement.click()")
    page.told("old_picker is added")
    page.browser.press("Delete")
    page.told("old_picker is removed")
    page.save()
    assert page.status() == "small.cwl is saved and valid"
    saved = yaml.safe_load((page.folder / "small.cwl").read_text())
    first, second = saved["steps"]
    assert first["id"] == "picking"
    assert first["in"] == [
        {"id": "micrograph", "source": "micrographs"},
        {"id": "threads", "default": 4},
    ]
    assert first["label"].startswith("<img")
    assert second["in"] == [{"id": "picked", "source": "picking/picked"}]
    assert saved["inputs"] == yaml.safe_load(SMALL)["inputs"]
    assert page.run("document.querySelectorAll('img').length") == 0
    page.check()
