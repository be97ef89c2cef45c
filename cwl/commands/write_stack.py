"""Write the final stack of good particles."""

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


@click.command("write-stack")
@click.argument("particles", nargs=-1, required=True, metavar="PARTICLES_GOOD...")
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
    help="Lists or folders that say where the micrographs are; repeatable.",
)
@click.option("--box-px", type=int, help="Box in micrograph pixels.  [default: the decided box]")
@click.option(
    "--stack-pixel-size-a", type=float, help="Pixel size of the stack.  [default: unbinned]"
)
@click.option(
    "--copy-images",
    is_flag=True,
    help="Copy the particle images as they are, instead of cutting the micrographs anew.",
)
@click.option(
    "--edge",
    type=click.Choice(("particle", "box", "fill")),
    default="particle",
    show_default=True,
    help="What must lie inside the micrograph: most of the particle, the whole box, or nothing.",
)
@options.output_option
@options.optics_options
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    particles: tuple[str, ...],
    parameters: Path,
    lists: tuple[str, ...],
    box_px: int | None,
    stack_pixel_size_a: float | None,
    copy_images: bool,
    edge: EdgePolicy,
    output: Path,
    optics: Optics,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Cut the good particles anew, centred and at their final size, for RELION and cryoSPARC.

    PARTICLES_GOOD are particles_good.star files, or the folders of decide-classes. The shifts of
    the 2D classification centre the particles, as `relion_preprocess --recenter` does. Writes
    good_particles.star, good_particles.mrcs, good_particles.cs, ledger.json and
    particle_bins.parquet. Where the micrographs are not there the images are copied, and it says
    so.
    """
    from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.engine.picking_files.picking_list import standard_list
    from cryoverdict.engine.stack.good_stack import STAR, write_stack
    from cryoverdict.engine.stack.selected_particles import read_selected
    from cryoverdict.features.micrograph_list import read_micrograph_list

    settled = read_parameter_file(parameters, "classification")
    settings = ExtractionSettings.from_settings(settled.parameters, edge=edge)
    selected = read_selected(particles)
    listed = read_micrograph_list(list(map(standard_list, lists)), optics) if lists else None
    with writing_into(output, step="write-stack"):
        done = write_stack(
            selected,
            settings,
            output,
            listed=listed,
            box_px=box_px,
            pixel_size_a=stack_pixel_size_a,
            copy_images=copy_images,
            threads=options.thread_count(threads),
            tracked=tracker(quiet),
        )
    bins = done.ledger.bins
    say(
        {
            **{str(name): n for name, n in bins.items()},
            "fates": dict(done.fates),
            "box_px": done.box,
            "pixel_size_a": round(done.pixel_size_a, 6),
            "cut_anew": done.recut,
            "list": str(output / STAR),
        },
        notes=(*done.notes, *done.errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(bins["kept"] + bins["rejected"], bins["error"])
