"""Show everything on a set that the project makes itself."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.commands import decide_micrographs, simulate
from cryoverdict.cwl.summary import say


@click.command("demo")
@options.output_option
@options.seed_option
@options.threads_option
@options.quiet_option
@click.pass_context
def command(
    context: click.Context, output: Path, seed: int, threads: int | None, quiet: bool
) -> None:
    """Simulate micrographs, judge them, and compare the verdicts with the truth."""
    from cryoverdict.engine.decision import read_decisions
    from cryoverdict.engine.simulation.comparison import compare_with_truth

    micrographs, judged = output / "micrographs", output / "judged"
    shared = {"threads": threads, "quiet": quiet}
    context.invoke(simulate.command, output=micrographs, seed=seed, **shared)
    context.invoke(
        decide_micrographs.command, micrographs=(str(micrographs),), output=judged, **shared
    )
    compared = compare_with_truth(micrographs, read_decisions(judged / "decisions.jsonl"))
    bad = [c for c in compared if not c.good and not c.kept]
    say(
        {
            "good_kept": f"{sum(c.good and c.kept for c in compared)} of "
            f"{sum(c.good for c in compared)}",
            "bad_rejected": f"{len(bad)} of {sum(not c.good for c in compared)}",
            "right_defect_first": f"{sum(c.named_defects[0] in c.true_defects for c in bad)} of "
            f"{len(bad)}",
            "open_this_page": str(judged / "report" / "index.html"),
        },
        quiet=quiet,
        as_json=False,
    )
