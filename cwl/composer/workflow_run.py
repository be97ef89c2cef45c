"""A run of a composed workflow: begun, watched and stopped from the page."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryoverdict.cwl.composer.step_progress import WorkflowProgress
from cryoverdict.cwl.runner.cwltool_log import errors_of, read_events, runner_errors
from cryoverdict.cwl.runner.cwltool_process import start_cwltool
from cryoverdict.cwl.runner.job import write_job
from cryoverdict.cwl.runner.placing import place_outputs
from cryoverdict.cwl.runner.provenance import package_digest
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.input_error import InputError

RUNS = "runs"
JOB = "job.yaml"
LOG = "cwltool.log"
LAST_LINES = 12


class WorkflowRun:
    """One run under ``folder/runs/NAME``; its results are kept there, so that it can go on."""

    def __init__(self, workflow: Path, values: dict[str, Any], folder: Path) -> None:
        """Write the job and start cwltool; raises `InputError` where the job does not fit."""
        self.name = workflow.stem
        self.folder = folder.resolve() / RUNS / self.name
        if not self.folder.resolve().is_relative_to(folder.resolve()):
            msg = f"{self.folder}: leads out of the folder; nothing was started"
            raise InputError(msg)
        self.progress = WorkflowProgress()
        self.state = "running"
        self.message = ""
        self.outputs: tuple[str, ...] = ()
        self._said: list[str] = []
        self._stopped = False
        job = self.folder / JOB
        write_job(job, workflow, values)
        cores = len(os.sched_getaffinity(0))
        cache = self.folder / ".cache" / package_digest()[:16]
        self._process = start_cwltool(workflow, job, cache=cache, jobs=cores)
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def stop(self) -> None:
        """End cwltool and its jobs; what is finished is kept for the next run."""
        if self._process.poll() is None:
            self._stopped = True
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._follower.join()

    def told(self) -> dict[str, Any]:
        """Return what the page shows of the run."""
        return {
            "name": self.name,
            "state": self.state,
            "message": self.message,
            "folder": str(self.folder),
            "outputs": list(self.outputs),
            "steps": {name: asdict(one) for name, one in list(self.progress.steps.items())},
            "log": list(deque(self._said, maxlen=LAST_LINES)),
        }

    def _follow(self) -> None:
        """Read cwltool's log to its end, then put the outputs in place."""
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        answer: list[str] = []
        stream = process.stdout
        reader = threading.Thread(target=lambda: answer.append(stream.read()))
        reader.start()
        for event in read_events(self.progress.watch(process.stderr), self._said):
            self.progress.count(event)
        code = process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        (self.folder / LOG).write_text("\n".join(self._said) + "\n", encoding="utf-8")
        if self._stopped:
            self.message = "stopped; what is finished is kept"
            self._end("stopped")
        elif code != 0:
            words = errors_of(self._said) or runner_errors(self._said)[-1:]
            self.message = "; ".join(words[:3]) or "cwltool said nothing"
            self._end("failed")
        else:
            self._place(json.loads(answer[0]))

    def _place(self, outputs: dict[str, Any]) -> None:
        """Put the outputs into the run's folder, a folder for each output of the workflow."""
        placed: list[Path] = []
        try:
            for name, value in outputs.items():
                target = self.folder / name
                shutil.rmtree(target, ignore_errors=True)
                for place, part in _parts(target, value):
                    placed += place_outputs({name: part}, place)
        except (EngineError, ProgramError, OSError) as error:
            self.message = str(error)
            self._end("failed")
            return
        self.outputs = tuple(path.relative_to(self.folder).as_posix() for path in placed)
        self._end("done")

    def _end(self, state: str) -> None:
        """Say how the run ended; steps that were at work are so no more."""
        # Whoever stops the run makes the jobs at work fail.
        open_states = ("running", "failed") if state == "stopped" else ("running",)
        for step in self.progress.steps.values():
            if step.state in open_states:
                step.state = state
        self.state = state


def _parts(target: Path, value: Any) -> list[tuple[Path, Any]]:
    """Return where the results of an output go: jobs that name theirs alike get a number each."""
    if not isinstance(value, list):
        return [(target, value)] if value is not None else []
    names = [str(one.get("basename")) for one in value if isinstance(one, dict)]
    if len(set(names)) == len(names):
        return [(target, value)]
    return [(target / f"{number:03d}", one) for number, one in enumerate(value, start=1)]
