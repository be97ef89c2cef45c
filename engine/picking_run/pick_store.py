"""Picks kept on disk, one file a micrograph, so that a killed run picks nothing twice."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.measurement_store import measuring_code
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_run.consensus import Agreement

COLUMNS = ("x_px", "y_px", "score", "diameter_a")
DROPPED = "dropped_"
# They do not bear on what is picked in one micrograph.
NOT_PICKING = ("trial_particles", "false_discovery_rate")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickedMicrograph:
    """The picks of one micrograph with what the page and the next steps need of its image.

    ``shape`` is rows and columns of the full-size micrograph, ``pixel_size_a`` its pixel size,
    ``thumbnail`` ``(y, x)`` uint8 with the first row on top. ``agreement`` says of each picker
    how it fared with the others, where several were asked.
    """

    picks: Picks
    shape: tuple[int, int]
    pixel_size_a: float
    thumbnail: NDArray[np.uint8]
    agreement: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PickStore:
    """A folder with one ``.npz`` a micrograph, each under a fingerprint of what was picked how."""

    folder: Path

    def path(self, subject: str) -> Path:
        """Return the file of one subject."""
        return self.folder / f"{hashlib.sha256(subject.encode()).hexdigest()[:20]}.npz"

    def holds(self, subject: str, fingerprint: str) -> bool:
        """Say whether the picks of a subject were made under this fingerprint."""
        try:
            # A file opened here is closed also where numpy finds it damaged.
            with (
                self.path(subject).open("rb") as file,
                np.load(file, allow_pickle=False) as stored,
            ):
                return str(stored["fingerprint"]) == fingerprint
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False

    def write(self, picked: PickedMicrograph, fingerprint: str) -> None:
        """Keep the picks of a micrograph; a reader never meets half of them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        picks = picked.picks
        target = self.path(picks.subject)
        temporary = target.with_suffix(".part.npz")
        arrays = {
            DROPPED + reason: np.stack([gone.x_px, gone.y_px, gone.score])
            for reason, gone in picks.dropped.items()
        }
        np.savez(
            temporary,
            allow_pickle=False,
            fingerprint=np.array(fingerprint),
            picks=np.stack([getattr(picks, name) for name in COLUMNS]),
            shape=np.array(picked.shape, np.int64),
            pixel_size_a=np.array(picked.pixel_size_a),
            usable_fraction=np.array(picks.usable_fraction),
            notes=np.array(json.dumps(picks.notes)),
            agreement=np.array(json.dumps([asdict(a) for a in picked.agreement])),
            thumbnail=picked.thumbnail,
            **arrays,
        )
        temporary.replace(target)

    def read(self, subject: str, *, pictured: bool = True) -> PickedMicrograph:
        """Return what `write` kept for a subject, with an empty picture where none is wanted."""
        with np.load(self.path(subject), allow_pickle=False) as stored:
            dropped = {}
            for name in sorted(n for n in stored.files if n.startswith(DROPPED)):
                x, y, score = stored[name]
                dropped[name.removeprefix(DROPPED)] = DroppedPicks(x_px=x, y_px=y, score=score)
            columns = dict(zip(COLUMNS, stored["picks"], strict=True))
            rows, across = (int(n) for n in stored["shape"])
            return PickedMicrograph(
                picks=Picks(
                    subject=subject,
                    **columns,
                    dropped=dropped,
                    usable_fraction=float(stored["usable_fraction"]),
                    notes=tuple(json.loads(str(stored["notes"]))),
                ),
                shape=(rows, across),
                pixel_size_a=float(stored["pixel_size_a"]),
                agreement=tuple(Agreement(**a) for a in json.loads(str(stored["agreement"]))),
                thumbnail=stored["thumbnail"] if pictured else np.empty((0, 0), np.uint8),
            )


def fingerprint_of(
    subject: PickingMicrograph,
    parameters: PickingParameters,
    templates: Templates | None,
    pickers: Mapping[str, str],
) -> str:
    """Return a digest of the files, what is known of them, the parameters and the code.

    ``pickers`` names the pickers asked and a digest of what each brings along.
    """
    micrograph = subject.micrograph
    known = [micrograph.optics, micrograph.given_ctf, subject.optics]
    asked = {n: v for n, v in asdict(parameters).items() if n not in NOT_PICKING}
    content = [
        _state(micrograph.path),
        # A map may be copied beside the list of a batch: its content counts, not its time.
        subject.usable_area and hashlib.sha256(subject.usable_area.read_bytes()).hexdigest(),
        repr(known),
        asked,
        templates_digest(templates),
        dict(pickers),
        picking_code(),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def templates_digest(templates: Templates | None) -> str:
    """Return a digest of templates, empty where there are none."""
    if templates is None:
        return ""
    sha = hashlib.sha256(np.ascontiguousarray(templates.images).tobytes())
    sha.update(np.ascontiguousarray(templates.weights).tobytes())
    sha.update(repr((templates.images.shape, templates.pixel_size_a)).encode())
    return sha.hexdigest()


@cache
def picking_code() -> str:
    """Return a digest of the source that picks and keeps, so that a new version picks anew."""
    sha = hashlib.sha256(measuring_code().encode())
    for room in ("cryoverdict.engine.picking", "cryoverdict.engine.picking_run"):
        for entry in sorted(files(room).iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".py"):
                sha.update(entry.name.encode() + entry.read_bytes())
    return sha.hexdigest()


def _state(path: Path) -> list[int]:
    """Return size and time of change of a file."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
