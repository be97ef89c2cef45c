"""Say how good a candidate model is."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.commands.train import sets_argument
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("evaluate")
@sets_argument
@click.option(
    "--model",
    "model_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The candidate that `train` wrote.",
)
@click.option("--reference", is_flag=True, help="Judge on the shipped reference catalogue, too.")
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="Parts into which the data sets are dealt whole; each is judged by models fitted without.",
)
@options.output_option
@options.rules_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    sets: tuple[Path, ...],
    model_path: Path,
    reference: bool,
    folds: int,
    output: Path,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Judge a candidate model on labelled data sets.

    Data sets that it learnt from are left out whole and judged by models fitted the same way
    without them; others by the candidate itself. Beside it, on the same rows: the CTF's resolution
    alone, the rules alone, a model without rules, the embedding alone, the installed model. Writes
    evaluation.json: accuracy, area under the ROC curve, calibration, for simulated and observed
    data sets apart, with 95 % bootstrap intervals.
    """
    from cryoverdict.engine.kinds import KINDS
    from cryoverdict.engine.models.kind_model import read_model
    from cryoverdict.engine.seating import installed_model
    from cryoverdict.engine.training.evaluation import evaluate
    from cryoverdict.engine.training.reading_sets import read_sets
    from cryoverdict.rules.rule_loader import load_rules

    if not (sets or reference):
        msg = "give labelled SETS, or --reference"
        raise click.UsageError(msg)
    candidate = read_model(model_path)
    kind = {str(k.id): k for k in KINDS}[candidate.kind]
    with ticker("fitting and judging", folds, quiet) as tick:
        evaluation = evaluate(
            kind,
            load_rules(kind.id, rule_layers, features=kind.units()),
            read_sets(sets, reference=reference),
            candidate,
            installed_model(kind.id),
            folds=folds,
            threads=options.thread_count(threads),
            done=tick,
        )
    evaluation.write(output)
    say(evaluation.facts(), quiet=quiet, as_json=as_json)
