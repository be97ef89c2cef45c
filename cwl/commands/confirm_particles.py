"""Compare a learnt model's choice of particles with 2D classification."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.summary import say

folder_path = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("confirm-particles")
@click.argument("sorted_folder", metavar="SORTED", type=folder_path)
@click.option(
    "--selected",
    type=folder_path,
    required=True,
    metavar="DIR",
    help="The folder of decide-classes on the classes of the sample.",
)
@options.output_option
@options.rules_option
@options.quiet_option
@options.json_option
def command(
    sorted_folder: Path,
    selected: Path,
    output: Path,
    rule_layers: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare what a learnt model kept of a sample with what 2D classification selects of it.

    SORTED is the folder of classify-particles, whose sample was classified and selected on its
    own. Writes decisions.jsonl, ledger.json and report/index.html. Where they disagree too much
    the decision says so; the particles stay as they are.
    """
    from cryoverdict.engine.learning.confirming import STEP, confirm
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.reports.learning_report import report_confirmation

    with writing_into(output, step=STEP):
        found = confirm(sorted_folder, selected, output, rule_layers)
        page = report_confirmation(output, found)
    against = [e.text for e in found.decision.explanation.evidence if e.source == "gate"]
    say(
        {
            "sample": found.count,
            "kept_and_selected": found.both,
            "kept_alone": found.kept,
            "selected_alone": found.selected,
            "neither": found.neither,
            "outcome": found.decision.outcome,
            "report": str(page),
        },
        notes=tuple(against),
        quiet=quiet,
        as_json=as_json,
    )
