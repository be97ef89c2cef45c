"""The folder that a command writes into: one run at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cryoverdict.engine.engine_error import EngineError

LOCK = ".lock"
LEDGER = "ledger.json"


@contextmanager
def writing_into(folder: Path, *, step: str | None = None) -> Iterator[Path]:
    """Make a folder if absent and hold it for this process while its outputs are written.

    Raises `EngineError` where another run holds it, and, with ``step``, where the ledger of another
    step lies there: its files would be mixed with this one's. The lock is the system's: it goes
    with the process, however that ends.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"{folder}: another run is writing here; wait for it, or give another --output"
            raise EngineError(msg) from error
        other = _step_of(folder)
        if None not in (step, other) and step != other:
            msg = f"{folder}: holds the output of {other}; give another --output"
            raise EngineError(msg)
        yield folder


def place_inside(folder: Path, name: str, *, named_by: Path) -> Path:
    """Return where a file that a list names by a relative path belongs inside a folder.

    Raises `EngineError` for a name that leads out of it, so that no list makes a step write, or
    copy, what lies elsewhere.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        msg = f"{named_by}: {name} leads out of its folder; accepted are names inside it"
        raise EngineError(msg)
    return folder / path


def _step_of(folder: Path) -> str | None:
    """Return the step whose ledger lies in a folder; ``None`` where there is none to be read."""
    try:
        step = json.loads((folder / LEDGER).read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return step if isinstance(step, str) else None
