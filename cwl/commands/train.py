"""Train the models of a kind of decision."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("train")
@click.argument(
    "sets",
    nargs=-1,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[SETS...]",
)
@click.option(
    "--simulated", type=click.IntRange(min=2), help="Number of simulated sessions to learn from."
)
@click.option(
    "--micrographs",
    type=click.IntRange(min=2),
    default=40,
    show_default=True,
    help="Micrographs in each simulated session.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Parts the data sets are dealt into; each is judged by models that have not seen it.",
)
@options.output_option
@options.rules_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    sets: tuple[Path, ...],
    simulated: int | None,
    micrographs: int,
    folds: int,
    output: Path,
    rule_layers: tuple[Path, ...],
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fit the models that judge micrographs, and say how good they are on unseen data sets.

    SETS are folders with features.parquet and labels.csv. Writes reject-micrographs.json and
    evaluation.json; use the model with `decide-micrographs --model`.
    """
    from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
    from cryoverdict.engine.training.labelled_set import read_labelled_set
    from cryoverdict.engine.training.simulated_sets import simulated_sets
    from cryoverdict.engine.training.workshop import train_and_evaluate

    if not sets and simulated is None:
        msg = "give labelled SETS, or --simulated N, or both"
        raise click.UsageError(msg)
    labelled = [read_labelled_set(folder) for folder in sets]
    groups = len({one.name for one in labelled}) + (simulated or 0)
    if groups - -(-groups // folds) < 2:
        msg = f"{groups} data sets in {folds} folds leave fewer than two to learn from; give more"
        raise click.UsageError(msg)
    output.mkdir(parents=True, exist_ok=True)
    if simulated is not None:
        with ticker("simulating and measuring", simulated, quiet) as tick:
            labelled += simulated_sets(
                output / "sets",
                seeds=range(seed, seed + simulated),
                micrographs=micrographs,
                threads=options.thread_count(threads),
                tick=tick,
            )
    with ticker("fitting and judging", folds + 1, quiet) as tick:
        evaluation = train_and_evaluate(
            REJECT_MICROGRAPHS,
            labelled,
            output,
            rule_layers=rule_layers,
            folds=folds,
            seed=seed,
            tick=tick,
        )
    say(evaluation.facts(), quiet=quiet, as_json=as_json)
