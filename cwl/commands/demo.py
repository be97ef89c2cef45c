"""Show everything on a set that the project makes itself."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.commands import run_workflow, simulate
from cryoverdict.cwl.summary import say

BATCH_SIZE = 6
# Round one of so small a set needs few particles.
SETTINGS = ("trial_particles=400",)
# A pick this near to a true centre, in diameters, is that particle.
NEAR_DIAMETERS = 0.35


@click.command("demo")
@options.output_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
@click.pass_context
def command(
    context: click.Context,
    output: Path,
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Simulate micrographs, run the whole workflow on them, and compare with the truth."""
    from cryoverdict.cwl.runner.needs import check_classifier
    from cryoverdict.cwl.runner.workflow_file import shipped_workflow
    from cryoverdict.engine.decision import read_decisions
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.engine.simulation.comparison import compare_with_truth
    from cryoverdict.engine.simulation.data_set import demonstration
    from cryoverdict.engine.simulation.stack_comparison import compare_stack

    check_classifier(shipped_workflow("preprocess"), {})
    micrographs, run = output / "micrographs", output / "run"
    # Of several steps one summary is wanted as JSON: the last.
    shared = {"threads": threads, "seed": seed, "quiet": quiet or as_json}
    context.invoke(simulate.command, output=micrographs, **shared)
    optics = demonstration().base
    context.invoke(
        run_workflow.command,
        micrographs=(str(micrographs),),
        output=run,
        batch_size=BATCH_SIZE,
        settings=SETTINGS,
        voltage_kv=optics.voltage_kv,
        cs_mm=optics.cs_mm,
        amplitude_contrast=optics.amplitude_contrast,
        **shared,
    )
    compared = compare_with_truth(micrographs, read_decisions(run / "judged" / "decisions.jsonl"))
    settled = read_parameter_file(run / "picking" / "picking.json", "picking")
    near_px = NEAR_DIAMETERS * settled.number("diameter_a") / optics.pixel_size_a
    stack = compare_stack(micrographs, run / "good_particles.star", radius_px=near_px)
    bad = [c for c in compared if not c.good and not c.kept]
    counted = {
        "good_kept": (sum(c.good and c.kept for c in compared), sum(c.good for c in compared)),
        "bad_rejected": (len(bad), sum(not c.good for c in compared)),
        "right_defect_first": (sum(c.named_defects[0] in c.true_defects for c in bad), len(bad)),
        "true_particles_in_stack": (stack.found, stack.true),
        "junk_in_stack": (stack.junk, stack.stack),
    }
    page = str(run / "report" / "index.html")
    facts: dict[str, object] = {
        name: {"count": found, "of": total} if as_json else f"{found} of {total}"
        for name, (found, total) in counted.items()
    }
    say({**facts, "open_this_page": page}, quiet=quiet, as_json=as_json)
