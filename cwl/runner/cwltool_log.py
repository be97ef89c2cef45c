"""What cwltool says of its progress, line by line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["planned", "started", "cached", "done", "failed"]
JOB = re.compile(r"^(?:INFO|WARNING|ERROR) \[job (?P<job>[^\]]+)\] (?P<text>.*)$")
COMMAND = re.compile(r"^(?P<folder>/.*?)\$ (?P<words>.*)$")
MEMORY = re.compile(r"^Max memory used: (\d+)MiB")
EXITED = re.compile(r"exited with status: (\d+)")
STAGED = re.compile(r"\S*/stg[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One thing that happened to one job.

    ``job`` is cwltool's name for it (``measure_2``), ``step`` that without the number. A planned or
    cached job has the ``folder`` of its results; a started one its ``command``; one that is done
    the greatest memory it held, where cwltool saw it; a failed one its exit code, where it had one.
    """

    job: str
    state: State
    folder: str = ""
    command: tuple[str, ...] = ()
    code: int | None = None
    memory_mib: int | None = None

    @property
    def step(self) -> str:
        """Name of the step that the job belongs to."""
        return re.sub(r"_\d+$", "", self.job)


def read_events(lines: Iterable[str], said: list[str]) -> Iterator[JobEvent]:
    """Yield what cwltool's log tells of jobs; every line is appended to ``said`` as it comes.

    cwltool writes a command over several lines, each but the last ending in a backslash.
    """
    codes: dict[str, int] = {}
    memory: dict[str, int] = {}
    waiting: list[str] = []
    for raw in lines:
        line = raw.rstrip("\n")
        said.append(line)
        if waiting:
            waiting.append(line.strip())
            if not line.endswith("\\"):
                yield from _started(waiting)
                waiting = []
            continue
        match = JOB.match(line)
        if match is None:
            continue
        job, text = match["job"], match["text"]
        if line.endswith("\\"):
            waiting = [line]
        elif COMMAND.match(text):
            yield from _started([line])
        elif text.startswith("Output of job will be cached in "):
            yield JobEvent(job=job, state="planned", folder=text.rpartition(" in ")[2])
        elif text.startswith("Using cached output in "):
            yield JobEvent(job=job, state="cached", folder=text.rpartition(" in ")[2])
        elif held := MEMORY.match(text):
            memory[job] = int(held[1])
        elif exited := EXITED.search(text):
            codes[job] = int(exited[1])
        elif text.startswith("completed success"):
            yield JobEvent(job=job, state="done", memory_mib=memory.get(job))
        elif text.startswith("completed "):
            yield JobEvent(job=job, state="failed", code=codes.get(job))


def errors_of(said: Iterable[str]) -> list[str]:
    """Return what the failed steps themselves said of their errors, each once, in order.

    Names of the folders in which a step sees its input for a while are left out.
    """
    found = [
        STAGED.sub("", line.removeprefix("error: ")) for line in said if line.startswith("error: ")
    ]
    return list(dict.fromkeys(found))


def runner_errors(said: Iterable[str]) -> list[str]:
    """Return the errors of cwltool itself, for when no step said why."""
    return [line.removeprefix("ERROR ") for line in said if line.startswith("ERROR ")]


def _started(lines: list[str]) -> Iterator[JobEvent]:
    """Yield the start of a job from the lines of its command."""
    whole = " ".join(line.removesuffix("\\").strip() for line in lines)
    match = JOB.match(whole)
    command = COMMAND.match(match["text"]) if match else None
    if match is not None and command is not None:
        words = tuple(shlex.split(command["words"]))
        yield JobEvent(job=match["job"], state="started", folder=command["folder"], command=words)
