"""Make the picks of batches one picking of the whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cryoverdict.cwl.commands import pick

HELP = """Gather the picks of batches, and look again at each micrograph beside all others.

MICS are all micrographs that were picked, and the options those of `pick`: a micrograph that no
batch picked with these options is picked now. Writes what `pick` writes: autopick.star,
micrographs.star, coordinates/*.star, picks.parquet, decisions.jsonl, ledger.json and
report/index.html.
"""


def gather(picked: tuple[Path, ...], output: Path, **others: Any) -> object:
    """Take over what the batches picked, then run `pick` on all, which finds it done."""
    from cryoverdict.engine.picked_batches import take_picks

    take_picks(picked, output)
    assert pick.command.callback is not None
    return pick.command.callback(output=output, **others)


command = click.Command(
    "gather-picks",
    params=[
        *pick.command.params[:1],
        click.Option(
            ["--picked"],
            multiple=True,
            required=True,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="FOLDER",
            help="Folder that `pick` wrote of a batch; repeatable.",
        ),
        *pick.command.params[1:],
    ],
    callback=gather,
    help=HELP,
)
