"""Classify the good particles again while much is newly rejected."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.class_progress import class_ticker
from cryoverdict.cwl.commands.classify import classifier_of
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.summary import say


@click.command("classify-again")
@click.argument(
    "classes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="CLASSES",
)
@click.option(
    "--particles",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PARTICLES",
    help="Folders of `extract` (or their STAR files) that were classified; repeatable.",
)
@options.classifier_options
@click.option(
    "--judge",
    "judge_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Models written by `train-classes`, instead of the shipped ones.",
)
@options.output_option
@options.rules_option
@options.threads_option
@options.seed_option
@options.quiet_option
@options.json_option
def command(
    classes: Path,
    particles: tuple[Path, ...],
    parameters_path: Path,
    classifier: str,
    device: str,
    memory_mib: int,
    judge_path: Path | None,
    output: Path,
    rule_layers: tuple[Path, ...],
    threads: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Classify the good particles of CLASSES again, and select again, while much is rejected.

    CLASSES is a folder of `decide-classes`. Whether another round follows is decided by rules
    (`cryoverdict rules list --decision further-round`): as shipped, where more than 5 % was newly
    rejected, and at most two more rounds. Writes particles_good.star, class_averages_good.star and
    selected_classes.mrcs of the last round (those of CLASSES where no round was needed),
    round_N/ with the files of each, decisions.jsonl, ledger.json and report/index.html.
    """
    from cryoverdict.engine.class_selection.further_rounds import (
        FurtherRound,
        RoundSetup,
        classify_again,
    )
    from cryoverdict.engine.classification.particle_lists import read_particle_lists
    from cryoverdict.engine.classification_run.builtin import RunOptions
    from cryoverdict.engine.kinds.classification import CLASSIFICATION
    from cryoverdict.engine.kinds.further_round import FURTHER_ROUND
    from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.engine.parameter_file import read_parameter_file
    from cryoverdict.engine.seating import seat_judge
    from cryoverdict.reports.round_report import report_round, report_rounds
    from cryoverdict.rules.rule_loader import load_rules

    file = read_parameter_file(parameters_path, CLASSIFICATION.id)
    judge = seat_judge(SELECT_CLASSES, rule_layers=rule_layers, model_path=judge_path)
    lists = read_particle_lists(particles)
    with writing_into(output), class_ticker("classifying again", quiet) as tick:

        def after_each(one: FurtherRound) -> None:
            """Write the pages of a round."""
            report_round(one, judge=judge, file=file)

        done = classify_again(
            classes,
            lists,
            output,
            setup=RoundSetup(
                values=file.parameters,
                classifier=classifier_of(classifier),
                classifier_name=classifier,
                options=RunOptions(
                    seed=seed,
                    threads=options.thread_count(threads),
                    device=device,
                    progress=tick,
                ),
                judge=judge,
                rules=load_rules(FURTHER_ROUND.id, rule_layers, features=FURTHER_ROUND.units()),
                run_rules=load_rules(
                    CLASSIFICATION.id, rule_layers, features=CLASSIFICATION.units()
                ),
                rule_layers=rule_layers,
                resident_mib=memory_mib,
            ),
            after_each=after_each,
        )
        page = report_rounds(output, done)
    say(
        {
            "further_rounds": len(done.rounds),
            **{str(name): n for name, n in done.ledger.bins.items()},
            "report": str(page),
        },
        notes=done.notes,
        quiet=quiet,
        as_json=as_json,
    )
    return ExitCode.DONE
