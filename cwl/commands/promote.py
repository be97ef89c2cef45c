"""Put a candidate model into use."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say


@click.command("promote")
@click.argument(
    "candidate",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
)
@click.option(
    "--kind", "kind_id", default="reject-micrographs", show_default=True, help="Kind of decision."
)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Install here.  [env CRYOVERDICT_MODELS; default: a folder of the user's data]",
)
@click.option("--force", is_flag=True, help="Install a worse or foreign model all the same.")
@options.rules_option
@options.quiet_option
@options.json_option
def command(
    candidate: Path,
    kind_id: str,
    to: Path | None,
    force: bool,
    rule_layers: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Install the model in DIR, which `train` wrote and `evaluate` judged.

    Every later decision uses it, instead of the one that ships with the program. A model that is
    worse than the installed one, or made for other features, rules or another image network, is
    refused with the reason. Delete the file to go back.
    """
    from cryoverdict.engine.kinds import KINDS
    from cryoverdict.engine.seating import installed_model
    from cryoverdict.engine.training.promotion import promote
    from cryoverdict.rules.rule_loader import load_rules

    kinds = {str(k.id): k for k in KINDS}
    if kind_id not in kinds:
        msg = f"--kind {kind_id}: accepted are {', '.join(kinds)}"
        raise click.UsageError(msg)
    kind = kinds[kind_id]
    rules = load_rules(kind.id, rule_layers, features=kind.units())
    promoted = promote(kind, rules, candidate, installed_model(kind.id), to=to, force=force)
    facts = {"model": str(promoted.path), "digest": promoted.model.digest}
    say(facts, notes=promoted.overlooked, quiet=quiet, as_json=as_json)
