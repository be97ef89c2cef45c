"""How far each step of a workflow's drawing is, from what cwltool says of jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cryoverdict.cwl.runner.cwltool_log import JobEvent

STARTING = re.compile(r"^INFO \[workflow (?P<workflow>[^\]]*)\] starting step (?P<step>\S+)$")
STEP_START = re.compile(r"^INFO \[step (?P<step>[^\]]+)\] start$")
STEP_END = re.compile(r"^(?:INFO|WARNING|ERROR) \[step (?P<step>[^\]]+)\] completed (?P<how>\S+)")


@dataclass(slots=True, kw_only=True)
class StepProgress:
    """One step of the drawing: ``running``, ``done`` or ``failed``, and the jobs begun and done."""

    state: str
    begun: int = 0
    done: int = 0


@dataclass(slots=True)
class WorkflowProgress:
    """Follows a run: lines of cwltool's log come in through `watch`, job events through `count`.

    cwltool numbers steps of one name (``pick``, ``pick_2``) and jobs of one name, apart from each
    other. A step inside a sub-workflow counts for the step of the drawing that runs it.
    """

    steps: dict[str, StepProgress] = field(default_factory=dict)
    _owner: dict[str, str] = field(default_factory=dict)
    _latest: dict[str, str] = field(default_factory=dict)
    _node_of_job: dict[str, str] = field(default_factory=dict)

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass lines on, learning from them which step begins, ends, and belongs to which."""
        for line in lines:
            text = line.rstrip("\n")
            if match := STARTING.match(text):
                self._owner[match["step"]] = match["workflow"]
                self._step(self._node(match["step"]))
            elif match := STEP_START.match(text):
                self._latest[_base(match["step"])] = match["step"]
            elif (match := STEP_END.match(text)) and self._owner.get(match["step"]) == "":
                ended = "done" if match["how"] in ("success", "skipped") else "failed"
                self._step(match["step"]).state = ended
            yield line

    def count(self, event: JobEvent) -> None:
        """Count a job that began or ended."""
        if event.job not in self._node_of_job:
            step = self._latest.get(_base(event.job))
            if step is None:
                return
            self._node_of_job[event.job] = self._node(step)
            self._step(self._node_of_job[event.job]).begun += 1
        progress = self._step(self._node_of_job[event.job])
        if event.state in ("done", "cached"):
            progress.done += 1
        elif event.state == "failed":
            progress.state = "failed"

    def _node(self, step: str) -> str:
        """Return the step of the drawing that a step belongs to."""
        seen = set()
        while self._owner.get(step) and step not in seen:
            seen.add(step)
            step = self._owner[step]
        return step

    def _step(self, node: str) -> StepProgress:
        """Return the progress of a step of the drawing, begun if it was not."""
        return self.steps.setdefault(node, StepProgress(state="running"))


def _base(name: str) -> str:
    """Return a name without the number that cwltool gives to the second of its name."""
    return re.sub(r"_\d+$", "", name)
