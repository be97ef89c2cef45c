"""Classify particle images in two dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.class_progress import class_ticker
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from cryoverdict.engine.classification_run.step import Classifier


@click.command("classify")
@click.argument(
    "particles",
    nargs=-1,
    required=True,
    metavar="PARTICLES...",
    type=click.Path(exists=True, path_type=Path),
)
@options.classifier_options
@options.output_option
@options.rules_option
@options.threads_option
@options.seed_option
@options.quiet_option
@options.json_option
def command(
    particles: tuple[Path, ...],
    parameters_path: Path,
    classifier: str,
    device: str,
    memory_mib: int,
    output: Path,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Sort particles into classes by their view, without references.

    PARTICLES are STAR files of extracted particles, or folders that hold a particles.star; several
    are classified together. Writes run_itNNN_{classes.mrcs,data.star,model.star,optimiser.star} as
    RELION does, convergence.json, decisions.jsonl (what the result shows of itself), ledger.json
    and report/index.html. A run that collapsed, overfitted or did not settle is made once more with
    other parameters. A result that is there already, of the same input, is kept.

    Names of files are the same wherever the output lies: the run's files name each other without a
    folder, and images as PARTICLES names them, which is from the folder of that list. RELION looks
    from where it is started: to go on from this run, copy run_it* beside PARTICLES and start there.
    """
    from cryoverdict.engine.classification.particle_lists import read_particle_lists
    from cryoverdict.engine.classification_run.builtin import RunOptions
    from cryoverdict.engine.classification_run.step import classify_step
    from cryoverdict.engine.kinds.classification import CLASSIFICATION
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.reports.classification_report import report_run, report_snapshot
    from cryoverdict.rules.rule_loader import load_rules

    file = read_parameter_file(parameters_path, CLASSIFICATION.id)
    rules = load_rules(CLASSIFICATION.id, rule_layers, features=CLASSIFICATION.units())
    lists = read_particle_lists(particles)
    history: list[Mapping[str, Any]] = []
    with writing_into(output, step="classify"), class_ticker("classifying", quiet) as tick:

        def progress(line: Mapping[str, Any]) -> None:
            """Move the bar and keep the line for the next snapshot."""
            history.append(line)
            tick(line)

        def watch(_: Mapping[str, Any], averages: NDArray[np.float32]) -> None:
            """Show the averages of the moment."""
            report_snapshot(output, averages, history)

        found = classify_step(
            lists,
            file.parameters,
            output,
            classifier=classifier_of(classifier),
            name=classifier,
            rules=rules,
            options=RunOptions(
                seed=seed,
                threads=options.thread_count(threads),
                device=device,
                progress=progress,
                watch=None if quiet else watch,
            ),
            resident_mib=memory_mib,
        )
        page = report_run(output, found, lists, file)
    used = int((found.run.count > 0).sum())
    say(
        {
            **{str(name): n for name, n in found.ledger.bins.items()},
            "classes": f"{used} of {len(found.run.count)} with particles",
            "iterations": found.run.stem.removeprefix("run_it").lstrip("0"),
            "run_again": "yes" if found.repeated else "no",
            "there_before": "yes" if found.reused else "no",
            "model": str(output / f"{found.run.stem}_model.star"),
            "report": str(page),
        },
        notes=(*found.notes, *sorted(set(lists.errors.values()))),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(len(lists.stack), len(lists.errors))


def classifier_of(name: str) -> Classifier:
    """Return the classifier of a name."""
    if name == "relion":
        from cryoverdict.engine.adapters.relion_classify import classify_with_relion

        return classify_with_relion
    from cryoverdict.engine.classification_run.builtin import classify_builtin

    return classify_builtin
