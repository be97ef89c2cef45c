"""The folder that a command writes into: one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError

LOCK = ".lock"


@contextmanager
def writing_into(folder: Path) -> Iterator[Path]:
    """Make a folder if absent and hold it for this process while its outputs are written.

    Raises `EngineError` where another run holds it. The lock is the system's: it goes with the
    process, however that ends.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"{folder}: another run is writing here; wait for it, or give another --output"
            raise EngineError(msg) from error
        yield folder
