"""A class average of a 2D classification, with what its run knows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.star import StarTable

FloatArray = NDArray[np.float32]
ClassFlavour = Literal["relion", "cryosparc", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAverage:
    """One class average; what the run does not say is ``None``.

    ``subject`` is ``000012@run_it025_classes.mrcs``, or the path of an image of its own.
    ``number`` is what the particles' list calls the class. ``pixels`` ``(y, x)`` as stored;
    ``has_counts`` is false for pictures, whose grey values were stretched one by one.
    ``half_correlation`` ``(rings,)`` is the Fourier ring correlation of the averages of two halves
    of the class, ring ``i`` at ``i`` / (box · pixel size).
    """

    subject: str
    number: int
    pixels: FloatArray = field(repr=False)
    pixel_size_a: float | None = None
    mask_diameter_a: float | None = None
    has_counts: bool = True
    members: int | None = None
    share: float | None = None
    resolution_a: float | None = None
    rotation_accuracy_deg: float | None = None
    shift_accuracy_a: float | None = None
    half_correlation: FloatArray | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """Which particle lies in which class, and how well; one entry a particle, in list order.

    ``number`` is the class as the list calls it. The others are ``None`` where the list lacks
    them: ``top`` the probability of the best place, ``log_likelihood`` the particle's share of the
    run's likelihood, ``offset_a`` ``(n, 2)`` the shift that centres it, ``defocus_a``, and
    ``micrograph`` the name of its micrograph.
    """

    names: tuple[str, ...]
    number: NDArray[np.int64]
    top: FloatArray | None = None
    log_likelihood: NDArray[np.float64] | None = None
    offset_a: FloatArray | None = None
    defocus_a: FloatArray | None = None
    micrograph: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSet:
    """All class averages of one run, its particles, and the tables as they were read.

    ``model`` and ``data`` are the blocks of RELION's STAR files, ``records`` and ``particles`` the
    records of cryoSPARC's; they are what a selection is written from. ``unreadable`` gives the
    reason for each image that could not be read.
    """

    flavour: ClassFlavour
    averages: tuple[ClassAverage, ...]
    assignments: Assignments | None = None
    source: Path | None = None
    model: dict[str, StarTable] = field(default_factory=dict)
    data: dict[str, StarTable] = field(default_factory=dict)
    records: NDArray[Any] | None = None
    particles: NDArray[Any] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[int, str]:
        """The subject of each class number."""
        return {a.number: a.subject for a in self.averages}
