"""The subject of the first decision: one motion-corrected micrograph."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryoverdict.features.optics import Optics


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCtf:
    """A CTF that came with the list, of another program's fit; defocus positive for underfocus."""

    defocus_u_a: float
    defocus_v_a: float
    defocus_angle_deg: float
    phase_shift_deg: float | None = None
    fit_score: float | None = None
    resolution_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenMotion:
    """Accumulated beam-induced motion that came with the list, in Å."""

    total_a: float | None = None
    early_a: float | None = None
    late_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Micrograph:
    """One micrograph as it was given; what is unknown is ``None``.

    ``subject`` is the name under which decisions speak of it (the path as given, or the name in
    the list); ``path`` is where the file is; ``row`` is its row in the list it came from.
    """

    subject: str
    path: Path
    optics: Optics = field(default_factory=Optics)
    given_ctf: GivenCtf | None = None
    given_motion: GivenMotion | None = None
    power_spectrum: Path | None = None
    row: int | None = None
