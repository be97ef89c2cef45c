"""Learn classifiers of particles and micrographs from finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("learn")
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL",
    help="An earlier model, which this one must not be worse than.",
)
@click.option(
    "--catalogue",
    "url",
    metavar="URL",
    help="Enter the labels that follow for micrographs, marked as derived, into this catalogue.",
)
@options.output_option
@options.rules_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    runs: tuple[Path, ...],
    before: Path | None,
    url: str | None,
    output: Path,
    rule_layers: tuple[Path, ...],
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learn from finished runs what their good particles and good micrographs look like.

    RUN is the folder of a finished `run`. Writes model.json with its card, the averages and
    networks it looks with, picking.json and classification.json for the next data,
    confirmation.json, queue.csv (micrographs on which rules and what was learnt disagree),
    decisions.jsonl and report/index.html. Where a guard speaks against it (too few particles, one
    single view, labels that say nothing, worse than before) nothing is learnt: decisions.jsonl
    says why, and the exit code is 3. Use the model with `run --with` or `classify-particles`.
    """
    from cryoverdict.engine.classification_run.builtin import require_torch

    require_torch()
    from cryoverdict.engine.learning.learning import learn
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.reports.learning_report import report_learning

    with (
        writing_into(output, step="learn"),
        ticker("learning", len(runs) + 1, quiet or as_json) as tick,
    ):
        learnt = learn(
            runs,
            output,
            rule_layers=rule_layers,
            before=before,
            seed=seed,
            threads=options.thread_count(threads),
            tick=tick,
        )
        page = report_learning(output, learnt)
    entered = 0
    if url is not None:
        from cryoverdict.engine.learning.derived_labels import enter_derived

        cores = options.thread_count(threads)
        entered, _ = enter_derived(learnt.runs, learnt.yields, url, threads=cores)
    card = learnt.model.card
    yields = card["yields"]
    say(
        {
            **card["particles"],
            "held_out_auc": card["facts"].get("held_out_auc"),
            "kept_back_auc": card["facts"].get("kept_back_auc"),
            "picker_auc": card["facts"].get("picker_auc"),
            "yields": "too few micrographs" if yields is None else yields["says"],
            "derived_labels": entered,
            "model": str(output),
            "report": str(page),
        },
        quiet=quiet,
        as_json=as_json,
    )
