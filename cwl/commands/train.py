"""Train the models of a kind of decision, or the network of the embeddings."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say

sets_argument = click.argument(
    "sets",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
    metavar="[SETS...]",
)


@click.command("train")
@sets_argument
@click.option("--reference", is_flag=True, help="Learn from the shipped reference catalogue, too.")
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
    "--embedding",
    is_flag=True,
    help="Train the image network instead; SETS is a folder of `catalogue simulate`.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How often the image network sees each micrograph.",
)
@options.output_option
@options.rules_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    sets: tuple[Path, ...],
    reference: bool,
    simulated: int | None,
    micrographs: int,
    embedding: bool,
    epochs: int,
    output: Path,
    rule_layers: tuple[Path, ...],
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fit a candidate model that judges micrographs.

    SETS are folders with features.parquet and labels.csv, or folders of such folders, as
    `cryoverdict catalogue export` writes them. Writes reject-micrographs.json and, of its linear
    part, coefficients.csv; then `cryoverdict evaluate` says how good it is and `cryoverdict
    promote` puts it into use. Same sets, rules and seed: same bytes.
    """
    if not (sets or reference or simulated is not None):
        msg = "give labelled SETS, --reference or --simulated N"
        raise click.UsageError(msg)
    if embedding:
        facts = _train_embedding(sets, output, epochs=epochs, seed=seed, quiet=quiet)
        say(facts, quiet=quiet, as_json=as_json)
        return
    from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
    from cryoverdict.engine.training.candidate import micrograph_recipe, train_candidate
    from cryoverdict.engine.training.reading_sets import read_sets
    from cryoverdict.engine.training.simulated_sets import simulated_sets
    from cryoverdict.rules.rule_loader import load_rules

    kind = REJECT_MICROGRAPHS
    rules = load_rules(kind.id, rule_layers, features=kind.units())
    labelled = read_sets(sets, reference=reference)
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
    model = train_candidate(kind, rules, labelled, output, recipe=micrograph_recipe(seed))
    facts = {
        "learnt_from": str(model.card["learnt_from"]),
        "defects": ", ".join(model.defects),
        "embedding": model.basis.network if model.basis else "none",
        "model": str(output / f"{kind.id}.json"),
        "digest": model.digest,
    }
    say(facts, quiet=quiet, as_json=as_json)


def _train_embedding(
    sets: tuple[Path, ...], output: Path, *, epochs: int, seed: int, quiet: bool
) -> dict[str, str]:
    """Train the image network on the sessions of one folder that are set apart for it."""
    from cryoverdict.engine.engine_error import EngineError
    from cryoverdict.engine.training.reference_sessions import (
        read_reference_sets,
        teaches_embedding,
    )

    try:
        from cryoverdict.engine.network_training.network_fitting import NetworkRecipe
        from cryoverdict.engine.network_training.network_training import train_embedding
    except ImportError as error:
        msg = "training the image network needs PyTorch; pip install 'cryoverdict[classify]'"
        raise EngineError(msg) from error
    if len(sets) != 1:
        msg = "--embedding takes one folder of `catalogue simulate`"
        raise click.UsageError(msg)
    found = list(read_reference_sets(sets[0]))
    teaching = [s for s in found if teaches_embedding(s.name)]
    with ticker("training the image network", epochs, quiet) as tick:
        card = train_embedding(
            teaching,
            [s for s in found if not teaches_embedding(s.name)],
            output,
            recipe=NetworkRecipe(epochs=epochs, seed=seed),
            tick=tick,
        )
    auc = card["held_out"]["auc"].get("bad")
    return {
        "network": card["name"],
        "learnt_from": card["learnt_from"],
        "device": card["device"],
        "held_out": f"{card['held_out']['micrographs']} micrographs of "
        f"{card['held_out']['sessions']} sessions, AUC good/bad {auc}",
        "folder": str(output),
    }
