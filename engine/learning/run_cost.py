"""What a run cost: time by step, from its provenance, and the room of its particle images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROVENANCE = "provenance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """Seconds of all jobs by step, micrographs that came in, bytes that the run's folder takes.

    Jobs whose results were kept from an earlier call are not counted: ``whole`` is false then.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    micrographs: int
    bytes: int
    whole: bool

    @property
    def total_s(self) -> float:
        """Seconds of all jobs together."""
        return sum(self.seconds.values())

    @classmethod
    def total(cls, costs: Sequence[RunCost]) -> RunCost:
        """Return the sum over some runs."""
        steps = sorted({step for cost in costs for step in cost.seconds})
        return cls(
            seconds={s: round(sum(c.seconds.get(s, 0.0) for c in costs), 2) for s in steps},
            micrographs=sum(c.micrographs for c in costs),
            bytes=sum(c.bytes for c in costs),
            whole=all(c.whole for c in costs),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "seconds": dict(self.seconds),
            "micrographs": self.micrographs,
            "bytes": self.bytes,
            "whole": self.whole,
        }


def read_cost(folder: Path) -> RunCost | None:
    """Return what the run in a folder cost; ``None`` where it does not say."""
    try:
        record = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        seconds: dict[str, float] = {}
        for job in record["steps"]:
            step = str(job["step"])
            seconds[step] = round(seconds.get(step, 0.0) + float(job.get("seconds", 0.0)), 2)
        return RunCost(
            seconds=seconds,
            micrographs=len(record["inputs"]),
            bytes=folder_bytes(folder),
            whole=not any(job.get("kept") for job in record["steps"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def folder_bytes(folder: Path) -> int:
    """Return the room that a run's files take, results kept for a resumed run included.

    A file that stands under two names (a link) is counted once.
    """
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())
