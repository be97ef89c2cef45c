"""One run of a workflow in one folder: its job, its outputs, and the account of how they came."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoverdict.cwl.runner.crate import crate_of, write_crate
from cryoverdict.cwl.runner.cwltool_log import JobEvent
from cryoverdict.cwl.runner.execution import execute
from cryoverdict.cwl.runner.job import file_value, folder_value, write_job
from cryoverdict.cwl.runner.placing import place_outputs
from cryoverdict.cwl.runner.provenance import (
    file_digest,
    input_records,
    knowledge_digests,
    package_digest,
    versions,
    write_provenance,
)
from cryoverdict.cwl.runner.workflow_file import (
    copy_workflow,
    files_of,
    read_process,
    workflow_inputs,
)
from cryoverdict.engine.batches import write_batches
from cryoverdict.features.exposure_records import write_exposures_of
from cryoverdict.features.micrograph_list import MicrographList

JOB = "job.yaml"
LOG = "cwltool.log"
EXPOSURES = "exposures.cs"
# What every call says, whether the workflow asks for it or not.
ALWAYS = ("threads", "seed", "batch_size", "batch_ram_mib", "ram_mib")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A folder in which a run can begin: the workflow's copy, its job, and what went into it.

    ``batches`` is the number of jobs over which the micrographs are dealt.
    """

    folder: Path
    workflow: Path
    job: Path
    values: Mapping[str, Any]
    micrographs: MicrographList
    rule_layers: tuple[Path, ...]
    batches: int


def prepare_run(
    folder: Path,
    *,
    workflow: Path,
    micrographs: MicrographList,
    batch_size: int,
    rule_layers: Sequence[Path],
    values: Mapping[str, Any],
) -> PreparedRun:
    """Write ``folder/workflow``: the workflow, its rules, the batches and the job.

    Whoever has this folder can run the same again with any CWL runner. Values that the workflow has
    no input for are an `InputError`, but for those that `ALWAYS` are there.
    """
    inside = folder / "workflow"
    batches = write_batches(micrographs, inside / "batches", size=batch_size)
    layers = _copy_rules(rule_layers, inside / "rules")
    known = workflow_inputs(workflow)
    chosen = {
        name: value
        for name, value in values.items()
        if value is not None and (name in known or name not in ALWAYS)
    }
    chosen["micrographs"] = [file_value(batch.path) for batch in batches]
    if "exposures" in known and write_exposures_of(inside / EXPOSURES, micrographs):
        chosen["exposures"] = [file_value(inside / EXPOSURES)]
    if layers:
        chosen["rules"] = [folder_value(layer) for layer in layers]
    copy = copy_workflow(workflow, inside)
    write_job(inside / JOB, copy, chosen)
    return PreparedRun(
        folder=folder,
        workflow=copy,
        job=inside / JOB,
        values=chosen,
        micrographs=micrographs,
        rule_layers=layers,
        batches=len(batches),
    )


def run_prepared(
    run: PreparedRun,
    *,
    jobs: int,
    command: Sequence[str],
    on_event: Callable[[JobEvent], None] | None = None,
) -> tuple[Path, ...]:
    """Run the workflow and return its outputs in the run's folder.

    Results are kept in ``.cache`` under a digest of the installed code, so that the same call goes
    on where it was stopped, and another version begins anew. Writes ``provenance.json`` and
    ``ro-crate-metadata.json``.
    """
    code = package_digest()
    cache = run.folder / ".cache" / code[:16]
    _clear_beside(cache)
    cache.mkdir(parents=True, exist_ok=True)
    done = execute(
        run.workflow,
        run.job,
        cache=cache,
        log=run.folder / "workflow" / LOG,
        jobs=jobs,
        on_event=on_event,
    )
    _clear_beside(cache)
    placed = place_outputs(done.outputs, run.folder)
    installed = versions()
    images = [m.path for m in run.micrographs.micrographs]
    models = [Path(value["path"]) for value in [run.values.get("model")] if value]
    parts = [path for path in files_of(run.workflow) if path != run.workflow.resolve()]
    write_provenance(
        run.folder,
        {
            "code": code,
            "command": list(command),
            "inputs": input_records(images),
            "job": {"file": f"workflow/{JOB}", "values": dict(run.values)},
            "knowledge": knowledge_digests(run.rule_layers, models),
            "outputs": {path.name: output_digest(path) for path in placed},
            "steps": list(done.commands),
            "versions": installed,
            "workflow": {
                path.relative_to(run.folder.resolve()).as_posix(): file_digest(path)
                for path in sorted(files_of(run.workflow))
            },
        },
    )
    root = run.folder.resolve()
    write_crate(
        run.folder,
        crate_of(
            workflow=run.workflow.resolve().relative_to(root).as_posix(),
            parts=sorted(path.relative_to(root).as_posix() for path in parts),
            title=str(read_process(run.workflow).get("label", run.workflow.stem)),
            job=run.values,
            micrographs=images,
            outputs=placed,
            root=run.folder,
            version=str(installed["cryoverdict"]),
        ),
    )
    return placed


def output_digest(path: Path) -> str | dict[str, str]:
    """Return the digest of a file, or those of a folder's files by their path in it."""
    if path.is_file():
        return file_digest(path)
    return {
        one.relative_to(path).as_posix(): file_digest(one)
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }


def _clear_beside(cache: Path) -> None:
    """Remove what earlier versions kept, and the folders that cwltool leaves beside its own."""
    for other in cache.parent.glob("*"):
        if other != cache:
            shutil.rmtree(other)


def _copy_rules(layers: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Copy rule folders beside the job, times of change kept, and return the copies in order."""
    shutil.rmtree(folder, ignore_errors=True)
    copies = []
    for number, layer in enumerate(layers):
        target = folder / f"{number}_{layer.resolve().name}"
        shutil.copytree(layer, target)
        copies.append(target)
    return tuple(copies)
