"""The parts of the runner: job, log, outputs, account."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoverdict.cwl.runner.crate import crate_of
from cryoverdict.cwl.runner.cwltool_log import errors_of, read_events
from cryoverdict.cwl.runner.job import check_job, file_value, read_setting, write_job
from cryoverdict.cwl.runner.needs import free_ram_mib, ram_values
from cryoverdict.cwl.runner.placing import LINKED_FROM_BYTES, place_outputs
from cryoverdict.cwl.runner.provenance import input_records
from cryoverdict.cwl.runner.workflow_file import (
    copy_workflow,
    files_of,
    shipped_workflow,
    workflow_inputs,
)
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import MicrographList

MEMORY = """MemTotal:       24111972 kB
MemFree:          901232 kB
MemAvailable:    3072000 kB
"""
WORKFLOW = """
cwlVersion: v1.0
class: Workflow
inputs:
  - {id: lists, type: 'File[]', doc: Lists.}
  - {id: folder, type: 'Directory?', doc: A folder.}
  - {id: size, type: 'float?', doc: A size.}
  - {id: count, type: int, default: 3, doc: A number.}
  - id: way
    type: {type: enum, name: way, symbols: [left, right]}
    default: left
    doc: Which way.
  - {id: loud, type: 'boolean?', doc: Loud or not.}
outputs: []
steps: []
"""


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "w.cwl"
    path.write_text(WORKFLOW)
    return path


def test_a_job_is_checked_key_by_key(workflow: Path) -> None:
    """Runners take a misspelt key in silence; all faults are told at once."""
    values: dict[str, Any] = {"siez": 1.0, "count": 2.5, "way": "up", "loud": 1, "folder": "x"}
    with pytest.raises(InputError) as told:
        check_job(workflow, values)
    said = str(told.value)
    for fault in (
        "siez is no input of it; accepted are lists, folder",
        "lists is missing (Lists.)",
        "count is 2.5; accepted is int",
        "way is 'up'; accepted is left or right",
        "loud is 1; accepted is boolean",
        "folder is 'x'; accepted is Directory",
    ):
        assert fault in said
    assert said.count("; ") == 10


def test_a_good_job_passes_and_is_written_without_what_is_unknown(
    workflow: Path, tmp_path: Path
) -> None:
    values = {"lists": [file_value(tmp_path / "a.star")], "size": 2, "way": "right", "loud": None}
    write_job(tmp_path / "job" / "job.yaml", workflow, values)
    written = yaml.safe_load((tmp_path / "job" / "job.yaml").read_text())
    assert written == {
        "lists": [{"class": "File", "path": str(tmp_path / "a.star")}],
        "size": 2,
        "way": "right",
    }


def test_a_true_is_no_number(workflow: Path) -> None:
    with pytest.raises(InputError, match="count is True"):
        check_job(workflow, {"lists": [], "count": True})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("size=2.5", ("size", 2.5)),
        ("count=4", ("count", 4)),
        ("way=right", ("way", "right")),
        ("loud=true", ("loud", True)),
    ],
)
def test_a_setting_gets_the_type_of_its_input(
    workflow: Path, text: str, value: tuple[str, object]
) -> None:
    assert read_setting(text, workflow) == value


def test_a_setting_of_a_file_is_a_path(workflow: Path, tmp_path: Path) -> None:
    name, value = read_setting(f"folder={tmp_path}", workflow)
    assert (name, value) == ("folder", {"class": "Directory", "path": str(tmp_path)})


def test_an_unknown_setting_names_the_known_ones(workflow: Path) -> None:
    with pytest.raises(InputError, match="with one of lists, folder, size, count, way, loud"):
        read_setting("siez=2", workflow)


def test_inputs_say_whether_a_job_may_leave_them_out(workflow: Path) -> None:
    optional = {one.id: one.optional for one in workflow_inputs(workflow).values()}
    assert optional == {
        "lists": False,
        "folder": True,
        "size": True,
        "count": True,
        "way": True,
        "loud": True,
    }


def test_a_workflow_that_is_not_there_names_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"accepted are .*judge-micrographs"):
        shipped_workflow("jugde-micrographs")


def test_the_copy_of_a_workflow_is_whole(tmp_path: Path) -> None:
    original = shipped_workflow("judge-micrographs")
    copied = copy_workflow(original, tmp_path)
    assert copied == tmp_path / "workflows" / "judge-micrographs.cwl"
    assert [p.name for p in files_of(copied)] == [p.name for p in files_of(original)]
    assert all(p.is_relative_to(tmp_path) for p in files_of(copied))


def test_jobs_ask_for_no_more_memory_than_is_free(tmp_path: Path) -> None:
    """Cwltool would not begin them: on a small machine nothing would ever run."""
    (tmp_path / "meminfo").write_text(MEMORY)
    free_mib = free_ram_mib(tmp_path / "meminfo")
    assert free_mib == 2700
    assert free_ram_mib(tmp_path / "no such file") is None
    large = tmp_path / "large.mrc"
    with large.open("wb") as file:
        file.truncate(400 << 20)
    listed = MicrographList(micrographs=(Micrograph(path=large, subject="large.mrc"),))
    assert ram_values(listed, None) == {"batch_ram_mib": 4512}
    assert ram_values(listed, free_mib) == {"batch_ram_mib": 2700, "ram_mib": 2700}
    assert ram_values(listed, 64000) == {"batch_ram_mib": 4512, "ram_mib": None}


LOG = """INFO cwltool 3.3
INFO [workflow ] start
INFO [step measure] start
INFO [job measure] Output of job will be cached in /c/aaa
INFO [job measure] /c/aaa$ cryoverdict \\
    measure-micrographs \\
    --output \\
    measured \\
    '/t/a b.star'
INFO [job measure_2] Using cached output in /c/bbb
note: something of the step
INFO [job measure] Max memory used: 234MiB
INFO [job measure] completed success
error: /t/x/stg147e30e9-6d89-4e4c-9d6b-c209ec9f7d9e/b.mrc: cannot be read
WARNING [job decide] exited with status: 3
WARNING [job decide] completed permanentFail
error: b.mrc: cannot be read
"""


def test_the_log_is_read_as_events() -> None:
    said: list[str] = []
    events = list(read_events(LOG.splitlines(keepends=True), said))
    assert [(e.step, e.job, e.state) for e in events] == [
        ("measure", "measure", "planned"),
        ("measure", "measure", "started"),
        ("measure", "measure_2", "cached"),
        ("measure", "measure", "done"),
        ("decide", "decide", "failed"),
    ]
    assert events[1].command == (
        "cryoverdict",
        "measure-micrographs",
        "--output",
        "measured",
        "/t/a b.star",
    )
    assert events[1].folder == "/c/aaa"
    assert events[3].memory_mib == 234
    assert events[4].code == 3
    assert said == LOG.splitlines()
    assert errors_of(said) == ["b.mrc: cannot be read"]


def output(path: Path) -> dict[str, str]:
    """Return an output as cwltool names it."""
    kind = "Directory" if path.is_dir() else "File"
    return {"class": kind, "basename": path.name, "path": str(path)}


def test_outputs_are_placed_over_those_of_an_earlier_run(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "out"
    (kept / "judged").mkdir(parents=True)
    (kept / "judged" / "a.json").write_text("new")
    (kept / "good.star").write_text("star")
    (kept / "big.mrcs").write_bytes(bytes(LINKED_FROM_BYTES))
    (folder / "judged").mkdir(parents=True)
    (folder / "judged" / "old.json").write_text("old")
    outputs = {
        "judged": output(kept / "judged"),
        "files": [output(kept / "good.star"), output(kept / "big.mrcs")],
        "none": None,
    }
    for _ in range(2):  # the second time over its own links
        placed = place_outputs(outputs, folder)
    assert {p.relative_to(folder).as_posix() for p in placed} == {
        "judged",
        "good.star",
        "big.mrcs",
    }
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")) == [
        "big.mrcs",
        "good.star",
        "judged",
        "judged/a.json",
    ]
    assert (folder / "judged" / "a.json").read_text() == "new"
    # A stack takes its room once; a small file may be edited without spoiling the kept result.
    assert (folder / "big.mrcs").stat().st_ino == (kept / "big.mrcs").stat().st_ino
    assert (folder / "good.star").stat().st_ino != (kept / "good.star").stat().st_ino


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.star").write_text(name)
    outputs = {name: output(tmp_path / name / "x.star") for name in ("a", "b")}
    with pytest.raises(EngineError, match="two outputs of the workflow have this name"):
        place_outputs(outputs, tmp_path / "out")


def test_inputs_are_known_by_their_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(b"abc")
    os.utime(path, ns=(5, 7))
    (record,) = input_records([path, tmp_path / "missing.mrc"])
    assert record == {
        "path": str(path),
        "bytes": 3,
        "changed_ns": 7,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


def test_the_crate_names_everything_that_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "judged").mkdir()
    crate = crate_of(
        workflow="workflow/w.cwl",
        parts=["workflow/tools/t.cwl"],
        title="Judge",
        job={"threads": 2, "micrographs": [{"class": "File"}]},
        micrographs=[tmp_path / "a.mrc"],
        outputs=[tmp_path / "judged"],
        root=tmp_path,
        version="0.1.0",
    )
    things = {one["@id"]: one for one in crate["@graph"]}
    assert len(things) == len(crate["@graph"])

    def pointed(value: object) -> set[str]:
        """Return every identifier that a value points to."""
        if isinstance(value, dict):
            inner = set().union(*(pointed(v) for v in value.values())) if value else set()
            return {str(value["@id"])} if set(value) == {"@id"} else inner
        return set().union(*(pointed(v) for v in value)) if isinstance(value, list) else set()

    named = {one for thing in things.values() for value in thing.values() for one in pointed(value)}
    inside = {one for one in named if not one.startswith("http")}
    assert inside <= set(things)
    assert things["./"]["mainEntity"] == {"@id": "workflow/w.cwl"}
    assert things["#run"]["result"] == [{"@id": "judged/"}]
    assert {"@id": (tmp_path / "a.mrc").as_uri()} in things["#run"]["object"]
    assert things["#threads"]["value"] == 2
    assert json.loads(json.dumps(crate)) == crate
