"""Run the whole workflow."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.commands.pick import PICKERS
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics

DEFAULT_WORKFLOW, LEARNT_WORKFLOW = "preprocess", "continue"


@click.command("run")
@options.micrographs_argument
@click.option(
    "--workflow",
    "workflow_name",
    default=DEFAULT_WORKFLOW,
    show_default=True,
    metavar="NAME",
    help="A shipped workflow, or the path of your own (.cwl).",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Micrographs in a batch; each batch is a job.",
)
@click.option(
    "--diameter-a",
    type=click.FloatRange(min=0, min_open=True),
    help="Particle diameter in Å, where you know it.",
)
@click.option(
    "--picker",
    "pickers",
    type=click.Choice(PICKERS),
    multiple=True,
    help="Who picks; repeat it for a consensus.  [default: builtin]",
)
@click.option(
    "--classifier",
    type=click.Choice(("builtin", "relion")),
    help="Who classifies.  [default: builtin, which needs PyTorch]",
)
@click.option(
    "--with",
    "learnt",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL",
    help="What `learn` wrote: judge, pick and sort by it, and classify a sample only.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set any other input of the workflow; repeatable.",
)
@click.option(
    "--only-job", is_flag=True, help="Write the job and the workflow, for another runner; stop."
)
@options.output_option
@options.optics_options
@options.rules_option
@options.threads_option
@options.seed_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    workflow_name: str,
    batch_size: int,
    diameter_a: float | None,
    pickers: tuple[str, ...],
    classifier: str | None,
    learnt: Path | None,
    settings: tuple[str, ...],
    only_job: bool,
    output: Path,
    optics: Optics,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Take micrographs to a good particle stack: every step, every decision, one report.

    MICS are image files, globs, directories, RELION STAR lists or cryoSPARC exposures (.cs). Writes
    good_particles.star, good_particles.mrcs and good_particles.cs, a folder for each step,
    ledger.json, report/index.html, provenance.json, ro-crate-metadata.json, and workflow/: the
    workflow and its job, which any CWL runner can run again. A killed run resumes: what is done is
    kept. With --workflow, the outputs of that workflow; with --with also saved/, which says what
    was saved against the run that taught.
    """
    from cryoverdict.cwl.runner.board import board
    from cryoverdict.cwl.runner.job import learnt_values, read_setting
    from cryoverdict.cwl.runner.needs import check_classifier, free_ram_mib, ram_values
    from cryoverdict.cwl.runner.run_folder import prepare_run, run_prepared
    from cryoverdict.cwl.runner.workflow_file import shipped_workflow
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.features.micrograph_list import read_micrograph_list
    from cryoverdict.reports.savings_report import report_savings

    if learnt is not None:
        if workflow_name != DEFAULT_WORKFLOW or diameter_a is not None or pickers:
            msg = "--with goes without --workflow, --diameter-a and --picker: these are learnt"
            raise click.UsageError(msg)
        workflow_name = LEARNT_WORKFLOW
    workflow = shipped_workflow(workflow_name)
    listed = read_micrograph_list(micrographs, optics)
    cores = options.thread_count(threads)
    values: dict[str, Any] = {
        **asdict(optics),
        "threads": cores,
        "seed": seed,
        "batch_size": batch_size,
        **ram_values(listed, None if only_job else free_ram_mib()),
        "diameter_a": diameter_a,
        "picker": list(pickers) or None,
        "classifier": classifier,
    }
    if learnt is not None:
        values |= learnt_values(learnt)
    values |= dict(read_setting(text, workflow) for text in settings)
    check_classifier(workflow, values)
    with writing_into(output):
        prepared = prepare_run(
            output,
            workflow=workflow,
            micrographs=listed,
            batch_size=batch_size,
            rule_layers=rule_layers,
            values=values,
        )
        facts: dict[str, object] = {
            "micrographs": len(listed.subjects),
            "batches": prepared.batches,
        }
        if not only_job:
            with board({"measure": prepared.batches}, quiet or as_json) as show:
                placed = run_prepared(prepared, jobs=cores, command=sys.argv, on_event=show)
            facts |= {path.name: str(path) for path in placed}
            if learnt is not None:
                facts["saved"] = str(report_savings(output, learnt))
    say(
        {**facts, "workflow": str(prepared.workflow), "job": str(prepared.job)},
        notes=(*listed.notes, *listed.unreadable.values()),
        quiet=quiet,
        as_json=as_json,
    )
