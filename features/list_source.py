"""What one list says of its micrographs, before any of their files is looked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cryoverdict.features.micrograph import GivenCtf, GivenMotion
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable


class Flavour(Enum):
    """The kinds of list that micrographs come in."""

    FILES = "image files"
    RELION_FLAT = "RELION STAR without optics groups (3.0 and before)"
    RELION_OPTICS = "RELION STAR with optics groups (3.1 and later)"
    CRYOSPARC = "cryoSPARC exposures"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMicrograph:
    """One line of a list: the file's name as it stands there and what the list knows of it.

    ``path`` is where the file lies, in lists that say it (``name`` then stays as the first list
    had it). ``place`` says in words where its optics stand, for messages; ``group`` is its optics
    group, ``power_spectrum`` the name of a stored power spectrum, ``uid`` cryoSPARC's number.
    """

    name: str
    path: str | None = None
    place: str = ""
    optics: Optics = field(default_factory=Optics)
    given_ctf: GivenCtf | None = None
    given_motion: GivenMotion | None = None
    power_spectrum: str | None = None
    group: str | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """One list with its lines and, so that it can be written again, its tables as they were.

    ``path`` is ``None`` for image files given without a list. ``optics`` and ``table`` are the
    blocks of a STAR file, ``exposures`` the records of a cryoSPARC file; their rows are in the
    order of ``entries``.
    """

    flavour: Flavour
    entries: tuple[ListedMicrograph, ...]
    path: Path | None = None
    optics: StarTable | None = None
    table: StarTable | None = None
    exposures: NDArray[Any] | None = None
