"""Deal micrographs into batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics


@click.command("split-micrographs")
@options.micrographs_argument
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Micrographs in a batch.",
)
@options.output_option
@options.optics_options
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    batch_size: int,
    output: Path,
    optics: Optics,
    quiet: bool,
    as_json: bool,
) -> None:
    """Deal micrographs into batches that jobs of a workflow work on side by side.

    MICS are image files, globs, directories, RELION STAR lists or cryoSPARC exposures (.cs): writes
    batch_0000.star …, which say where the files lie. Or one folder with the micrographs_good.star
    of decide-micrographs: writes folders batch_0000 …, each with its micrographs_good.star and
    usable areas. The pixels stay where they are.
    """
    from cryoverdict.engine.batches import GOOD, split_judged, write_batches
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.features.micrograph_list import read_micrograph_list

    judged = Path(micrographs[0])
    single = len(micrographs) == 1 and (judged / GOOD).is_file()
    listed = read_micrograph_list([judged / GOOD] if single else micrographs, optics)
    with writing_into(output):
        if single:
            batches = split_judged(judged, listed, output, size=batch_size)
        else:
            batches = write_batches(listed, output, size=batch_size)
    say(
        {
            "micrographs": len(listed.subjects),
            "batches": len(batches),
            "missing_files": len(listed.unreadable),
            "folder": str(output),
        },
        notes=(*listed.notes, *listed.unreadable.values()),
        quiet=quiet,
        as_json=as_json,
    )
