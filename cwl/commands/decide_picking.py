"""Decide how the particles of a data set are picked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics


NO_GOOD_CLASS = "No class average of the first round was good: the micrographs alone are asked."


@click.command("decide-picking")
@options.micrographs_argument
@click.option(
    "--diameter-a",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Particle diameter in Å, where you know it: followed, and compared with the images.",
)
@click.option(
    "--class-averages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="STAR",
    help="The good class averages of round one: diameter and templates are taken from them.",
)
@click.option(
    "--good-particles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="STAR",
    help="The good particles of round one: how many of its picks were good is reported.",
)
@options.output_option
@options.optics_options
@options.rules_option
@options.threads_option
@options.seed_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    diameter_a: float | None,
    class_averages: Path | None,
    good_particles: Path | None,
    output: Path,
    optics: Optics,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide diameter, threshold, spacing and the rest of picking, and say why.

    MICS are lists of micrographs, folders of decide-micrographs, image files, globs or cryoSPARC
    exposures (.cs). Writes picking.json, decisions.jsonl, ledger.json, report/index.html, and
    templates.mrcs where class averages were given.
    """
    from cryoverdict.engine.kinds.picking import PICKING
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.picking_files.picking_list import data_set_name, read_picking_list
    from cryoverdict.engine.picking_files.template_file import lists_none, read_templates
    from cryoverdict.engine.picking_run.deciding import decide_picking
    from cryoverdict.engine.picking_run.decision_files import good_particle_finding, write_decided
    from cryoverdict.reports.picking_report import report_decision
    from cryoverdict.rules.rule_loader import load_rules

    rules = load_rules(PICKING.id, rule_layers, features=PICKING.units())
    listed = read_picking_list(micrographs, optics)
    listed.check_any()
    findings = [] if good_particles is None else [good_particle_finding(good_particles)]
    averages = None
    if class_averages is not None and lists_none(class_averages):
        findings.append(NO_GOOD_CLASS)
    elif class_averages is not None:
        averages = read_templates(class_averages)
    with writing_into(output, step="decide-picking"):
        decided = decide_picking(
            listed.subjects,
            rules,
            name=data_set_name(micrographs),
            given={} if diameter_a is None else {"diameter_a": diameter_a},
            class_averages=averages,
            findings=findings,
            threads=options.thread_count(threads),
            seed=seed,
        )
        ledger = write_decided(decided, listed, output)
        page = report_decision(
            output,
            decision=decided.decision,
            curves=decided.survey.curves,
            notes=listed.notes,
        )
    decision = decided.decision
    say(
        {
            **{n: float(f"{v:.6g}") for n, v in decision.outcome.items() if v is not None},
            "review": int(decision.review),
            "parameters": str(output / "picking.json"),
            "report": str(page),
        },
        notes=(*listed.notes, *decision.findings, *decision.review_reasons),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(ledger.bins["kept"], ledger.bins["error"])
