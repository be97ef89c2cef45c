"""A run that is killed without warning, for the tests of what is left and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# Long enough for a machine that does much else; a run that does what it should never waits so long.
PATIENCE_S = 300


def kill_run(
    words: list[str],
    when: Callable[[], bool],
    *,
    run: Path,
    folder: Path,
    environment: Mapping[str, str],
) -> int:
    """Start a run in ``folder``, kill -9 it once something holds, wait for its jobs to be gone.

    Returns how many results cwltool would not make again. ``run`` is where the run writes.
    """
    log = folder / f"{run.name}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            words, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, stderr=file
        )
        deadline = time.monotonic() + PATIENCE_S
        while not when():
            assert process.poll() is None, f"ended before it was killed: {log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    while left := living(run):
        assert time.monotonic() < deadline + PATIENCE_S, left
        time.sleep(0.1)
    return finished(run)


def begun(run: Path, step: str) -> int:
    """Return how many jobs of a sub-command have begun, in this run and those before it."""
    stores = list((run / ".cache").glob("*/commands.jsonl"))
    # The last line may not be whole yet.
    lines = [line for store in stores for line in store.read_text().split("\n")[:-1]]
    return sum(json.loads(line)[1][1] == step for line in lines)


def finished(run: Path) -> int:
    """Return how many results of a run cwltool would not make again."""
    marks = (run / ".cache").glob("*/*.status")
    return sum(mark.read_text() == "success" for mark in marks)


def living(run: Path) -> list[str]:
    """Return the command lines of processes that work on a run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            place = os.readlink(process / "cwd")  # noqa: PTH115 (the process may be gone)
        except OSError:
            continue
        if str(run) in words or place.startswith(str(run)):
            found.append(words.replace("\0", " "))
    return found
