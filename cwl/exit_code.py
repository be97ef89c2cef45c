"""The exit codes that scripts and workflow runners may rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished command says to its caller; a rejected subject is no error."""

    DONE = 0
    WRONG_USE = 2
    BAD_INPUT = 3
    SOME_UNREADABLE = 4
    PROGRAM_FAILED = 5
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code_of(done: int, failed: int) -> ExitCode:
    """Return the code of a step of which ``done`` items worked and ``failed`` could not be read."""
    if not failed:
        return ExitCode.DONE
    return ExitCode.SOME_UNREADABLE if done else ExitCode.BAD_INPUT


EXIT_CODE_HELP = """\b
Exit codes: 0 done (a rejection is no error); 2 wrong use; 3 bad input, nothing could be
done; 4 done, but some inputs could not be read (listed in ledger.json); 5 an outside
program failed; 130 interrupted (Ctrl-C); 143 asked to end (SIGTERM)."""
