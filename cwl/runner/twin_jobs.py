"""Jobs of one run that are the same: the second waits, and takes the first one's result.

cwltool alone, given ``--parallel`` and ``--cachedir``, waits for ever there. It holds a lock on the
result that a job is making, and asks for the same lock in the one thread that could release it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class _BeingMadeError(Exception):
    """A job of this run is making the result whose state is in the file of this name."""


def let_twins_wait() -> None:
    """Change the cwltool of this process: it goes on with other jobs while a twin works.

    The folder of results has to belong to this run alone.
    """
    from cwltool import command_line_tool

    begin = command_line_tool.CommandLineTool.job

    def job(tool: Any, inputs: Any, callbacks: Any, context: Any) -> Iterator[Any]:
        """Yield the jobs of a tool; nothing, to be asked again, as long as a twin works."""
        while True:
            try:
                yield from begin(tool, inputs, callbacks, context)
            except _BeingMadeError as waiting:
                state = Path(str(waiting))
            else:
                return
            while _is_locked(state):
                yield None

    # mypy: cwltool has types, and these two are not meant to be changed.
    command_line_tool.CommandLineTool.job = job  # type: ignore[method-assign,assignment]
    command_line_tool.shared_file_lock = _share_or_fail  # type: ignore[attr-defined,assignment]


def _share_or_fail(file: TextIO) -> None:
    """Lock a file for reading; raises `_BeingMadeError` where a job holds it for writing."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise _BeingMadeError(file.name) from None


def _is_locked(path: Path) -> bool:
    """Return whether a job holds a file for writing."""
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
