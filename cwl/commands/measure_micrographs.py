"""Measure micrographs into a feature table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
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
    Writes features.parquet and ledger.json.
    """
    from cryoverdict.engine.judging import measure_list
    from cryoverdict.engine.ledger import Entry, Ledger
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.features.micrograph_list import read_micrograph_list

    listed = read_micrograph_list(micrographs, optics)
    with writing_into(output):
        measured = measure_list(
            listed, output, threads=options.thread_count(threads), tracked=tracker(quiet)
        )
        entries = [Entry(item=s, bin="kept") for s in measured.table.subjects]
        entries += [Entry(item=s, bin="error", reason=r) for s, r in measured.errors.items()]
        ledger = Ledger(step="measure-micrographs", entries=tuple(entries))
        ledger.check(listed.subjects)
        ledger.write(output / "ledger.json")
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
    return exit_code_of(len(measured.table.subjects), len(measured.errors))
