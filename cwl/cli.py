"""The one command line: it prints and exits, and holds no logic."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cryoverdict.cwl.commands import (
    catalogue,
    classify,
    classify_again,
    classify_particles,
    compare_runs,
    compose,
    confirm_particles,
    decide_classes,
    decide_classification,
    decide_micrographs,
    decide_picking,
    demo,
    estimate_ctf,
    evaluate,
    extract,
    gather_picks,
    learn,
    measure_micrographs,
    pick,
    promote,
    report,
    rules,
    run_workflow,
    simulate,
    split_micrographs,
    split_picks,
    summarise,
    train,
    train_classes,
    write_stack,
)
from cryoverdict.cwl.exit_code import EXIT_CODE_HELP, ExitCode
from cryoverdict.cwl.stop_signals import Terminated, answer_stop_signals, ignore_stop_signals
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.input_error import InputError
from cryoverdict.reports.report_error import ReportError
from cryoverdict.rules.rule_error import RuleError

COMMANDS = (
    run_workflow.command,
    demo.command,
    simulate.command,
    split_micrographs.command,
    split_picks.command,
    measure_micrographs.command,
    decide_micrographs.command,
    estimate_ctf.command,
    decide_picking.command,
    pick.command,
    gather_picks.command,
    decide_classification.command,
    classify.command,
    decide_classes.command,
    classify_again.command,
    extract.command,
    write_stack.command,
    learn.command,
    classify_particles.command,
    confirm_particles.command,
    compare_runs.command,
    summarise.command,
    compose.command,
    rules.command,
    report.command,
    train.command,
    train_classes.command,
    evaluate.command,
    promote.command,
    catalogue.command,
)


@click.group(
    help="Explained decisions for cryo-EM single-particle processing.",
    epilog=EXIT_CODE_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cryoverdict")
def cli() -> None:
    """Hold the sub-commands together."""


for _command in COMMANDS:
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with a documented code."""
    answer_stop_signals()
    code = run(arguments)
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        ignore_stop_signals()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every failure is one line on stderr."""
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.WRONG_USE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the same command resumes", err=True)
        return ExitCode.INTERRUPTED
    except Terminated:
        click.echo("asked to end; the same command resumes", err=True)
        return ExitCode.TERMINATED
    except ProgramError as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.PROGRAM_FAILED
    except (InputError, RuleError, EngineError, ReportError) as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        return ExitCode.BAD_INPUT
    except BrokenPipeError:
        return ExitCode.DONE
    except OSError as error:
        # Files that are read have their own errors: this is a place that cannot be written.
        where = error.filename or "output"
        click.echo(f"error: {where}: cannot be used ({error.strerror or error})", err=True)
        return ExitCode.BAD_INPUT
    return int(code or ExitCode.DONE)
