"""Pick the particles of a data set."""

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

# The built-in picker and the registered adapters (engine/adapters; a test compares). Written out,
# as importing them would make every command start slowly.
PICKERS = ("builtin", "relion", "topaz")
GIVEN_Y = ("auto", "as-stored", "flipped")


@click.command("pick")
@options.micrographs_argument
@click.option(
    "--parameters",
    "parameter_path",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    metavar="JSON",
    help="picking.json of decide-picking, or its folder.",
)
@click.option(
    "--picker",
    "pickers",
    type=click.Choice(PICKERS),
    multiple=True,
    help="Who picks; repeat it for a consensus.  [default: builtin]",
)
@click.option(
    "--given-picks",
    "given",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="PATH",
    help="Picks of RELION, crYOLO, Topaz or cryoSPARC, instead of the built-in picker; with "
    "--picker, consensus with it. Repeatable.",
)
@click.option(
    "--given-y",
    type=click.Choice(GIVEN_Y),
    default=GIVEN_Y[0],
    show_default=True,
    help="Whether the y of given cryoSPARC picks counts rows as they are stored or from the last "
    "one; auto asks the micrographs which of the two lies on particles.",
)
@click.option(
    "--templates",
    "template_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="MRCS",
    help="Templates, light on dark.  [default: those that picking.json names]",
)
@click.option(
    "--trial",
    is_flag=True,
    help="For a first round: stop at the trial_particles of picking.json, the micrographs spread "
    "over defocus.",
)
@click.option(
    "--particles",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop at so many particles instead.",
)
@click.option("--box", "boxes", is_flag=True, help="Write .box files beside the coordinates.")
@options.output_option
@options.optics_options
@options.rules_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    parameter_path: Path,
    pickers: tuple[str, ...],
    given: tuple[Path, ...],
    given_y: str,
    template_path: Path | None,
    trial: bool,
    particles: int | None,
    boxes: bool,
    output: Path,
    optics: Optics,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Pick particles with decided parameters, and look again at each micrograph.

    MICS are lists of micrographs, folders of decide-micrographs, image files, globs or cryoSPARC
    exposures (.cs). Writes autopick.star, micrographs.star, coordinates/*.star, picks.parquet,
    decisions.jsonl (micrographs that turn out empty or aggregated), ledger.json and
    report/index.html. A killed run resumes without picking again.
    """
    from cryoverdict.engine.kinds.micrograph_yield import MICROGRAPH_YIELD
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.engine.picking.picking_parameters import PickingParameters
    from cryoverdict.engine.picking_files.picking_list import read_picking_list
    from cryoverdict.engine.picking_files.template_file import ROUND_SHAPE, read_templates
    from cryoverdict.engine.picking_run.decision_files import PARAMETERS
    from cryoverdict.engine.picking_run.picking_step import PickingRequest, run_picking
    from cryoverdict.reports.picking_report import report_picking
    from cryoverdict.rules.rule_loader import load_rules

    if parameter_path.is_dir():
        parameter_path /= PARAMETERS
    settled = read_parameter_file(parameter_path, "picking")
    if template_path is None and settled.templates is not None:
        template_path = parameter_path.parent / settled.templates
    rules = load_rules(MICROGRAPH_YIELD.id, rule_layers, features=MICROGRAPH_YIELD.units())
    listed = read_picking_list(micrographs, optics)
    parameters = PickingParameters.from_settings(settled.parameters)
    if trial and particles is None:
        particles = parameters.trial_particles
    request = PickingRequest(
        parameters=parameters,
        templates=None if template_path is None else read_templates(template_path),
        templates_are_views=template_path is None or template_path.name != ROUND_SHAPE,
        pickers=pickers or (() if given else ("builtin",)),
        given=given,
        flipped_y=None if given_y == "auto" else given_y == "flipped",
        particles=particles,
        boxes=boxes,
        threads=options.thread_count(threads),
    )
    with writing_into(output, step="pick"):
        run = run_picking(listed, request, output, rules=rules, tracked=tracker(quiet))
        page = report_picking(output, run=run, request=request, settled=parameter_path)
    picked = {o.subject: o.count for o in run.outcomes}
    bins = run.ledger.bins
    say(
        {
            "particles": sum(picked[s] for s in run.kept),
            **{str(name): n for name, n in bins.items()},
            "picked_before": run.count("stored"),
            "list": str(output / "autopick.star"),
            "report": str(page),
        },
        notes=(*run.notes, *run.errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(bins["kept"] + bins["rejected"], bins["error"])
