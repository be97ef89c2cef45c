"""Cut particle images out of micrographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.progress import tracker
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.engine.extraction.extraction_settings import EdgePolicy
    from cryoverdict.features.optics import Optics


@click.command("extract")
@click.argument("picks", nargs=-1, required=True, metavar="PICKS...")
@click.option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The classification.json of decide-classification.",
)
@click.option(
    "--micrographs",
    "lists",
    multiple=True,
    metavar="MICS",
    help="Where optics and CTF stand, instead of the micrographs.star beside PICKS; repeatable.",
)
@click.option(
    "--edge",
    type=click.Choice(("particle", "box", "fill")),
    default="particle",
    show_default=True,
    help="What must lie inside the micrograph: most of the particle, the whole box, or nothing.",
)
@click.option("--no-ctf-fit", is_flag=True, help="Fit no CTF where the list has none.")
@options.output_option
@options.optics_options
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    picks: tuple[str, ...],
    parameters: Path,
    lists: tuple[str, ...],
    edge: EdgePolicy,
    no_ctf_fit: bool,
    output: Path,
    optics: Optics,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Cut the picked particles out of their micrographs, as RELION does.

    PICKS are autopick.star files, or the folders `pick` wrote. Pixels outside the micrograph are
    the nearest ones inside. Writes particles.star, particles/*.mrcs, ledger.json and
    particle_bins.parquet, which says of every pick what became of it. A killed run resumes.
    """
    from cryoverdict.engine.extraction.extraction import STAR, extract_all
    from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
    from cryoverdict.engine.extraction.picked_micrographs import read_picked
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file

    settled = read_parameter_file(parameters, "classification")
    settings = ExtractionSettings.from_settings(settled.parameters, edge=edge)
    picked = read_picked(picks, optics, lists=lists)
    with writing_into(output, step="extract"):
        done = extract_all(
            picked,
            settings,
            output,
            threads=options.thread_count(threads),
            fit_ctf=not no_ctf_fit,
            tracked=tracker(quiet),
        )
    say(
        {
            **{str(name): n for name, n in done.ledger.bins.items()},
            "fates": dict(done.fates),
            "box_px": settings.binned_box_px,
            "pixel_size_a": done.pixel_size_a,
            "cut_before": done.reused,
            "list": str(output / STAR),
        },
        notes=(*done.notes, *done.errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    bins = done.ledger.bins
    return exit_code_of(bins["kept"] + bins["rejected"], bins["error"])
