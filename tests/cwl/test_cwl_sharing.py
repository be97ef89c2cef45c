"""What registries and container builders read says what the repository is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoverdict.cwl.runner.package_crate import package_crate

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / "cwl" / "workflows").glob("*.cwl"))
# A workflow that only another one runs is not offered by itself.
PARTS = {"trial-round"}


def test_the_image_is_the_one_that_the_tools_name() -> None:
    tag = f"cryoverdict:{PROJECT['version']}"
    assert f"--tag {tag} " in DOCKERFILE
    assert f'image.version="{PROJECT["version"]}"' in DOCKERFILE
    for tool in (ROOT / "cwl" / "tools").glob("*.cwl"):
        assert f"dockerPull: {tag}\n" in tool.read_text(encoding="utf-8")


def test_the_image_follows_the_rules_of_container_linters() -> None:
    """One pinned base, no root at run time, no latest, JSON form of the command."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith(("#", " "))]
    words = [line.split()[0] for line in lines]
    assert words[0] == "FROM"
    assert words.count("FROM") == 1
    assert re.fullmatch(r"FROM python:3\.11-slim-[a-z]+", lines[0])
    assert "latest" not in DOCKERFILE
    assert "ADD" not in words
    assert words.index("USER") > max(i for i, word in enumerate(words) if word == "RUN")
    assert re.search(r'^CMD \["', DOCKERFILE, re.MULTILINE)


def test_everything_that_the_package_needs_is_copied() -> None:
    copied = set(re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    packages = {"features", "rules", "engine", "reports", "cwl"}
    assert names == packages | {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]}


def test_dockstore_offers_every_whole_workflow() -> None:
    offered = yaml.safe_load((ROOT / ".dockstore.yml").read_text())
    assert offered["version"] == 1.2
    paths = {one["primaryDescriptorPath"].lstrip("/") for one in offered["workflows"]}
    assert paths == {
        path.relative_to(ROOT).as_posix() for path in WORKFLOWS if path.stem not in PARTS
    }
    for one in offered["workflows"]:
        assert one["subclass"] == "CWL"
        assert (ROOT / one["readMePath"].lstrip("/")).is_file()


@pytest.fixture(scope="module")
def things() -> dict[str, dict[str, Any]]:
    """Return the things that the metadata of the shipped workflows speak of, by identifier."""
    crate = json.loads((ROOT / "cwl" / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    return {one["@id"]: one for one in crate["@graph"]}


def test_the_crate_of_the_workflows_is_whole(things: dict[str, dict[str, Any]]) -> None:
    files = {p.relative_to(ROOT / "cwl").as_posix() for p in (ROOT / "cwl").rglob("*.cwl")}
    assert {name for name in things if name.endswith(".cwl")} == files
    assert things["./"]["mainEntity"] == {"@id": "workflows/preprocess.cwl"}
    assert things["./"]["version"] == PROJECT["version"]
    assert PROJECT["license"] in things["./"]["license"]["@id"]
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        thing = things[path.relative_to(ROOT / "cwl").as_posix()]
        assert thing["name"] == workflow["label"]
        assert "ComputationalWorkflow" in thing["@type"]
        assert [one["@id"].rpartition("#")[2] for one in thing["input"]] == [
            one["id"] for one in workflow["inputs"]
        ]


def test_the_crate_is_as_it_is_written_now() -> None:
    """After a change: python -m cryoverdict.cwl.runner.package_crate."""
    stored = json.loads((ROOT / "cwl" / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert stored == package_crate(ROOT / "cwl")


def test_the_crate_points_to_nothing_that_is_not_in_it(things: dict[str, dict[str, Any]]) -> None:
    text = json.dumps(list(things.values()))
    pointed = set(re.findall(r'\{"@id": "([^"]+)"\}', text))
    assert {one for one in pointed if not one.startswith("http")} <= set(things)
