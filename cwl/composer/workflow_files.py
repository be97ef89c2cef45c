"""Saving a workflow into the user's folder, with the tools it runs beside it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.cwl.composer.checking import check_workflow
from cryoverdict.cwl.composer.references import SHIPPED, SUFFIX, Reference, find_file
from cryoverdict.cwl.composer.validation import Fault
from cryoverdict.cwl.composer.workflow_document import (
    Document,
    files_run,
    list_entries,
    read_interface,
)
from cryoverdict.cwl.composer.workflow_text import write_text
from cryoverdict.cwl.runner.workflow_file import files_of
from cryoverdict.features.input_error import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class AlreadyThereError(InputError):
    """A file of this name is there, and it is not the one that was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A saved workflow: its reference, what is wrong with it, and what became of its tools.

    ``moved`` says under which reference each shipped file that it runs now stands in the folder.
    """

    reference: Reference
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    moved: Mapping[str, str]


def save_workflow(
    document: Document, name: str, folder: Path, *, replace: bool, opened: str = ""
) -> Saved:
    """Write ``folder/NAME.cwl`` and copy the shipped files that it runs; check it with cwltool.

    A file with faults is written all the same: nobody's work is lost. A copy that is there already
    and differs from the shipped file stays, with a note. Raises `InputError` for a name or a
    document that cannot be saved, `AlreadyThereError` where another workflow has the name.
    """
    if not NAME.fullmatch(name):
        msg = f"{name!r}: not a file name; accepted are letters, digits, - and _, 64 at most"
        raise InputError(msg)
    target = Reference(shipped=False, path=f"{name}{SUFFIX}")
    path = folder.resolve() / target.path
    if path.exists() and not replace and opened != str(target):
        msg = f"{path.name}: is there already; give another name, or replace it"
        raise AlreadyThereError(msg)
    if path.is_symlink():
        msg = f"{path.name}: is a link to another place; give another name"
        raise InputError(msg)
    whole = list_entries(document, name)
    check_identifiers(whole)
    moved, notes = _copy_shipped(whole, folder)
    sub_workflows = []
    for step in whole["steps"]:
        if isinstance(step["run"], str):
            run = moved.get(step["run"]) or step["run"]
            reference = Reference(shipped=False, path=run.removeprefix("folder/"))
            if read_interface(reference, folder)["class"] == "Workflow":
                sub_workflows.append(step["id"])
            step["run"] = reference.path
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(write_text(whole, sub_workflows), encoding="utf-8")
    temporary.replace(path)
    return Saved(reference=target, faults=check_workflow(path), notes=tuple(notes), moved=moved)


def check_identifiers(document: Document) -> None:
    """Raise `InputError` unless ids are plain names, each once among steps, inputs and outputs."""
    for part in ("inputs", "steps", "outputs"):
        names = [str(entry.get("id")) for entry in document[part]]
        for name in names:
            if not IDENTIFIER.fullmatch(name):
                msg = f"{part}: {name!r} is no id; accepted are letters, digits and _"
                raise InputError(msg)
            if names.count(name) > 1:
                msg = f"{part}: {name} is there twice; rename one"
                raise InputError(msg)


def _copy_shipped(document: Document, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Copy the shipped files that steps run, and all that these run; return where, and notes.

    They stand to each other as in the package, so that they find one another.
    """
    moved: dict[str, str] = {}
    wanted: dict[Path, None] = {}
    for reference in files_run(document):
        source = find_file(reference, folder)
        if reference.shipped:
            moved[str(reference)] = f"folder/{reference.path}"
            wanted |= dict.fromkeys(files_of(source))
    notes = []
    base = SHIPPED.resolve()
    for source in wanted:
        name = source.relative_to(base).as_posix()
        target = folder.resolve() / name
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            msg = f"{target.parent}: leads out of the folder; nothing was written"
            raise InputError(msg)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{os.getpid()}.part")
            shutil.copyfile(source, part)
            part.replace(target)
        elif target.read_bytes() != source.read_bytes():
            notes.append(f"{name} in your folder differs from the shipped one; yours is used")
    return moved, notes
