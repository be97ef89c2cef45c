"""Write the pages of decisions taken before."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say


@click.command("report")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.rules_option
@options.model_option
@options.quiet_option
@options.json_option
def command(
    run: Path,
    rule_layers: tuple[Path, ...],
    model_path: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the pages of a finished RUN anew, from its decisions and measurements.

    RUN is the folder of one step (decide-micrographs, decide-picking, decide-classes) or of a whole
    run, whose pages of these steps are all written. Where a page needs more than its step left, it
    stays as it is, and that is said.
    """
    from cryoverdict.reports.step_pages import Shown, rewrite_pages

    done = rewrite_pages(run, Shown(rule_layers=rule_layers, model_path=model_path))
    pages = ", ".join(map(str, done.pages)) or "none"
    say({"report": pages}, notes=done.left, quiet=quiet, as_json=as_json)
