"""Measure micrographs into a feature table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.progress import tracker
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics


@click.command("measure-micrographs")
@options.micrographs_argument
@options.output_option
@options.optics_options
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    output: Path,
    optics: Optics,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure micrographs: CTF, ice, film, contamination, grey values, drift, particles.

    MICS are image files, globs, directories, RELION STAR lists or cryoSPARC exposures (.cs).
    Writes features.parquet.
    """
    from cryoverdict.engine.judging import measure_list
    from cryoverdict.features.micrograph_list import read_micrograph_list

    measured = measure_list(
        read_micrograph_list(micrographs, optics),
        output,
        threads=options.thread_count(threads),
        tracked=tracker(quiet),
    )
    say(
        {
            "measured": measured.count("measured") + measured.count("changed"),
            "measured_before": measured.count("stored"),
            "unreadable": len(measured.errors),
            "features": str(output / "features.parquet"),
        },
        notes=(*measured.notes(), *measured.errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    return ExitCode.SOME_UNREADABLE if measured.errors else ExitCode.DONE
