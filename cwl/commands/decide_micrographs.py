"""Decide which micrographs to keep, and explain it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.progress import tracker
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics


@click.command("decide-micrographs")
@click.argument("micrographs", nargs=-1, metavar="[MICS...]")
@click.option(
    "--features",
    "features",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="F",
    help="A features.parquet measured before, or its folder; then no image is read. Repeatable.",
)
@click.option(
    "--exposures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="CS",
    help="The cryoSPARC exposures of which STAR lists were made; .cs lists are written then.",
)
@options.output_option
@options.optics_options
@options.rules_option
@options.model_option
@click.option(
    "--learnt",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A folder that `learn` wrote; the yields it expects join as evidence.",
)
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    features: tuple[Path, ...],
    exposures: tuple[Path, ...],
    output: Path,
    optics: Optics,
    rule_layers: tuple[Path, ...],
    model_path: Path | None,
    learnt: Path | None,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide which micrographs to keep, say what is wrong with the others, and why.

    MICS are image files, globs, directories, RELION STAR lists or cryoSPARC exposures (.cs).
    Writes features.parquet, decisions.jsonl, micrographs_good.star, micrographs_rejected.star,
    ledger.json and report/index.html; of cryoSPARC exposures micrographs_good.cs and
    micrographs_rejected.cs too. A killed run resumes without measuring again.
    """
    from cryoverdict.engine.judging import (
        decide_table,
        measure_list,
        write_verdicts,
    )
    from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
    from cryoverdict.engine.learning.learnt_evidence import with_learnt
    from cryoverdict.engine.measured_batches import gather_measurements
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.seating import seat_judge
    from cryoverdict.features.exposure_records import with_exposures
    from cryoverdict.features.micrograph_list import read_micrograph_list
    from cryoverdict.reports.micrograph_report import report_micrographs

    if not micrographs and not features:
        msg = "give micrographs (MICS...) or --features F"
        raise click.UsageError(msg)
    if exposures and not micrographs:
        msg = "--exposures goes with lists of micrographs (MICS...)"
        raise click.UsageError(msg)
    judge = seat_judge(REJECT_MICROGRAPHS, rule_layers=rule_layers, model_path=model_path)
    listed = read_micrograph_list(micrographs, optics) if micrographs else None
    if exposures and listed is not None:
        listed = with_exposures(listed, exposures)
    with writing_into(output):
        if features:
            measured = gather_measurements(features, listed, output)
        else:
            assert listed is not None
            measured = measure_list(
                listed, output, threads=options.thread_count(threads), tracked=tracker(quiet)
            )
        verdicts = decide_table(judge, measured.table, measured.kinds(), measured.doubts())
        decisions = list(tracker(quiet)(verdicts, "deciding", len(measured.table.subjects)))
        if learnt is not None:
            decisions = list(with_learnt(decisions, learnt, measured.table))
        ledger = write_verdicts(measured, decisions, output)
        page = report_micrographs(output, measured=measured, decisions=decisions, judge=judge)
    defects = Counter(d.name for x in decisions for d in x.defects)
    say(
        {
            **{str(name): n for name, n in ledger.bins.items()},
            "review": sum(d.review for d in decisions),
            "defects": dict(defects.most_common()),
            "measured_before": measured.count("stored"),
            "report": str(page),
        },
        notes=(*measured.notes(), *measured.errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    if quiet and measured.errors and not decisions:
        # The workflow calls with --quiet, and has to pass on why nothing came of it.
        click.echo(
            f"error: nothing can be judged: {next(iter(measured.errors.values()))}", err=True
        )
    return exit_code_of(len(decisions), len(measured.errors))
