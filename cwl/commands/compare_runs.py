"""Compare two finished runs: what one saved, lost or gained against the other."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say

run_path = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("compare-runs")
@click.argument("run_folder", metavar="RUN", type=run_path)
@click.argument("other", metavar="FULL", type=run_path)
@options.output_option
@options.quiet_option
@options.json_option
def command(run_folder: Path, other: Path, output: Path, quiet: bool, as_json: bool) -> None:
    """Compare a run with a full one: time, room, and which particles both found.

    RUN and FULL are folders of finished runs, such as one of `run --with` and one of `run` on the
    same micrographs. Writes savings.json and report/index.html.
    """
    from cryoverdict.engine.learning.savings import FILE, savings_against
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.reports.savings_report import write_savings

    with writing_into(output):
        found = savings_against(run_folder, other)
        found.write(output / FILE)
        page = write_savings(output, found)
    shared = found.shared
    say(
        {
            "time_share": round(found.time_share, 3),
            "particles": found.particles,
            "particles_full": found.other_particles,
            "in_both": "no micrograph in common" if shared is None else shared.both,
            "report": str(page),
        },
        quiet=quiet,
        as_json=as_json,
    )
