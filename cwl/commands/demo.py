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
    """Simulate micrographs, judge them, and compare the verdicts with the truth."""
    from cryoverdict.engine.decision import read_decisions
    from cryoverdict.engine.simulation.comparison import compare_with_truth

    micrographs, judged = output / "micrographs", output / "judged"
    # Of several steps one summary is wanted as JSON: the last.
    shared = {"threads": threads, "quiet": quiet or as_json}
    context.invoke(simulate.command, output=micrographs, seed=seed, **shared)
    context.invoke(
        decide_micrographs.command, micrographs=(str(micrographs),), output=judged, **shared
    )
    compared = compare_with_truth(micrographs, read_decisions(judged / "decisions.jsonl"))
    bad = [c for c in compared if not c.good and not c.kept]
    counted = {
        "good_kept": (sum(c.good and c.kept for c in compared), sum(c.good for c in compared)),
        "bad_rejected": (len(bad), sum(not c.good for c in compared)),
        "right_defect_first": (sum(c.named_defects[0] in c.true_defects for c in bad), len(bad)),
    }
    page = str(judged / "report" / "index.html")
    facts: dict[str, object] = {
        name: {"count": found, "of": total} if as_json else f"{found} of {total}"
        for name, (found, total) in counted.items()
    }
    say({**facts, "open_this_page": page}, quiet=quiet, as_json=as_json)
