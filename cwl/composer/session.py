"""What the page of one folder can ask for: open, save, run, stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryoverdict.cwl.composer.checking import check_workflow
from cryoverdict.cwl.composer.job_values import read_values, write_value
from cryoverdict.cwl.composer.references import (
    SHIPPED,
    Reference,
    find_file,
    list_references,
    read_reference,
    read_reference_file,
)
from cryoverdict.cwl.composer.workflow_document import (
    Document,
    list_entries,
    open_workflow,
    read_interface,
)
from cryoverdict.cwl.composer.workflow_files import check_identifiers, save_workflow
from cryoverdict.cwl.composer.workflow_run import JOB, RUNS, WorkflowRun
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError


class ComposerSession:
    """One folder, the workflow that the page opens first, and the one run at a time."""

    def __init__(self, folder: Path, first: Reference) -> None:
        """Take a folder that exists; raises `InputError` where ``first`` cannot be opened."""
        self.folder = folder.resolve()
        if self.folder.is_relative_to(SHIPPED.resolve()):
            msg = f"{folder}: belongs to the package; give another folder with --folder"
            raise InputError(msg)
        self.first = first
        self.current: WorkflowRun | None = None
        open_workflow(first, self.folder)

    def state(self) -> dict[str, Any]:
        """Return the files that can be opened or dragged, and which is to be opened first."""
        found: list[dict[str, Any]] = []
        for reference in list_references(self.folder):
            if self._is_copy(reference):
                continue
            try:
                process = read_reference_file(reference, self.folder)
            except InputError:
                continue
            found.append(
                {
                    "reference": str(reference),
                    "class": process["class"],
                    "label": str(process.get("label", "")),
                    "doc": str(process.get("doc", "")),
                }
            )
        return {"folder": str(self.folder), "first": str(self.first), "files": found}

    def open(self, name: str) -> dict[str, Any]:
        """Return a workflow's document, the processes it runs, what is wrong, and its last job."""
        reference = read_reference(name)
        document, processes = open_workflow(reference, self.folder)
        path = find_file(reference, self.folder)
        # The shipped files are tested; a person's own may have changed since it was saved.
        faults = () if reference.shipped else check_workflow(path)
        return {
            "reference": str(reference),
            "document": document,
            "processes": processes,
            "faults": [asdict(fault) for fault in faults],
            "values": self._last_values(path),
        }

    def process(self, name: str) -> Document:
        """Return what a file takes and gives, for a step that is to be added."""
        return read_interface(read_reference(name), self.folder)

    def save(self, document: Document, name: str, *, replace: bool, opened: str) -> dict[str, Any]:
        """Save a document in the folder and say what cwltool holds against it."""
        saved = save_workflow(document, name, self.folder, replace=replace, opened=opened)
        return {
            "reference": str(saved.reference),
            "faults": [asdict(fault) for fault in saved.faults],
            "notes": list(saved.notes),
            "moved": dict(saved.moved),
        }

    def run(self, name: str, texts: Mapping[str, str]) -> dict[str, Any]:
        """Start a saved workflow; raises `EngineError` while another runs or where it is not valid.

        Only workflows of the folder are run: the shipped ones have `cryoverdict run`.
        """
        reference = read_reference(name)
        if reference.shipped:
            msg = f"{name}: save it into your folder first"
            raise InputError(msg)
        if self.current is not None and self.current.state == "running":
            msg = f"{self.current.name} is running; stop it first"
            raise EngineError(msg)
        path = find_file(reference, self.folder)
        document = list_entries(read_reference_file(reference, self.folder), name)
        check_identifiers(document)
        values = read_values(document["inputs"], texts, self.folder)
        faults = check_workflow(path)
        if faults:
            msg = f"{path.name}: has {len(faults)} fault(s), first {faults[0].text}"
            raise EngineError(msg)
        self.current = WorkflowRun(path, values, self.folder)
        return self.run_state()

    def run_state(self) -> dict[str, Any]:
        """Return how far the run is; nothing where none was started."""
        return {"run": self.current.told() if self.current is not None else None}

    def stop(self) -> None:
        """End a run that is going."""
        if self.current is not None:
            self.current.stop()

    def _is_copy(self, reference: Reference) -> bool:
        """Return whether a file of the folder is a shipped one that saving put there."""
        shipped = SHIPPED / reference.path
        if reference.shipped or not shipped.is_file():
            return False
        return shipped.read_bytes() == find_file(reference, self.folder).read_bytes()

    def _last_values(self, path: Path) -> dict[str, str]:
        """Return the values of a workflow's last run as a person typed them."""
        import yaml

        job = self.folder / RUNS / path.stem / JOB
        try:
            values = yaml.safe_load(job.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return {}
        if not isinstance(values, dict):
            return {}
        return {str(name): write_value(value) for name, value in values.items()}
