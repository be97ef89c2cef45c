"""Recognising a result that is there already, so that it is not computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.code_digest import code_digest
from cryoverdict.features.star import format_star

FILE = "finished.json"
# Of a stack only its ends are looked at: they differ between two stacks of different images.
END_BYTES = 65536
# The rooms whose source makes and judges a result.
ROOMS = ("engine.classification", "engine.classification_run", "engine.adapters")


def fingerprint(lists: ParticleLists, settings: Mapping[str, Any]) -> str:
    """Return a digest of all that a result depends on: particles, images, and ``settings``.

    Neither folders nor times take part, so that the same work elsewhere has the same digest.
    """
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True, default=str).encode())
    stack = lists.stack
    tables = {"particles": stack.particles}
    if stack.optics_table is not None:
        tables = {"optics": stack.optics_table, **tables}
    digest.update(format_star(tables).encode("utf-8", "surrogateescape"))
    for file in stack.files:
        size = file.path.stat().st_size
        digest.update(str(size).encode())
        with file.path.open("rb") as stream:
            digest.update(stream.read(END_BYTES))
            stream.seek(max(0, size - END_BYTES))
            digest.update(stream.read(END_BYTES))
    for item, reason in {**lists.errors, **lists.duplicates}.items():
        digest.update(f"{item}\n{reason}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def classifying_code() -> str:
    """Return a digest of the source that classifies, so that a changed one classifies anew."""
    return code_digest(*(f"cryoverdict.{room}" for room in ROOMS))


def note_finished(folder: Path, mark: str, names: Iterable[str]) -> None:
    """Note that the files ``names`` in a folder are the result with the fingerprint ``mark``."""
    record = {"fingerprint": mark, "files": {n: _digest(folder / n) for n in sorted(names)}}
    path = folder / FILE
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def is_finished(folder: Path, mark: str) -> bool:
    """Say whether a folder holds the whole result with this fingerprint, unchanged."""
    try:
        record = json.loads((folder / FILE).read_text())
        files = record["files"].items()
        return record["fingerprint"] == mark and all(_digest(folder / n) == d for n, d in files)
    except (OSError, KeyError, AttributeError, ValueError):
        return False


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
