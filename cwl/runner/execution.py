"""Run a workflow with cwltool and return where its outputs lie."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.runner.cwltool_log import JobEvent, errors_of, read_events, runner_errors
from cryoverdict.cwl.runner.cwltool_process import scratch_of, start_cwltool
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.program_error import ProgramError

COMMANDS = "commands.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A finished run: the workflow's output object, and every job with its command.

    ``commands`` holds, in the order in which jobs began, their name and command, whether their
    results were kept from an earlier run, and else how long they took and the memory they held.
    """

    outputs: dict[str, Any]
    commands: tuple[dict[str, Any], ...]


def execute(
    workflow: Path,
    job: Path,
    *,
    cache: Path,
    log: Path,
    jobs: int,
    on_event: Callable[[JobEvent], None] | None = None,
) -> Execution:
    """Run a workflow; what an earlier run finished in ``cache`` is not done again.

    ``jobs`` is the greatest number of jobs at a time. cwltool and the jobs die with this process.
    Its log is kept in ``log``. Raises `ProgramError` where cwltool is absent or a step's program
    failed, `EngineError` where a step could do nothing with its input; both say what the step said.
    """
    process = start_cwltool(workflow, job, cache=cache, jobs=jobs)
    assert process.stdout is not None
    assert process.stderr is not None
    answer: list[str] = []
    reader = threading.Thread(
        target=lambda stream: answer.append(stream.read()), args=(process.stdout,)
    )
    reader.start()
    said: list[str] = []
    try:
        recorded = _follow(read_events(process.stderr, said), cache / COMMANDS, on_event)
        code = process.wait()
    finally:
        # The end of the leash: cwltool and its jobs go, if they are still there.
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
        log.write_text("\n".join(said) + "\n", encoding="utf-8")
    shutil.rmtree(scratch_of(cache), ignore_errors=True)
    if code != 0:
        raise _failure(said, recorded, log)
    return Execution(outputs=json.loads(answer[0]), commands=tuple(recorded))


def _follow(
    events: Iterable[JobEvent], store: Path, on_event: Callable[[JobEvent], None] | None
) -> list[dict[str, Any]]:
    """Go through the events; return each job's record, with commands of earlier runs where cached.

    ``store`` keeps the command behind each folder of results, for later runs that find these.
    """
    known = _commands(store)
    records: dict[str, dict[str, Any]] = {}
    began: dict[str, float] = {}
    for event in events:
        if event.state == "started":
            began[event.job] = time.monotonic()
        if event.state == "done" and event.job in began:
            records[event.job]["seconds"] = round(time.monotonic() - began[event.job], 2)
            records[event.job]["memory_mib"] = event.memory_mib
        if event.state in ("started", "cached"):
            key = Path(event.folder).name
            if event.state == "started":
                known[key] = list(event.command)
                with store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, list(event.command)]) + "\n")
            records[event.job] = {
                "job": event.job,
                "step": event.step,
                "command": known.get(key, []),
                "kept": event.state == "cached",
            }
        elif event.state == "failed":
            records.setdefault(event.job, {"job": event.job, "step": event.step})
            records[event.job]["exit_code"] = event.code
        if on_event is not None:
            on_event(event)
    return list(records.values())


def _commands(store: Path) -> dict[str, list[str]]:
    """Return the command behind each folder of results; a line cut short by a kill is left out."""
    known = {}
    lines = store.read_text(encoding="utf-8").splitlines() if store.is_file() else []
    for line in lines:
        try:
            key, command = json.loads(line)
        except ValueError:
            continue
        known[key] = command
    return known


def _failure(said: list[str], records: list[dict[str, Any]], log: Path) -> EngineError:
    """Return the exception for a run that ended badly."""
    failed = [r for r in records if "exit_code" in r]
    words = errors_of(said) or runner_errors(said)[-1:] or ["cwltool said nothing"]
    steps = ", ".join(dict.fromkeys(r["step"] for r in failed)) or "the workflow"
    msg = f"{steps} failed: {'; '.join(words[:3])} (all of the log: {log})"
    bad_input = failed and all(r["exit_code"] == ExitCode.BAD_INPUT for r in failed)
    return EngineError(msg) if bad_input else ProgramError(msg)
