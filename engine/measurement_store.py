"""Measurements kept on disk, one file a micrograph, so that a killed run measures nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.embedding import embedding_name
from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics

Pictures = dict[str, NDArray[np.generic]]
Embeddings = Mapping[str, NDArray[np.float32]]
EMBEDDING = "embedding:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Every answer for one micrograph, what was noticed on the way, and its pictures.

    ``optics`` are those it was measured with: from the list, the options, or the file's header.
    ``pictures`` are small arrays by name: ``thumbnail``, ``spectrum``, ``area`` (uint8) and the
    radial curves ``profile_*`` (float32). ``embeddings`` are vectors by the network's name.
    """

    answers: dict[str, Answer]
    optics: Optics
    notes: tuple[str, ...]
    pictures: Pictures
    embeddings: Embeddings = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementStore:
    """A folder with one ``.npz`` a micrograph, each under a fingerprint of what was measured."""

    folder: Path

    def path(self, subject: str) -> Path:
        """Return the file of one subject."""
        name = hashlib.sha256(subject.encode()).hexdigest()[:20]
        return self.folder / f"{name}.npz"

    def state(self, micrograph: Micrograph) -> Literal["missing", "changed", "current"]:
        """Say whether there is a measurement, and whether it is of the file as it is now."""
        try:
            with np.load(self.path(micrograph.subject), allow_pickle=False) as stored:
                same = str(stored["fingerprint"]) == fingerprint(micrograph)
        except FileNotFoundError:
            return "missing"
        except (OSError, ValueError, KeyError):
            return "changed"
        return "current" if same else "changed"

    def write(self, micrograph: Micrograph, measurement: Measurement) -> None:
        """Keep a measurement; a reader never meets half of one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.path(micrograph.subject)
        temporary = target.with_suffix(".part.npz")
        np.savez(
            temporary,
            allow_pickle=False,
            fingerprint=np.array(fingerprint(micrograph)),
            answers=np.array(json.dumps(_encode(measurement.answers), sort_keys=True)),
            optics=np.array(json.dumps(asdict(measurement.optics))),
            notes=np.array(json.dumps(measurement.notes)),
            **{EMBEDDING + name: vector for name, vector in measurement.embeddings.items()},
            **measurement.pictures,
        )
        temporary.replace(target)

    def read(self, subject: str, *, pictured: bool = True) -> Measurement:
        """Return what `write` kept for a subject, without its pictures where none are wanted."""
        with np.load(self.path(subject), allow_pickle=False) as stored:
            words = {name: json.loads(str(stored[name])) for name in ("answers", "optics", "notes")}
            seen = [n for n in stored.files if n.startswith(EMBEDDING)]
            drawn = [n for n in stored.files if n not in {*words, *seen, "fingerprint"}]
            embeddings = {name.removeprefix(EMBEDDING): stored[name] for name in seen}
            pictures = {name: stored[name] for name in drawn} if pictured else {}
        return Measurement(
            answers=_decode(words["answers"]),
            optics=Optics(**words["optics"]),
            notes=tuple(words["notes"]),
            pictures=pictures,
            embeddings=embeddings,
        )


def fingerprint(micrograph: Micrograph) -> str:
    """Return a digest of the file (size and time of change), what is known of it, and the code."""
    stat = micrograph.path.stat()
    known = [micrograph.optics, micrograph.given_ctf, micrograph.given_motion]
    text = json.dumps([stat.st_size, stat.st_mtime_ns, repr(known), measuring_code()])
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def measuring_code() -> str:
    """Return a digest of all that measures, so that a new version measures anew.

    That is the measuring room's own source, and the network of the embeddings.
    """
    sha = hashlib.sha256(str(embedding_name()).encode())
    for entry in sorted(files("cryoverdict.features").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py"):
            sha.update(entry.name.encode() + entry.read_bytes())
    return sha.hexdigest()


def _encode(answers: dict[str, Answer]) -> dict[str, list[float | str]]:
    """Turn answers into JSON-ready pairs of kind and content."""
    pairs: dict[str, list[float | str]] = {}
    for name, answer in answers.items():
        match answer:
            case Absent(reason):
                pairs[name] = ["absent", reason]
            case Given(value):
                pairs[name] = ["given", float(value)]
            case value:
                pairs[name] = ["measured", float(value)]
    return pairs


def _decode(pairs: dict[str, list[float | str]]) -> dict[str, Answer]:
    """Return what `_encode` took."""
    answers: dict[str, Answer] = {}
    for name, (kind, content) in pairs.items():
        match kind:
            case "absent":
                answers[name] = Absent(str(content))
            case "given":
                answers[name] = Given(float(content))
            case _:
                answers[name] = float(content)
    return answers
