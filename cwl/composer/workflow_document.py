"""A workflow as the page holds it: entries in lists, and each step's file by its reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoverdict.cwl.composer.references import (
    Reference,
    find_file,
    read_reference,
    read_reference_file,
    refer_to,
)
from cryoverdict.features.input_error import InputError

Document = dict[str, Any]
VERSION = "v1.0"
# What a step's box needs of the process that it runs.
INTERFACE = ("cwlVersion", "class", "id", "label", "doc")


def open_workflow(reference: Reference, folder: Path) -> tuple[Document, dict[str, Document]]:
    """Return a workflow's document, and the interfaces of the processes that its steps run.

    Raises `InputError` for a file that is no workflow of CWL v1.0, or that runs a file which lies
    elsewhere.
    """
    path = find_file(reference, folder)
    document = list_entries(read_reference_file(reference, folder), str(reference))
    processes: dict[str, Document] = {}
    for step in document["steps"]:
        if isinstance(step["run"], str):
            named = refer_to(path.parent / step["run"].removeprefix("file://"), folder)
            step["run"] = str(named)
            processes[str(named)] = read_interface(named, folder)
    return document, processes


def read_interface(reference: Reference, folder: Path) -> Document:
    """Return what a process takes and gives, entries in lists."""
    process = read_reference_file(reference, folder)
    return interface_of(process)


def interface_of(process: Document) -> Document:
    """Return a process without what only its run needs."""
    shown = {name: process[name] for name in INTERFACE if name in process}
    shown["inputs"] = _entries(process.get("inputs"), "type")
    shown["outputs"] = [
        {name: value for name, value in one.items() if name != "outputSource"}
        for one in _entries(process.get("outputs"), "type")
    ]
    return shown | {"steps": []} if process.get("class") == "Workflow" else shown


def list_entries(process: Document, name: str) -> Document:
    """Return a workflow with inputs, steps, outputs and requirements as lists.

    Raises `InputError` for anything but a workflow of CWL v1.0.
    """
    if process.get("class") != "Workflow" or process.get("cwlVersion") != VERSION:
        found = f"{process.get('class')} {process.get('cwlVersion')}"
        msg = f"{name}: is {found}; accepted is a Workflow of cwlVersion {VERSION}"
        raise InputError(msg)
    listed = dict(process)
    listed["inputs"] = _entries(process.get("inputs"), "type")
    listed["outputs"] = _entries(process.get("outputs"), "type")
    listed["steps"] = _entries(process.get("steps"), "run")
    for key in ("requirements", "hints"):
        if key in process:
            listed[key] = _entries(process[key], "value", identity="class")
    for step in listed["steps"]:
        if not isinstance(step.get("run"), str | dict):
            msg = f"{name}: step {step.get('id')} runs nothing; accepted is the path of a CWL file"
            raise InputError(msg)
        step["in"] = _entries(step.get("in"), "source")
        step["out"] = [
            one if isinstance(one, str) else str(one["id"]) for one in step.get("out") or []
        ]
        scatter = step.get("scatter")
        if isinstance(scatter, str):
            step["scatter"] = [scatter]
    return listed


def files_run(document: Document) -> Iterator[Reference]:
    """Yield the files that the steps of a document run."""
    for step in document["steps"]:
        if isinstance(step["run"], str):
            yield read_reference(step["run"])


def _entries(entries: Any, shorthand: str, identity: str = "id") -> list[Document]:
    """Return CWL entries as a list of mappings; a mapping's key becomes the entry's id."""
    if isinstance(entries, dict):
        return [
            {identity: key, **(value if isinstance(value, dict) else {shorthand: value})}
            for key, value in entries.items()
        ]
    if not isinstance(entries, list | None) or not all(isinstance(e, dict) for e in entries or []):
        msg = "inputs, steps, outputs and requirements: accepted are lists or mappings of entries"
        raise InputError(msg)
    return [dict(entry) for entry in entries or []]
