"""Deal picks into batches."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say


@click.command("split-picks")
@click.argument(
    "picked", metavar="PICKED", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Micrographs in a batch.",
)
@options.output_option
@options.quiet_option
@options.json_option
def command(picked: Path, batch_size: int, output: Path, quiet: bool, as_json: bool) -> None:
    """Deal a folder of `pick` into batches from which jobs cut out particles side by side.

    Writes folders batch_0000 …, each with its autopick.star, micrographs.star and coordinates.
    """
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.pick_batches import split_picked

    with writing_into(output):
        batches = split_picked(picked, output, size=batch_size)
    say({"batches": len(batches), "folder": str(output)}, quiet=quiet, as_json=as_json)
