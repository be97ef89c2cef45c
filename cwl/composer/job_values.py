"""The values of a workflow's inputs as a person types them, and as a job holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryoverdict.cwl.composer.workflow_document import Document
from cryoverdict.features.input_error import InputError

WORDS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}
# Types tried on a text where several are accepted: the narrowest first.
NARROWEST_FIRST = ("boolean", "int", "long", "float", "double", "enum", "File", "Directory")


def read_values(inputs: list[Document], texts: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Return the job of typed texts; an empty text leaves the input to its default.

    Paths are relative to ``folder``; the items of an array stand on lines of their own. Raises
    `InputError` with all that does not fit.
    """
    values: dict[str, Any] = {}
    wrong = []
    for one in inputs:
        text = str(texts.get(one["id"], "")).strip()
        if not text:
            if "default" not in one and not _may_lack(one["type"]):
                wrong.append(f"{one['id']} is missing")
            continue
        try:
            values[one["id"]] = read_value(one["type"], text, folder)
        except InputError as error:
            wrong.append(f"{one['id']}: {error}")
    if wrong:
        raise InputError("; ".join(wrong))
    return values


def read_value(kind: Any, text: str, folder: Path) -> Any:
    """Return the value of one CWL type that a text stands for; raises `InputError`."""
    if isinstance(kind, str) and kind.endswith("?"):
        return read_value(kind[:-1], text, folder)
    if isinstance(kind, str) and kind.endswith("[]"):
        return [read_value(kind[:-2], line, folder) for line in _lines(text)]
    if isinstance(kind, list):
        return _read_one_of([one for one in kind if one != "null"], text, folder)
    if isinstance(kind, dict) and kind.get("type") == "array":
        return [read_value(kind["items"], line, folder) for line in _lines(text)]
    if isinstance(kind, dict) and kind.get("type") == "enum":
        symbols = [str(one) for one in kind["symbols"]]
        if text not in symbols:
            msg = f"is {text!r}; accepted is {', '.join(symbols)}"
            raise InputError(msg)
        return text
    if isinstance(kind, dict) and isinstance(kind.get("type"), str | list | dict):
        return read_value(kind["type"], text, folder)
    return _read_plain(str(kind), text, folder)


def write_value(value: Any) -> str:
    """Return the text that a person would type for a value of a job."""
    if isinstance(value, list):
        return "\n".join(write_value(one) for one in value)
    if isinstance(value, dict) and "path" in value:
        return str(value["path"])
    return value if isinstance(value, str) else json.dumps(value)


def _read_plain(kind: str, text: str, folder: Path) -> Any:
    """Return a value of a type that is one word."""
    wrong = f"is {text!r}; accepted is {kind}"
    if kind in ("File", "Directory"):
        path = (folder / Path(text).expanduser()).absolute()
        if not (path.is_file() if kind == "File" else path.is_dir()):
            msg = f"{path}: no such {'file' if kind == 'File' else 'folder'}"
            raise InputError(msg)
        return {"class": kind, "path": str(path)}
    if kind == "boolean":
        if text.lower() not in WORDS:
            raise InputError(wrong)
        return WORDS[text.lower()]
    try:
        if kind in ("int", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError as error:
        raise InputError(wrong) from error
    if kind != "string":
        msg = f"is of type {kind}, which this page cannot set; give a default in the file"
        raise InputError(msg)
    return text


def _read_one_of(kinds: list[Any], text: str, folder: Path) -> Any:
    """Return the value of the first type that a text fits, narrow types first."""

    def width(kind: Any) -> int:
        name = kind.get("type") if isinstance(kind, dict) else kind
        return NARROWEST_FIRST.index(name) if name in NARROWEST_FIRST else len(NARROWEST_FIRST)

    said = []
    for kind in sorted(kinds, key=width):
        try:
            return read_value(kind, text, folder)
        except InputError as error:
            said.append(str(error))
    raise InputError(said[-1] if said else f"{text!r}: nothing is accepted")


def _may_lack(kind: Any) -> bool:
    """Return whether a job may leave out an input of a type."""
    return "null" in kind if isinstance(kind, list) else str(kind).endswith("?")


def _lines(text: str) -> list[str]:
    """Return the lines of a text that say something."""
    return [line.strip() for line in text.splitlines() if line.strip()]
