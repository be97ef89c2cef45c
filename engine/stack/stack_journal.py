"""How far a stack was written, so that a killed run goes on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np

from cryoverdict.engine.extraction.extraction_record import cutting_code
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.stack_file import NOTHING, StackState, part_of, stack_bytes
from cryoverdict.engine.stack.particle_places import Places
from cryoverdict.engine.stack.selected_particles import SelectedParticles
from cryoverdict.engine.stack.stack_part import StackPart
from cryoverdict.features.micrograph import Micrograph

JOURNAL = "good_particles.progress.jsonl"


@dataclass(slots=True, kw_only=True)
class StackJournal:
    """A file with a line for each micrograph whose particles stand in the stack.

    ``fingerprint`` says of what input and settings the stack is made; ``parts`` are those that an
    earlier run of the same came to, ``lines`` what it wrote of them, ``state`` the stack after
    them.
    """

    path: Path
    fingerprint: str
    parts: list[StackPart] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    state: StackState = NOTHING

    def begin(self) -> None:
        """Write the journal anew with the parts that are taken over."""
        temporary = self.path.with_name(self.path.name + ".part")
        lines = [json.dumps({"fingerprint": self.fingerprint}), *self.lines]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(self.path)

    def add(self, part: StackPart, state: StackState) -> None:
        """Note that a part stands in the stack."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(part, state) + "\n")


def open_journal(
    folder: Path, stack: Path, fingerprint: str, names: Sequence[str], *, box: int, float16: bool
) -> StackJournal:
    """Return the journal of a stack: of an earlier run where that made the same, else empty.

    A line cut short, a part out of order, or a stack shorter than the journal says ends what is
    taken over.
    """
    journal = StackJournal(path=folder / JOURNAL, fingerprint=fingerprint)
    unfinished = part_of(stack)
    try:
        lines = journal.path.read_text(encoding="utf-8").splitlines()
        length = unfinished.stat().st_size
        same = json.loads(lines[0])["fingerprint"] == fingerprint
    except (OSError, ValueError, LookupError, TypeError):
        return journal
    if not same:
        return journal
    for line, name in zip(lines[1:], names, strict=False):
        try:
            part, state = _read(line)
        except (ValueError, LookupError, TypeError):
            break
        if part.name != name or stack_bytes(state.count, box, float16=float16) > length:
            break
        journal.parts.append(part)
        journal.lines.append(line)
        journal.state = state
    return journal


def stack_fingerprint(
    particles: SelectedParticles,
    micrographs: Mapping[str, Micrograph],
    settings: ExtractionSettings,
    places: Places,
) -> str:
    """Return a digest of all that a stack is made of: lists, micrographs, settings and code."""
    sha = hashlib.sha256()
    for path in particles.lists:
        sha.update(path.read_bytes())
    for name, micrograph in micrographs.items():
        stat = micrograph.path.stat()
        known = [name, stat.st_size, stat.st_mtime_ns, repr(micrograph.optics)]
        sha.update(json.dumps(known).encode())
    sha.update(repr((settings, _code())).encode())
    sha.update(places.x_px.tobytes() + places.y_px.tobytes())
    return sha.hexdigest()


def _code() -> str:
    """Return a digest of the source that cuts and joins."""
    source = sorted(files("cryoverdict.engine.stack").iterdir(), key=lambda e: e.name)
    content = b"".join(e.read_bytes() for e in source if e.name.endswith(".py"))
    return cutting_code() + hashlib.sha256(content).hexdigest()


def _line(part: StackPart, state: StackState) -> str:
    """Return the line of one part."""
    record = {
        "name": part.name,
        "fate": part.fate.tolist(),
        "shape": part.shape,
        "error": part.error,
        "state": asdict(state) if state.count else None,
    }
    return json.dumps(record)


def _read(line: str) -> tuple[StackPart, StackState]:
    """Return what `_line` wrote; ``ValueError`` or ``LookupError`` for anything else."""
    record = json.loads(line)
    shape = record["shape"]
    part = StackPart(
        name=record["name"],
        fate=np.array(record["fate"], dtype=np.uint8),
        images=Path(),
        shape=None if shape is None else (shape[0], shape[1]),
        error=record["error"],
    )
    state = record["state"]
    return part, NOTHING if state is None else StackState(**state)
