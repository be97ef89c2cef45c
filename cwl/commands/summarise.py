"""Account for a whole run."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say


@click.command("summarise")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDERS...",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--before",
    "earlier",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of a step of round one, for the page alone; repeatable.",
)
@options.output_option
@options.quiet_option
@options.json_option
def command(
    folders: tuple[Path, ...],
    earlier: tuple[Path, ...],
    output: Path,
    quiet: bool,
    as_json: bool,
) -> None:
    """Account for every micrograph and particle of a run, and write its first page.

    FOLDERS are those of its steps, in order; batches of a step are added up. Writes ledger.json,
    after checking that each step got what the one before it kept, and report/index.html, which
    links the pages of steps whose folders stand beside it.
    """
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.run_ledger import CHAINS, LEDGER, account_for
    from cryoverdict.reports.run_report import report_run

    ledger = account_for(folders)
    with writing_into(output):
        ledger.write(output / LEDGER)
        page = report_run(output / "report", ledger, folders=folders, earlier=earlier)
    say(
        {
            **{
                unit: ", ".join(f"{n} {word}" for word, n in total["bins"].items())
                for unit in CHAINS
                if (total := ledger.total(unit)) is not None
            },
            "report": str(page),
        },
        quiet=quiet,
        as_json=as_json,
    )
