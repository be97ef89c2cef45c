"""Decide which class averages are good, and explain it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.class_average import ClassSet

file_path = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("decide-classes")
@click.argument(
    "classes",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
    metavar="[CLASSES...]",
)
@click.option(
    "--model",
    "star",
    type=file_path,
    metavar="STAR",
    help="run_itNNN_model.star of a RELION 2D classification, or of `classify`.",
)
@click.option(
    "--data",
    type=file_path,
    metavar="STAR",
    help="run_itNNN_data.star of the same run.  [default: the one beside the model]",
)
@click.option(
    "--run",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of a 2D run; its newest iteration is taken.",
)
@click.option(
    "--classes",
    "images",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="IMAGES",
    help="Images, stacks, folders or .cs files of class averages; repeatable.",
)
@click.option(
    "--judge",
    "judge_path",
    type=file_path,
    metavar="FILE",
    help="Models written by `train-classes`, instead of the shipped ones.",
)
@click.option("--pixel-size-a", type=float, help="Pixel size in Å, where the files lack it.")
@options.output_option
@options.rules_option
@options.quiet_option
@options.json_option
def command(
    classes: tuple[Path, ...],
    star: Path | None,
    data: Path | None,
    folder: Path | None,
    images: tuple[Path, ...],
    judge_path: Path | None,
    pixel_size_a: float | None,
    output: Path,
    rule_layers: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide which class averages are good, what is wrong with the others, and why.

    Give one run: --model (with --data), --run FOLDER, or CLASSES: images (PNG, JPEG, TIFF, MRC
    stacks; then there are no tables, and what needs them could not say), or the .cs files of a
    cryoSPARC job (averages, particles, passthrough). Writes features.parquet, decisions.jsonl,
    particles_good.star, particles_rejected.star, class_averages_good.star, selected_classes.mrcs,
    RELION's class_averages.star and backup_selection.star, ledger.json and report/index.html; for
    cryoSPARC .cs files with the same uids.
    """
    from cryoverdict.engine.class_selection.selecting import select_classes
    from cryoverdict.engine.class_selection.selection_files import write_selection
    from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.seating import seat_judge
    from cryoverdict.reports.class_report import report_classes

    given = (*images, *classes)
    if sum((star is not None, folder is not None, bool(given))) != 1:
        msg = "give one of --model STAR, --run FOLDER, or CLASSES (--classes IMAGES)"
        raise click.UsageError(msg)
    if data is not None and star is None:
        msg = "--data goes with --model"
        raise click.UsageError(msg)
    judge = seat_judge(SELECT_CLASSES, rule_layers=rule_layers, model_path=judge_path)
    run = _run_of(star, data, folder, given, pixel_size_a)
    with writing_into(output, step="decide-classes"):
        selection = select_classes(run, judge, rule_layers=rule_layers)
        ledger = write_selection(selection, output)
        page = report_classes(output, selection=selection, judge=judge, ledger=ledger)
    kept = len(selection.kept)
    defects = Counter(d.name for x in selection.decisions for d in x.defects)
    particles = selection.particles
    facts = {
        "classes": f"{kept} of {len(selection.decisions)} good",
        "particles": "not listed"
        if particles is None
        else f"{int(particles.kept.sum())} of {len(particles.kept)} kept",
        "kept": kept,
        "rejected": len(selection.decisions) - kept,
        "error": len(run.unreadable),
        "review": sum(d.review for d in selection.decisions),
        "defects": ", ".join(f"{name} {n}" for name, n in defects.most_common()) or "none",
        "guards": "; ".join(g.explanation.evidence[0].text for g in selection.flagged) or "held",
        "report": str(page),
    }
    del ledger
    say(facts, notes=(*selection.notes, *run.unreadable.values()), quiet=quiet, as_json=as_json)
    return ExitCode.SOME_UNREADABLE if run.unreadable else ExitCode.DONE


def _run_of(
    star: Path | None,
    data: Path | None,
    folder: Path | None,
    given: tuple[Path, ...],
    pixel_size_a: float | None,
) -> ClassSet:
    """Return the run that was given, in whichever way."""
    from cryoverdict.features.class_average_list import read_class_run, read_classes
    from cryoverdict.features.relion_classes import read_relion_classes

    if star is not None:
        return read_relion_classes(star, data)
    if folder is not None:
        return read_class_run(folder)
    return read_classes(given, pixel_size_a)
