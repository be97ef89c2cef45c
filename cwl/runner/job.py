"""The job: the values of a workflow's inputs, as a file that any CWL runner reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryoverdict.cwl.runner.workflow_file import WorkflowInput, workflow_inputs
from cryoverdict.features.input_error import InputError

Values = Mapping[str, Any]


def file_value(path: Path) -> dict[str, str]:
    """Return a file as a job says it."""
    return {"class": "File", "path": str(path.absolute())}


def folder_value(path: Path) -> dict[str, str]:
    """Return a folder as a job says it."""
    return {"class": "Directory", "path": str(path.absolute())}


def learnt_values(model: Path) -> dict[str, dict[str, str]]:
    """Return the inputs of the workflow that goes on with what was learnt."""
    return {
        "learnt": folder_value(model),
        "classification": file_value(model / "classification.json"),
        "confirmation": file_value(model / "confirmation.json"),
    }


def check_job(workflow: Path, values: Values) -> None:
    """Raise `InputError` unless ``values`` fit the inputs of a workflow; all faults at once.

    Runners pass over a key that the workflow does not have in silence: a misspelt one would leave
    the default in force.
    """
    inputs = workflow_inputs(workflow)
    faults = [
        f"{name} is no input of it; accepted are {', '.join(inputs)}"
        for name in values
        if name not in inputs
    ]
    faults += [
        f"{one.id} is missing ({one.doc})"
        for one in inputs.values()
        if not one.optional and values.get(one.id) is None
    ]
    faults += [
        f"{name} is {value!r}; accepted is {_words(inputs[name].type)}"
        for name, value in values.items()
        if name in inputs and value is not None and not _fits(inputs[name].type, value)
    ]
    if faults:
        msg = f"{workflow.name}: {'; '.join(faults)}"
        raise InputError(msg)


def write_job(path: Path, workflow: Path, values: Values) -> None:
    """Check the values and write them as YAML; values of ``None`` are left out."""
    import yaml

    said = {name: value for name, value in values.items() if value is not None}
    check_job(workflow, said)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(said, sort_keys=True, allow_unicode=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def read_setting(text: str, workflow: Path) -> tuple[str, Any]:
    """Return input and value of ``NAME=VALUE``; the value is JSON where it can be, else text.

    Files and folders are given by their path. Raises `InputError` for an input that the workflow
    does not have.
    """
    name, equals, value = text.partition("=")
    inputs = workflow_inputs(workflow)
    if not equals or name not in inputs:
        msg = f"--set {text}: accepted is NAME=VALUE with one of {', '.join(inputs)}"
        raise InputError(msg)
    return name, _value_of(value, inputs[name])


def _value_of(text: str, one: WorkflowInput) -> Any:
    """Return the value that a text stands for, as the type of the input has it."""
    kinds = _kinds(one.type)
    if "File" in kinds or "Directory" in kinds:
        path = Path(text)
        value = folder_value(path) if path.is_dir() else file_value(path)
        return [value] if "array" in kinds else value
    if "string" in kinds or "enum" in kinds:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kinds(kind: Any) -> set[str]:
    """Return the names of the types in a CWL type, those of array items among them."""
    if isinstance(kind, list):
        return set().union(*(_kinds(one) for one in kind))
    if isinstance(kind, dict):
        return {kind["type"]} | (_kinds(kind["items"]) if kind["type"] == "array" else set())
    found = {"null"} if kind.endswith("?") else set()
    kind = kind.removesuffix("?")
    if kind.endswith("[]"):
        return found | {"array", kind.removesuffix("[]")}
    return found | {kind}


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a value can be one of a CWL type; files are told by their class."""
    if isinstance(kind, list):
        return any(_fits(one, value) for one in kind)
    if isinstance(kind, dict):
        if kind["type"] == "array":
            return isinstance(value, list) and all(_fits(kind["items"], v) for v in value)
        return kind["type"] != "enum" or value in kind["symbols"]
    kind = kind.removesuffix("?")
    if kind.endswith("[]"):
        return isinstance(value, list) and all(_fits(kind[:-2], v) for v in value)
    if kind in ("File", "Directory"):
        return isinstance(value, dict) and value.get("class") == kind
    wanted: dict[str, tuple[type, ...]] = {
        "boolean": (bool,),
        "int": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "string": (str,),
    }
    if isinstance(value, bool) and kind != "boolean":
        return False
    return kind in wanted and isinstance(value, wanted[kind])


def _words(kind: Any) -> str:
    """Return a type as a reader may be told it."""
    if isinstance(kind, dict) and kind["type"] == "enum":
        return " or ".join(kind["symbols"])
    if isinstance(kind, dict):
        return f"several {_words(kind['items'])}"
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        return " or ".join(_words(one) for one in kind if one != "null")
    return str(kind).removesuffix("?")
