"""What a workflow file says of itself: its inputs, and the files it is made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoverdict.features.input_error import InputError

WORKFLOWS = Path(__file__).resolve().parents[1] / "workflows"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowInput:
    """One input: its CWL type as written, whether a job may leave it out, and what it means."""

    id: str
    type: Any
    optional: bool
    doc: str


def shipped_workflow(name: str) -> Path:
    """Return the file of a shipped workflow, or of the user's own where ``name`` is a path.

    Raises `InputError` where there is neither.
    """
    path = Path(name) if name.endswith(".cwl") else WORKFLOWS / f"{name}.cwl"
    if not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in WORKFLOWS.glob("*.cwl")))
        msg = f"{name}: no such workflow; accepted are {shipped}, or the path of a .cwl file"
        raise InputError(msg)
    return path.resolve()


def read_process(path: Path) -> dict[str, Any]:
    """Return a CWL file as mappings and lists; raises `InputError` for anything else."""
    import yaml

    # libyaml, where PyYAML has it, is ten times as fast, and as safe.
    safe_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = safe_loader(path.read_text(encoding="utf-8"))
        process = loader.get_single_data()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: not a CWL file ({' '.join(str(error).split())})"
        raise InputError(msg) from error
    if not isinstance(process, dict) or "class" not in process:
        msg = f"{path}: not a CWL file; accepted is a mapping with a class"
        raise InputError(msg)
    return process


def workflow_inputs(path: Path) -> dict[str, WorkflowInput]:
    """Return the inputs of a workflow by id, in the order of the file."""
    found = {}
    for entry in _listed(read_process(path).get("inputs", [])):
        kind = entry["type"]
        may_lack = "default" in entry or (isinstance(kind, str) and kind.endswith("?"))
        found[entry["id"]] = WorkflowInput(
            id=entry["id"],
            type=kind,
            optional=may_lack or (isinstance(kind, list) and "null" in kind),
            doc=" ".join(str(entry.get("doc", "")).split()),
        )
    return found


def files_of(path: Path) -> tuple[Path, ...]:
    """Return a workflow's file and all tools and workflows that it runs, each once."""
    seen: dict[Path, None] = {}
    waiting = [path.resolve()]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen[one] = None
        waiting += [(one.parent / name).resolve() for name in _runs(read_process(one))]
    return tuple(seen)


def copy_workflow(path: Path, folder: Path) -> Path:
    """Copy a workflow with all it runs under ``folder``; return the copy of its main file.

    Files stand to each other as they did, so that the copies find one another.
    """
    found = files_of(path)
    root = Path(*_common([p.parent.parts for p in found]))
    for one in found:
        target = folder / one.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != one.read_bytes():
            shutil.copyfile(one, target)
    return folder / path.resolve().relative_to(root)


def _common(parts: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the parts that all paths begin with."""
    shared = parts[0]
    for other in parts[1:]:
        same = [a == b for a, b in zip(shared, other, strict=False)]
        shared = shared[: same.index(False) if False in same else len(same)]
    return shared


def _runs(process: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that a workflow's steps run."""
    for step in _listed(process.get("steps", [])):
        run = step["run"]
        if isinstance(run, str):
            yield run
        else:
            yield from _runs(run)


def _listed(entries: Any) -> list[dict[str, Any]]:
    """Return CWL entries as a list; those of a mapping get their key as id."""
    if isinstance(entries, dict):
        return [
            {"id": key, **(value if isinstance(value, dict) else {"type": value})}
            for key, value in entries.items()
        ]
    return list(entries)
