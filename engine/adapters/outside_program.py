"""Running an outside program: arguments as a list, its words in a file, its failure told."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cryoverdict.engine.program_error import ProgramError

LAST_WORDS = 2000
LAST_LINES = 6


def find_program(name: str, *, how: str) -> str:
    """Return where a program is; raises `ProgramError` with ``how`` to get it where it is not."""
    program = shutil.which(name)
    if program is None:
        msg = f"{name} is not on the PATH; {how}"
        raise ProgramError(msg)
    return program


def run_program(command: Sequence[str], *, folder: Path, log: Path) -> None:
    """Run a program in a folder, both its outputs into ``log``; no shell takes part.

    Raises `ProgramError` with its last lines where it ends with another code than 0. Where this
    process is interrupted, the program ends too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as words:
        process = subprocess.Popen(
            list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=words, stderr=words
        )
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        name = Path(command[0]).name
        msg = f"{name} failed (exit code {code}): {last_words(log)}"
        raise ProgramError(msg)


def last_words(log: Path) -> str:
    """Return the last lines that a program said, as one."""
    said = log.read_bytes()[-LAST_WORDS:].decode(errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    return " | ".join(lines[-LAST_LINES:]) or "it said nothing"
