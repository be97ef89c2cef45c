"""What became of the picks of one micrograph, kept on disk so that a killed run cuts none twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtractionRecord:
    """All picks of one micrograph, by their number (their place in the coordinates, from 1).

    ``fate`` ``(n,)`` are indices into `particle_fate.FATES`; ``x_px``, ``y_px`` ``(n,)`` the
    coordinates. ``kept`` holds the rows of the kept ones, in the order of the images in the stack.
    ``optics`` are those found, ``ctf`` the micrograph's CTF under RELION's labels (``None`` where
    it is unknown), ``error`` why the micrograph could not be used. ``fingerprint`` says of what
    input and settings all this is true, ``stack`` the name of the file with the images.
    """

    fingerprint: str
    stack: str
    fate: NDArray[np.uint8]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kept: StarTable
    optics: Optics
    shape: tuple[int, int] | None = None
    ctf: dict[str, str] | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    def write(self, path: Path) -> None:
        """Keep the record; a reader never meets half of one."""
        words = {
            "fingerprint": self.fingerprint,
            "stack": self.stack,
            "columns": self.kept.columns,
            "rows": self.kept.rows,
            "optics": asdict(self.optics),
            "shape": self.shape,
            "ctf": self.ctf,
            "notes": self.notes,
            "error": self.error,
        }
        temporary = path.with_suffix(".part.npz")
        np.savez(
            temporary,
            allow_pickle=False,
            words=np.frombuffer(json.dumps(words).encode(), dtype=np.uint8),
            fate=self.fate,
            x_px=self.x_px,
            y_px=self.y_px,
        )
        temporary.replace(path)


def read_record(path: Path) -> ExtractionRecord | None:
    """Return what `ExtractionRecord.write` wrote, ``None`` where there is none or half of one."""
    try:
        # A file opened here is closed also where numpy finds it damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            words = json.loads(stored["words"].tobytes())
            return ExtractionRecord(
                fingerprint=words["fingerprint"],
                stack=words["stack"],
                fate=stored["fate"],
                x_px=stored["x_px"],
                y_px=stored["y_px"],
                kept=StarTable(
                    columns=tuple(words["columns"]), rows=tuple(tuple(r) for r in words["rows"])
                ),
                optics=Optics(**words["optics"]),
                shape=words["shape"] and (words["shape"][0], words["shape"][1]),
                ctf=words["ctf"],
                notes=tuple(words["notes"]),
                error=words["error"],
            )
    except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile, InputError):
        return None


def fingerprint_of(image: Path, inputs: Sequence[Path], *known: object) -> str:
    """Return a digest of an image (size, time of change), the content of inputs, and what is known.

    The source of this package is part of it: another version of the code cuts anew.
    """
    stat = image.stat()
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs]
    text = json.dumps([stat.st_size, stat.st_mtime_ns, contents, repr(known), cutting_code()])
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def cutting_code() -> str:
    """Return a digest of the source of this package."""
    sha = hashlib.sha256()
    for entry in sorted(files("cryoverdict.engine.extraction").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py"):
            sha.update(entry.name.encode() + entry.read_bytes())
    return sha.hexdigest()
