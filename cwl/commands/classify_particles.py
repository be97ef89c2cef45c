"""Sort extracted particles by a learnt model."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.summary import say


@click.command("classify-particles")
@click.argument(
    "particles",
    nargs=-1,
    required=True,
    metavar="PARTICLES...",
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder that `learn` wrote.",
)
@click.option(
    "--recall",
    type=click.FloatRange(0.5, 1.0),
    default=0.98,
    show_default=True,
    help="Share of the good particles to keep, as far as the model could tell on held-out data.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Particles, kept and rejected alike, written for a confirmation by 2D classification.",
)
@options.output_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    particles: tuple[Path, ...],
    model: Path,
    recall: float,
    sample: int,
    output: Path,
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Score particles by what earlier runs have taught, and keep the good ones.

    PARTICLES are particles.star files or the folders of `extract`, cut with the
    classification.json of the model. Writes particles_good.star and particles_rejected.star (each
    particle's cryoverdictGoodProbability, its class, turn and centre), particle_verdicts.parquet,
    sample/, decisions.jsonl, ledger.json and report/index.html.
    """
    from cryoverdict.engine.classification_run.builtin import require_torch

    require_torch()
    from cryoverdict.engine.classification.particle_lists import read_particle_lists
    from cryoverdict.engine.learning.classifying import sort_particles
    from cryoverdict.engine.learning.learnt_model import read_learnt_model
    from cryoverdict.engine.learning.model_record import model_digest
    from cryoverdict.engine.learning.sorted_files import STEP, write_sorted
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.reports.learning_report import report_sorted

    lists = read_particle_lists(particles)
    learnt = read_learnt_model(model)
    with writing_into(output, step=STEP):
        found = sort_particles(
            lists,
            learnt,
            model_digest(model),
            recall=recall,
            threads=options.thread_count(threads),
        )
        ledger = write_sorted(found, output, sample=sample, seed=seed)
        page = report_sorted(output, found)
    say(
        {
            **{str(name): n for name, n in ledger.bins.items()},
            "expected_good": round(found.expected_good),
            "recall": recall,
            "strange": round(found.strange, 4),
            "list": str(output / "particles_good.star"),
            "report": str(page),
        },
        notes=(*lists.notes, *sorted(set(lists.errors.values()))),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(len(lists.stack), len(lists.errors))
