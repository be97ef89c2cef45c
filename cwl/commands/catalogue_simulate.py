"""``cryoverdict catalogue simulate``: the reference catalogue from the simulator."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("simulate")
@click.option(
    "--sessions",
    type=click.IntRange(min=2),
    default=330,
    show_default=True,
    help="Number of simulated sessions.",
)
@click.option(
    "--micrographs",
    type=click.IntRange(min=4),
    default=30,
    show_default=True,
    help="Micrographs in each session.",
)
@click.option(
    "--lessons",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Number of coarse sessions that only the image network sees.",
)
@options.output_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def simulate(
    sessions: int,
    micrographs: int,
    lessons: int,
    output: Path,
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make the reference catalogue: simulate and measure thousands of micrographs.

    Writes one folder a session under sessions/ (measurements, labels, truths and the image
    network's pictures; no pixels), and all of them in one under reference/, with embeddings by the
    installed network. Safe to kill: the same command goes on where it was. The defaults are those
    of the catalogue that ships; they take hours.
    """
    from cryoverdict.engine.training.reference_sessions import (
        make_reference_sessions,
        pack_reference,
    )

    with ticker("simulating and measuring", sessions + lessons, quiet) as tick:
        for count, lesson in ((lessons, True), (sessions, False)):
            make_reference_sessions(
                output / "sessions",
                seeds=range(seed, seed + count),
                micrographs=micrographs,
                threads=options.thread_count(threads),
                lessons=lesson,
                tick=tick,
            )
    counts = pack_reference(output / "sessions", output / "reference")
    say({**counts, "folder": str(output / "reference")}, quiet=quiet, as_json=as_json)
