"""Every CWL file: valid, in the profile, documented, drawn from left to right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoverdict.cwl.runner.job import check_job
from cryoverdict.cwl.runner.workflow_file import workflow_inputs

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "cwl").rglob("*.cwl"))
WORKFLOWS = sorted((ROOT / "cwl" / "workflows").glob("*.cwl"))
# What the Composer's library keeps, at workflow level.
ALLOWED = {
    "ScatterFeatureRequirement",
    "MultipleInputFeatureRequirement",
    "SubworkflowFeatureRequirement",
}
VALIDATE = """
import sys
from cwltool.main import main
bad = [p for p in sys.argv[1:] if main(["--quiet", "--validate", "--strict", p]) != 0]
print("BAD", bad)
"""

# The module run with -m drops the exit code.
CWLTOOL = str(Path(sys.executable).with_name("cwltool"))


def validated(*paths: Path) -> tuple[str, str]:
    """Return the files that cwltool refuses, and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1], done.stdout + done.stderr


def read(path: Path) -> dict[str, Any]:
    """Return a workflow as it stands in its file."""
    process = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(process, dict)
    return process


def test_cwltool_validates_every_file_strictly() -> None:
    assert validated(*FILES)[0] == "BAD []"


def test_a_fault_would_be_seen(tmp_path: Path) -> None:
    """The check above can fail: a source that does not exist."""
    text = (ROOT / "cwl" / "workflows" / "judge-micrographs.cwl").read_text(encoding="utf-8")
    broken = tmp_path / "broken.cwl"
    broken.write_text(
        text.replace("../tools", str(ROOT / "cwl" / "tools")).replace(
            "source: measure/measured", "source: measure/measurements"
        )
    )
    told, said = validated(broken)
    assert told == f"BAD ['{broken}']"
    assert "measurements" in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: str(p.stem))
def test_workflow_is_in_the_profile(path: Path) -> None:
    """Listed form, plain names, no expressions: what every editor and runner keeps."""
    workflow = read(path)
    assert workflow["cwlVersion"] == "v1.0"
    assert workflow["id"] == path.stem.replace("-", "_")
    assert {r["class"] for r in workflow.get("requirements", [])} <= ALLOWED
    for word in ("valueFrom", "$(", "${", "when:", "$schemas", "$import"):
        assert word not in path.read_text(encoding="utf-8")
    names = [one["id"] for kind in ("inputs", "steps", "outputs") for one in workflow[kind]]
    assert all(name.replace("_", "").isalnum() and name == name.lower() for name in names)
    steps = {one["id"] for one in workflow["steps"]}
    assert steps & {one["id"] for one in workflow["outputs"]} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: str(p.stem))
def test_every_input_is_documented_and_used(path: Path) -> None:
    workflow = read(path)
    assert workflow["doc"].strip()
    used: set[str] = set()
    for step in workflow["steps"]:
        for entry in step["in"]:
            source = entry.get("source", [])
            used |= set(source if isinstance(source, list) else [source])
    for entry in workflow["inputs"]:
        assert entry["label"], entry["id"]
        assert entry["doc"].strip(), entry["id"]
        assert entry["id"] in used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: str(p.stem))
def test_steps_stand_right_of_what_they_need(path: Path) -> None:
    """A reader of the drawn workflow goes from left to right."""
    workflow = read(path)
    places = [one for kind in ("inputs", "steps", "outputs") for one in workflow[kind]]
    x = {one["id"]: one["sbg:x"] for one in places}
    spots = [(one["sbg:x"], one["sbg:y"]) for one in places]
    assert len(set(spots)) == len(spots)
    for step in workflow["steps"]:
        for entry in step["in"]:
            source = entry.get("source", [])
            for one in source if isinstance(source, list) else [source]:
                assert x[one.partition("/")[0]] < x[step["id"]], (step["id"], one)
    for output in workflow["outputs"]:
        assert x[output["outputSource"].partition("/")[0]] < x[output["id"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: str(p.stem))
def test_the_template_of_a_job_can_be_filled_in(path: Path, tmp_path: Path) -> None:
    """`--make-template` names every input with its default; with the needed files it is a job."""
    done = subprocess.run(
        [CWLTOOL, "--quiet", "--make-template", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    template = yaml.safe_load(done.stdout)
    inputs = {one["id"]: one for one in read(path)["inputs"]}
    assert set(template) == set(inputs)
    for name, one in inputs.items():
        if "default" in one:
            assert template[name] == one["default"]
    optional = {one.id for one in workflow_inputs(path).values() if one.optional}
    defaults = {name: value for name, value in template.items() if "default" in inputs[name]}
    text = yaml.safe_dump(defaults | {n: v for n, v in template.items() if n not in optional})
    (tmp_path / "list.star").touch()
    text = text.replace("a/file/path", str(tmp_path / "list.star"))
    job = tmp_path / "job.yaml"
    job.write_text(text.replace("a/directory/path", str(tmp_path)))
    check_job(path, yaml.safe_load(job.read_text()))
    words = [CWLTOOL, "--quiet", "--validate", "--strict", str(path), str(job)]
    subprocess.run(words, capture_output=True, text=True, check=True)
