"""What a run needs of the machine, found out before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryoverdict.cwl.runner.workflow_file import files_of
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.micrograph_list import MicrographList

CLASSIFY = "classify.cwl"
LEAST_MIB = 1536
# What the workflows ask for a job on the whole data set (`ram_mib`), unless told otherwise.
WHOLE_MIB = 4096
MEMORY = Path("/proc/meminfo")
# Working on a micrograph takes about so many times the room of its file, beside what the program
# takes itself (measured on 4096² pixels of four bytes: 0.27 GB in all).
TIMES_THE_FILE = 10
PROGRAM_MIB = 512


def check_classifier(workflow: Path, values: Mapping[str, Any]) -> None:
    """Raise `ProgramError` where a workflow classifies and the classifier is not installed."""
    classifies = any(path.name == CLASSIFY for path in files_of(workflow))
    builtin = (values.get("classifier") or "builtin") == "builtin"
    if classifies and builtin and find_spec("torch") is None:
        msg = (
            "the built-in 2D classifier needs PyTorch, which is not installed; "
            "pip install 'cryoverdict[classify]', or use --classifier relion"
        )
        raise ProgramError(msg)


def ram_values(micrographs: MicrographList, free_mib: int | None) -> dict[str, int | None]:
    """Return the inputs of a workflow that say how much memory its jobs ask for.

    cwltool does not begin a job that asks for more than is free, though few need what they ask for:
    none asks for more than ``free_mib``, where that is known.
    """
    batch_mib = batch_ram_mib(micrographs)
    if free_mib is None:
        return {"batch_ram_mib": batch_mib}
    return {
        "batch_ram_mib": min(batch_mib, free_mib),
        "ram_mib": free_mib if free_mib < WHOLE_MIB else None,
    }


def free_ram_mib(source: Path = MEMORY) -> int | None:
    """Return the memory in MiB that is free for programs; ``None`` where the system has no word."""
    if not source.is_file():
        return None
    for line in source.read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            # A little is gone by the time the first job begins.
            return int(0.9 * int(rest.split()[0])) >> 10
    return None


def batch_ram_mib(micrographs: MicrographList) -> int:
    """Return the memory in MiB that working on one micrograph after the other may take."""
    sizes = [m.path.stat().st_size for m in micrographs.micrographs if m.path.is_file()]
    largest = max(sizes, default=0) >> 20
    return max(LEAST_MIB, PROGRAM_MIB + TIMES_THE_FILE * largest)
