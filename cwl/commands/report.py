"""Write the page of decisions taken before."""

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
    """Write the page of a finished RUN folder anew, from its decisions and measurements."""
    from cryoverdict.engine.decision import read_decisions
    from cryoverdict.engine.judging import recalled
    from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
    from cryoverdict.engine.seating import seat_judge
    from cryoverdict.reports.micrograph_report import report_micrographs

    judge = seat_judge(REJECT_MICROGRAPHS, rule_layers=rule_layers, model_path=model_path)
    decisions = read_decisions(run / "decisions.jsonl")
    page = report_micrographs(run, measured=recalled(run), decisions=decisions, judge=judge)
    say({"report": str(page)}, quiet=quiet, as_json=as_json)
