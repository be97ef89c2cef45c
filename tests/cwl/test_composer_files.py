"""Composing without a browser: files read and saved, faults told at their node, jobs, progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoverdict.cwl.composer.checking import check_workflow, find_faults
from cryoverdict.cwl.composer.job_values import read_values
from cryoverdict.cwl.composer.references import (
    SHIPPED,
    find_file,
    list_references,
    read_reference,
    refer_to,
)
from cryoverdict.cwl.composer.step_progress import WorkflowProgress
from cryoverdict.cwl.composer.validation import Fault
from cryoverdict.cwl.composer.workflow_document import list_entries, open_workflow
from cryoverdict.cwl.composer.workflow_files import AlreadyThereError, save_workflow
from cryoverdict.cwl.composer.workflow_text import write_text
from cryoverdict.cwl.runner.cwltool_log import read_events
from cryoverdict.features.input_error import InputError

WORKFLOWS = sorted((SHIPPED / "workflows").glob("*.cwl"))
JUDGE = "shipped/workflows/judge-micrographs.cwl"
TOOL = """cwlVersion: v1.0
class: CommandLineTool
id: count_lines
baseCommand: [wc, -l]
inputs:
  - {id: text, type: File, inputBinding: {position: 1}}
outputs:
  - {id: count, type: stdout}
stdout: count.txt
"""


def small(**changes: Any) -> dict[str, Any]:
    """Return a workflow of one step that runs ``folder/count.cwl``."""
    return {
        "cwlVersion": "v1.0",
        "class": "Workflow",
        "id": "small",
        "inputs": [{"id": "texts", "type": "File[]"}],
        "steps": [
            {
                "id": "count",
                "run": "folder/count.cwl",
                "scatter": ["text"],
                "in": [{"id": "text", "source": "texts"}],
                "out": ["count"],
            }
        ],
        "outputs": [{"id": "counts", "type": "File[]", "outputSource": "count/count"}],
        **changes,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "count.cwl").write_text(TOOL)
    return tmp_path


def without_runs(process: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow without its paths and the order of what has none."""
    listed = list_entries(process, "x")
    taken = json.dumps(listed["outputs"]) + json.dumps([step["in"] for step in listed["steps"]])
    steps = [
        {
            **{k: v for k, v in step.items() if k != "run"},
            "out": [o for o in step["out"] if f"{step['id']}/{o}" in taken],
        }
        for step in listed["steps"]
    ]
    rest = {k: v for k, v in listed.items() if k not in ("steps", "requirements")}
    return {**rest, "steps": steps, "classes": {r["class"] for r in listed.get("requirements", [])}}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_is_written_as_it_was(path: Path, tmp_path: Path) -> None:
    """Opened, its text written anew: the same inputs, steps, outputs, requirements, places."""
    document, processes = open_workflow(refer_to(path, tmp_path), tmp_path)
    sub = [
        step["id"] for step in document["steps"] if processes[step["run"]]["class"] == "Workflow"
    ]
    again = yaml.safe_load(write_text(document, sub))
    assert without_runs(again) == without_runs(yaml.safe_load(path.read_text()))
    assert write_text(list_entries(again, "x"), sub) == write_text(document, sub)


def test_saving_a_shipped_workflow_brings_its_tools_and_leaves_the_package(folder: Path) -> None:
    before = {path: path.read_bytes() for path in SHIPPED.rglob("*.cwl")}
    document, _ = open_workflow(read_reference(JUDGE), folder)
    saved = save_workflow(document, "mine", folder, replace=False, opened=JUDGE)
    assert saved.faults == ()
    assert saved.moved == {
        f"shipped/tools/{name}.cwl": f"folder/tools/{name}.cwl"
        for name in ("measure-micrographs", "decide-micrographs")
    }
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.cwl")) == [
        "count.cwl",
        "mine.cwl",
        "tools/decide-micrographs.cwl",
        "tools/measure-micrographs.cwl",
    ]
    assert {path: path.read_bytes() for path in SHIPPED.rglob("*.cwl")} == before
    again, processes = open_workflow(saved.reference, folder)
    assert list(processes) == [
        "folder/tools/measure-micrographs.cwl",
        "folder/tools/decide-micrographs.cwl",
    ]
    assert [one["id"] for one in again["inputs"]] == [one["id"] for one in document["inputs"]]


def test_what_is_there_is_not_overwritten_unasked(folder: Path) -> None:
    assert save_workflow(small(), "a", folder, replace=False).faults == ()
    text = (folder / "a.cwl").read_text()
    with pytest.raises(AlreadyThereError, match=r"a\.cwl: is there already"):
        save_workflow(small(label="other"), "a", folder, replace=False, opened="folder/b.cwl")
    assert (folder / "a.cwl").read_text() == text
    save_workflow(small(label="own"), "a", folder, replace=False, opened="folder/a.cwl")
    save_workflow(small(label="told"), "a", folder, replace=True)
    assert yaml.safe_load((folder / "a.cwl").read_text())["label"] == "told"


def test_an_own_version_of_a_tool_stays(folder: Path) -> None:
    own = folder / "tools" / "measure-micrographs.cwl"
    own.parent.mkdir()
    text = (SHIPPED / "tools" / own.name).read_text().replace("label: Measure", "label: My measure")
    own.write_text(text)
    document, _ = open_workflow(read_reference(JUDGE), folder)
    saved = save_workflow(document, "mine", folder, replace=False)
    assert own.read_text() == text
    assert saved.notes == (
        "tools/measure-micrographs.cwl in your folder differs from the shipped one; yours is used",
    )


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a.cwl", ".a", "a b", "ä", "a" * 65])
def test_only_plain_names_are_saved(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="not a file name"):
        save_workflow(small(), name, folder, replace=True)
    assert sorted(p.name for p in folder.rglob("*")) == ["count.cwl"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "CommandLineTool"}, "accepted is a Workflow"),
        ({"cwlVersion": "v1.2"}, "accepted is a Workflow"),
        ({"inputs": [{"id": "a/b", "type": "File"}]}, "no id"),
        ({"outputs": [{"id": "a", "type": "File"}, {"id": "a", "type": "File"}]}, "there twice"),
        ({"steps": [{"id": "a", "run": "/etc/passwd", "in": [], "out": []}]}, "not a CWL file"),
        ({"steps": [{"id": "a", "run": "folder/../x.cwl", "in": [], "out": []}]}, "no such file"),
        ({"steps": [{"id": "a", "in": [], "out": []}]}, "runs nothing"),
        ({"steps": "x"}, "accepted are lists"),
    ],
)
def test_what_is_no_workflow_is_refused(folder: Path, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save_workflow(small(**change), "a", folder, replace=True)
    assert not (folder / "a.cwl").exists()


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}_outside"
    outside.mkdir()
    (outside / "x.cwl").write_text(TOOL)
    (folder / "link.cwl").symlink_to(outside / "x.cwl")
    (folder / "tools").symlink_to(outside)
    (folder / "a.cwl").symlink_to(outside / "x.cwl")
    for name in ("folder/link.cwl", "folder/tools/x.cwl", "shipped/commands/run.cwl"):
        with pytest.raises(InputError, match="no such file"):
            find_file(read_reference(name), folder)
    own = [str(one) for one in list_references(folder) if not one.shipped]
    assert own == ["folder/count.cwl"]
    with pytest.raises(InputError, match="is a link"):
        save_workflow(small(), "a", folder, replace=True)
    document, _ = open_workflow(read_reference(JUDGE), folder)
    with pytest.raises(InputError, match="leads out of the folder"):
        save_workflow(document, "mine", folder, replace=False)
    assert [p.name for p in outside.iterdir()] == ["x.cwl"]


def test_a_workflow_that_runs_files_elsewhere_is_not_opened(folder: Path) -> None:
    (folder / "a.cwl").write_text(
        "{cwlVersion: v1.0, class: Workflow, inputs: [], outputs: [], "
        "steps: [{id: s, run: ../../x.cwl, in: [], out: []}]}"
    )
    with pytest.raises(InputError, match="lies neither in"):
        open_workflow(read_reference("folder/a.cwl"), folder)


def test_faults_are_told_at_their_node(folder: Path) -> None:
    """Wrong source, wrong type, missing input, output from nowhere, default of another type."""
    document = small(
        inputs=[
            {"id": "texts", "type": "Directory[]"},
            {"id": "number", "type": "int", "default": "many"},
        ],
        steps=[
            {
                "id": "count",
                "run": "folder/count.cwl",
                "scatter": ["text"],
                "in": [{"id": "text", "source": "texts"}],
                "out": ["count"],
            },
        ],
        outputs=[
            {"id": "counts", "type": "File[]", "outputSource": "count/count"},
            {"id": "nowhere", "type": "File"},
        ],
    )
    saved = save_workflow(document, "a", folder, replace=False)
    assert set(saved.faults) == {
        Fault(part="outputs", node="nowhere", text="nothing is connected to it"),
        Fault(part="inputs", node="number", text="its default is 'many'; accepted is int"),
        Fault(
            part="steps",
            node="count",
            text="Source 'texts' of type Directory[] is incompatible "
            "with sink 'text' of type File[]",
        ),
    }
    lacking = small()
    lacking["steps"][0] |= {"in": [], "scatter": []}
    lacking["outputs"][0]["type"] = "File"
    assert save_workflow(lacking, "d", folder, replace=False).faults == (
        Fault(part="steps", node="count", text="Step is missing required parameter 'text'"),
    )
    unknown = small(outputs=[{"id": "counts", "type": "File[]", "outputSource": "count/other"}])
    (fault,) = save_workflow(unknown, "b", folder, replace=False).faults
    assert (fault.part, fault.node) == ("outputs", "counts")
    assert "references unknown identifier 'count/other'" in fault.text
    assert "file:" not in fault.text
    assert save_workflow(small(), "c", folder, replace=False).faults == ()
    assert check_workflow(folder / "c.cwl") == ()


def test_shipped_workflows_have_no_faults_of_ours() -> None:
    for path in WORKFLOWS:
        process = list_entries(yaml.safe_load(path.read_text()), path.name)
        assert list(find_faults(process, path.parent)) == []


def test_typed_values_become_a_job(folder: Path) -> None:
    inputs: list[dict[str, Any]] = [
        {"id": "mics", "type": "File[]"},
        {"id": "place", "type": ["null", "Directory"]},
        {"id": "size", "type": "float?"},
        {"id": "count", "type": "int", "default": 3},
        {"id": "on", "type": "boolean?"},
        {"id": "who", "type": {"type": "enum", "symbols": ["a", "b"]}, "default": "a"},
        {"id": "word", "type": "string"},
    ]
    tool = folder / "count.cwl"
    typed = {
        "mics": "count.cwl\n\n  " + str(tool),
        "place": ".",
        "size": "1.5",
        "count": "",
        "on": "yes",
        "who": "b",
        "word": "3",
    }
    file = {"class": "File", "path": str(tool)}
    assert read_values(inputs, typed, folder) == {
        "mics": [file, file],
        "place": {"class": "Directory", "path": str(folder)},
        "size": 1.5,
        "on": True,
        "who": "b",
        "word": "3",
    }
    wrong = {"mics": "none.star", "size": "wide", "count": "1.5", "who": "c", "on": "maybe"}
    with pytest.raises(InputError) as caught:
        read_values(inputs, wrong, folder)
    assert str(caught.value).replace("; accepted", ", accepted").split("; ") == [
        f"mics: {folder / 'none.star'}: no such file",
        "size: is 'wide', accepted is float",
        "count: is '1.5', accepted is int",
        "on: is 'maybe', accepted is boolean",
        "who: is 'c', accepted is a, b",
        "word is missing",
    ]


LOG = """INFO [workflow ] start
INFO [workflow ] starting step t
INFO [step t] start
INFO [workflow t] start
INFO [workflow t] starting step a_2
INFO [step a_2] start
INFO [job a] /tmp/1$ true
INFO [job a] completed success
INFO [step a_2] start
INFO [job a_2] Using cached output in /tmp/2
INFO [job a_2] completed success
INFO [step a_2] completed success
INFO [workflow t] completed success
INFO [step t] completed success
INFO [workflow ] starting step a
INFO [step a] start
INFO [job a_3] /tmp/3$ false
WARNING [job a_3] exited with status: 1
WARNING [job a_3] completed permanentFail
WARNING [step a] completed permanentFail
""".splitlines()


def test_progress_counts_a_sub_workflows_jobs_for_the_step_that_runs_it() -> None:
    progress = WorkflowProgress()
    for event in read_events(progress.watch(LOG), []):
        progress.count(event)
    told = {name: (one.state, one.begun) for name, one in progress.steps.items()}
    assert told == {"t": ("done", 2), "a": ("failed", 1)}


def test_the_command_says_where_the_page_is(folder: Path) -> None:
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("cryoverdict")), "compose", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
    finally:
        process.terminate()
        process.communicate(timeout=120)
