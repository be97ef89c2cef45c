"""Train the judge of class averages, or the network of their embeddings."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("train-classes")
@click.argument(
    "selections",
    nargs=-1,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[SELECTIONS...]",
)
@click.option(
    "--simulated",
    type=click.IntRange(min=2),
    help="Number of simulated particle sets to classify and learn from.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="Parts the runs are dealt into to judge the models.  [default: leave out one run each]",
)
@click.option(
    "--embedding",
    is_flag=True,
    help="Train the image network instead, on --simulated small particle sets of its own.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="How often the image network sees each class average.",
)
@options.output_option
@options.rules_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    selections: tuple[Path, ...],
    simulated: int | None,
    folds: int | None,
    embedding: bool,
    epochs: int,
    output: Path,
    rule_layers: tuple[Path, ...],
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fit the models that judge class averages, and say how good they are on unseen runs.

    SELECTIONS are folders of RELION Select jobs (backup_selection.star), jobs of EMPIAR-10812
    (with job_score.txt), images with a labels.csv of the columns file and selected, or labelled
    sets. Writes select-classes.json and evaluation.json; use the model with `decide-classes
    --judge`.
    """
    from cryoverdict.engine.class_selection.class_labels import labelled_sets
    from cryoverdict.engine.class_selection.class_training import train_classes
    from cryoverdict.engine.class_selection.selection_import import read_selection
    from cryoverdict.engine.class_selection.simulated_classes import simulated_classifications

    if not selections and simulated is None:
        msg = "give SELECTIONS, or --simulated N, or both"
        raise click.UsageError(msg)
    if embedding:
        if selections or simulated is None:
            msg = "--embedding takes --simulated N and no SELECTIONS"
            raise click.UsageError(msg)
        facts = _train_embedding(
            simulated, output, epochs=epochs, seed=seed, threads=threads, quiet=quiet
        )
        say(facts, quiet=quiet, as_json=as_json)
        return
    labelled = [read_selection(folder) for folder in selections]
    if len({one.name for one in labelled}) + (simulated or 0) < 3:
        msg = "fewer than three runs leave too few to learn from; give more"
        raise click.UsageError(msg)
    output.mkdir(parents=True, exist_ok=True)
    if simulated is not None:
        with ticker("simulating and classifying", simulated, quiet) as tick:
            folders = simulated_classifications(
                output / "classifications",
                seeds=range(seed, seed + simulated),
                threads=options.thread_count(threads),
                tick=tick,
            )
        with ticker("measuring", len(folders), quiet) as tick:
            for folder in folders:
                labelled += labelled_sets(folder)
                tick(folder)
    runs = len({one.name for one in labelled})
    with ticker("fitting and judging", (folds or runs) + 1, quiet) as tick:
        evaluation = train_classes(
            labelled,
            output,
            rule_layers=rule_layers,
            folds=folds,
            seed=seed,
            tick=tick,
        )
    say(evaluation.facts(), quiet=quiet, as_json=as_json)


def _train_embedding(
    lessons: int, output: Path, *, epochs: int, seed: int, threads: int | None, quiet: bool
) -> dict[str, str]:
    """Train the image network of class averages on simulated classifications made for it."""
    from cryoverdict.engine.class_selection.pick_session import FIRST_LESSON
    from cryoverdict.engine.class_selection.simulated_classes import simulated_classifications
    from cryoverdict.engine.engine_error import EngineError

    try:
        from cryoverdict.engine.network_training.class_network_training import (
            train_class_embedding,
        )
        from cryoverdict.engine.network_training.network_fitting import NetworkRecipe
    except ImportError as error:
        msg = "training the image network needs PyTorch; pip install 'cryoverdict[classify]'"
        raise EngineError(msg) from error
    first = FIRST_LESSON + seed
    with ticker("simulating and classifying", lessons, quiet) as tick:
        folders = simulated_classifications(
            output / "lessons",
            seeds=range(first, first + lessons),
            threads=options.thread_count(threads),
            tick=tick,
        )
    with ticker("training the image network", epochs, quiet) as tick:
        card = train_class_embedding(
            folders, output, recipe=NetworkRecipe(epochs=epochs, seed=seed), tick=tick
        )
    held = card["held_out"]
    return {
        "network": card["name"],
        "learnt_from": card["learnt_from"],
        "device": card["device"],
        "held_out": f"{held['class_averages']} class averages of {len(held['lessons'])} "
        f"classifications, AUC good/junk {held['auc'].get('junk')}",
        "folder": str(output),
    }
