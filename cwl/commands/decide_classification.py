"""Decide how particles are extracted and classified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics

# The options by which a user insists on a value, and the parameter each is.
GIVEN = {
    "class_count": "classes",
    "box_px": "box_px",
    "binned_box_px": "binned_box_px",
    "mask_diameter_a": "mask_diameter_a",
    "resolution_limit_a": "resolution_limit_a",
    "iterations": "iterations",
}


@click.command("decide-classification")
@click.argument("picks", nargs=-1, required=True, metavar="PICKS...")
@click.option(
    "--picking",
    "picking_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The picking.json of `decide-picking`.",
)
@click.option(
    "--micrographs",
    "lists",
    multiple=True,
    metavar="MICS",
    help="Lists or folders that say where the micrographs are; repeatable.",
)
@click.option(
    "--trial-particles",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="STAR",
    help="Extracted particles, or their folder, on which mask diameters are tried; repeatable.",
)
@click.option("--class-count", type=click.IntRange(min=1), metavar="K", help="Number of classes.")
@click.option("--box-px", type=click.IntRange(min=16), metavar="N", help="Box, full-size pixels.")
@click.option(
    "--binned-box-px", type=click.IntRange(min=16), metavar="N", help="Box after Fourier cropping."
)
@click.option("--mask-diameter-a", type=float, metavar="X", help="Mask diameter in Å.")
@click.option("--resolution-limit-a", type=float, metavar="X", help="Finest detail compared, in Å.")
@click.option("--iterations", type=click.IntRange(min=1), metavar="N", help="Iterations.")
@options.output_option
@options.optics_options
@options.rules_option
@options.threads_option
@options.seed_option
@options.quiet_option
@options.json_option
def command(
    picks: tuple[str, ...],
    picking_path: Path,
    lists: tuple[str, ...],
    trial_particles: tuple[Path, ...],
    output: Path,
    optics: Optics,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
    **options_given: float | None,
) -> int:
    """Decide box, binning, classes, mask and the rest of extraction and 2D classification.

    PICKS are autopick.star files or folders of `pick`. Values that you give are followed, and
    what rules say against them is reported. Writes classification.json, decisions.jsonl,
    ledger.json and report/index.html.
    """
    from cryoverdict.engine.classification.particle_lists import read_particle_lists
    from cryoverdict.engine.classification_decision.deciding import decide_classification
    from cryoverdict.engine.classification_decision.decision_files import write_decided
    from cryoverdict.engine.classification_decision.pick_facts import facts_of_picks
    from cryoverdict.engine.extraction.picked_micrographs import read_picked
    from cryoverdict.engine.kinds.classification import CLASSIFICATION
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.engine.picking_files.picking_list import data_set_name
    from cryoverdict.reports.classification_decision_report import report_decision
    from cryoverdict.rules.rule_loader import load_rules

    count = options.thread_count(threads)
    picking = read_parameter_file(picking_path, "picking")
    rules = load_rules(CLASSIFICATION.id, rule_layers, features=CLASSIFICATION.units())
    picked = read_picked(picks, optics, lists=lists)
    found = facts_of_picks(picked, picking.parameters, threads=count)
    trial = read_particle_lists(trial_particles).stack if trial_particles else None
    given = {
        GIVEN[name]: float(value) for name, value in options_given.items() if value is not None
    }
    with writing_into(output, step="decide-classification"):
        decided = decide_classification(
            found,
            rules,
            name=data_set_name(picks),
            given=given,
            trial_particles=trial,
            threads=count,
            seed=seed,
        )
        ledger = write_decided(decided, picked, found, output)
        page = report_decision(output, decided, notes=picked.notes)
    decision = decided.decision
    say(
        {
            **{name: value for name, value in decision.outcome.items() if value is not None},
            "review": int(decision.review),
            "parameters": str(output / "classification.json"),
            "report": str(page),
        },
        notes=(*picked.notes, *decision.findings, *decision.review_reasons),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(ledger.bins["kept"], ledger.bins["error"])
