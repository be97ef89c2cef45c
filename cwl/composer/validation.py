"""What cwltool finds wrong in a workflow, told at the node of the drawing that it concerns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoverdict.engine.program_error import ProgramError

PLACED = re.compile(r"^(?P<file>\S+?\.cwl):(?P<line>\d+):(?P<column>\d+):\s(?P<text>.*)$")
CONTEXT = re.compile(r"checking (?:object|field) '[^']*'\s*|checking item\s*")
OF_TYPE = re.compile(
    r"of type (?P<type>[\[{].*?[\]}]|\"[^\"]+\")(?= is incompatible| source has|$)"
)
TRIED = re.compile(r", tried(?: .*)?$")
LIMIT_S = 120
# `python -m cwltool` would do, but drops the exit code.
CWLTOOL = "import sys; from cwltool.main import run; sys.exit(run(sys.argv[1:]))"
PARTS = ("inputs", "steps", "outputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: ``part`` and ``node`` say at which entry, empty for the whole."""

    part: str
    node: str
    text: str


def validate_workflow(path: Path) -> tuple[Fault, ...]:
    """Return what ``cwltool --validate --strict`` says against a workflow; nothing if it accepts.

    Raises `ProgramError` where cwltool does not end.
    """
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-c", CWLTOOL, "--disable-color", "--validate", "--strict"),
                path.name,
            ],
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            # Validating, it logs to its standard output.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{path}: cwltool did not end within {LIMIT_S} s; try again"
        raise ProgramError(msg) from error
    if done.returncode == 0:
        return ()
    faults = read_faults(done.stdout.splitlines(), path.name, node_lines(path))
    return faults or (Fault(part="", node="", text="cwltool does not accept it and says nothing"),)


def node_lines(path: Path) -> tuple[tuple[int, str, str], ...]:
    """Return the first line (from 1) of every input, step and output, with its part and id."""
    import yaml

    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    found: list[tuple[int, str, str]] = []
    for key, part in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value in PARTS:
            for entry in part.value:
                names = {k.value: v.value for k, v in entry.value}
                found.append((entry.start_mark.line + 1, key.value, str(names.get("id", ""))))
        elif found:
            found.append((key.start_mark.line + 1, "", ""))
    return tuple(sorted(found))


def read_faults(
    lines: Iterable[str], file: str, nodes: tuple[tuple[int, str, str], ...]
) -> tuple[Fault, ...]:
    """Return the faults in cwltool's messages about ``file``, each once, in order.

    cwltool nests its findings: lines that only say what is being checked lead to those that say
    what is wrong. A wrong connection is two lines, the source and then its sink.
    """
    found: dict[Fault, None] = {}
    source = ""
    for name, line, message in _messages(lines):
        text = TRIED.sub("", CONTEXT.sub("", message)).strip()
        if not text:
            continue
        if text.startswith("Source ") and text.endswith("is incompatible"):
            source = text
            continue
        if source and text.startswith("with sink"):
            text = f"{source} {text}"
        source = ""
        part, node = _node_at(line, nodes) if name == file else ("", "")
        place = "" if name in (file, "") else f"{name}: "
        found[Fault(part=part, node=node, text=place + OF_TYPE.sub(_in_words, text))] = None
    return tuple(found)


def _messages(lines: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    """Yield file, line and text of each message; lines that go on with one are put to it."""
    file, number, words = "", 0, ""
    failed = False
    for line in lines:
        if not failed:
            failed = line.startswith("ERROR ")
            said = line.removeprefix("ERROR ").strip()
            if failed and said != "Tool definition failed validation:":
                words = said
            continue
        match = PLACED.match(line)
        if match is None:
            words = f"{words} {line.strip()}".strip()
            continue
        if words:
            yield file, number, words
        file, number, words = match["file"], int(match["line"]), match["text"].strip()
    if words:
        yield file, number, words


def _node_at(line: int, nodes: tuple[tuple[int, str, str], ...]) -> tuple[str, str]:
    """Return part and id of the last entry that begins at a line or before it."""
    at = ("", "")
    for first, part, node in nodes:
        if first <= line:
            at = (part, node)
    return at


def _in_words(match: re.Match[str]) -> str:
    """Return a type as CWL files write it, in place of cwltool's JSON."""
    try:
        return f"of type {_short(json.loads(match['type']))}"
    except ValueError:
        return match[0]


def _short(kind: Any) -> str:
    """Return a CWL type in one word where there is one."""
    if isinstance(kind, list):
        words = " or ".join(_short(one) for one in kind if one != "null")
        return f"{words}, or nothing" if "null" in kind else words
    if isinstance(kind, dict) and kind.get("type") == "array":
        items = _short(kind["items"])
        return f"({items})[]" if " " in items else f"{items}[]"
    if isinstance(kind, dict) and kind.get("type") == "enum":
        return "/".join(str(one).rpartition("/")[2] for one in kind.get("symbols", []))
    return str(kind)
