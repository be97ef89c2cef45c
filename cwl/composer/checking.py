"""All that is wrong with a workflow: what cwltool finds, and what it lets pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryoverdict.cwl.composer.job_values import read_value, write_value
from cryoverdict.cwl.composer.validation import Fault, validate_workflow
from cryoverdict.cwl.composer.workflow_document import Document, list_entries
from cryoverdict.cwl.runner.workflow_file import read_process
from cryoverdict.features.input_error import InputError


def check_workflow(path: Path) -> tuple[Fault, ...]:
    """Return the faults of a workflow's file, each at its node; none where it is fit to run."""
    document = list_entries(read_process(path), path.name)
    return (*find_faults(document, path.parent), *validate_workflow(path))


def find_faults(document: Document, folder: Path) -> Iterator[Fault]:
    """Yield what cwltool does not look at: outputs from nowhere, defaults of another type."""
    for output in document["outputs"]:
        if not output.get("outputSource"):
            yield Fault(part="outputs", node=output["id"], text="nothing is connected to it")
    for one in document["inputs"]:
        default = one.get("default")
        if default is None or isinstance(default, dict):
            continue
        try:
            read_value(one["type"], write_value(default), folder)
        except InputError as error:
            yield Fault(part="inputs", node=one["id"], text=f"its default {error}")
