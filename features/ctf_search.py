"""The search for the defocus whose rings a spectrum could show."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_background import WhiteSpectrum
from cryoverdict.features.ctf_tables import (
    PhaseTables,
    finest_visible,
    group_azimuth,
    tabulate_rings,
)
from cryoverdict.features.optics import electron_wavelength_a


@dataclass(frozen=True, slots=True)
class _Range:
    """A range of mean defocus (Å), the highest frequency (1/Å) and the bands to search it in."""

    low_a: float
    high_a: float
    frequency: float
    bands: int


# Near focus a band holds less than a ring: only wide bands tell it from background. Far from it
# there are rings at low frequency only, which a coarser grid of defoci will do for.
RANGES = (
    _Range(-3_000.0, 4_000.0, 1.0 / 3.0, 2),
    _Range(2_000.0, 60_000.0, 1.0 / 4.0, 8),
    _Range(60_000.0, 180_000.0, 1.0 / 4.0, 8),
)

LARGEST_ASTIGMATISM_A = 2_000.0
LARGEST_ASTIGMATISM_RATIO = 0.5
_ALWAYS_ASTIGMATISM_A = 600.0

EXPECTED_ASTIGMATISM_A = 250.0
"""Width of the prior on the astigmatism, in Å: Student's t with 2 degrees of freedom and two
components, so that a large astigmatism costs little more than a fair one."""

_PHASES = np.arange(12, dtype=np.float64) * (pi / 12.0)
_PHASES_KEPT = 3
_NEAR_VECTORS = 7
_LEAST_RINGS = 16
_LEAST_DEFOCI = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible CTF: mean defocus and astigmatism vector (Å), phase shift (radians), score.

    The score is the gain in log-likelihood over no rings at all, less the prior's cost.
    """

    mean_a: float
    vector_a: tuple[float, float]
    phase_shift: float
    score: float


def prior_cost(astigmatism_a: float) -> float:
    """Return the negative logarithm of the prior of an astigmatism (Å), 0 at none.

    >>> [round(prior_cost(a), 1) for a in (0.0, 300.0, 1500.0)]
    [0.0, 0.6, 4.6]
    """
    return 2.0 * log(1.0 + 0.25 * (astigmatism_a / EXPECTED_ASTIGMATISM_A) ** 2)


def prior_stiffness(astigmatism_a: float) -> float:
    """Return the slope of `prior_cost` divided by the astigmatism, in 1/Å²."""
    return 1.0 / (EXPECTED_ASTIGMATISM_A**2 + 0.25 * astigmatism_a**2)


def search_defocus(
    white: WhiteSpectrum,
    *,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    phase_plate: bool = False,
    best: int = 4,
) -> tuple[Candidate, ...]:
    """Return the best distinct candidates, best first.

    Every defocus on a grid fine enough for the highest frequency is compared with the spectrum in
    12 sectors and bands of frequency. In each band the rings may have an amplitude of their own,
    so that no envelope has to be assumed. The sectors are then shifted against each other by every
    astigmatism on a grid. With a phase plate, 12 phase shifts are tried with little astigmatism
    and the best three with all. Nothing is returned where the spectrum has too few cells for any.
    """
    frequency = white.polar.frequency
    wavelength = electron_wavelength_a(voltage_kv)
    cell = float(frequency[-1] - frequency[0]) / (frequency.size - 1)
    found: list[Candidate] = []
    for part in RANGES:
        limit = min(part.frequency, finest_visible(wavelength, abs(part.low_a), cell))
        rings = int(np.searchsorted(frequency, limit, side="right"))
        if rings < min(_LEAST_RINGS, frequency.size):
            continue
        step = 0.8 / (2.0 * pi * wavelength * float(frequency[rings - 1]) ** 2)
        step = min(step, (part.high_a - part.low_a) / _LEAST_DEFOCI)
        margin = int(np.ceil(0.5 * LARGEST_ASTIGMATISM_A / step)) + 1
        count = int((part.high_a - part.low_a) / step) + 1
        defoci = part.low_a + step * np.arange(-margin, count + margin, dtype=np.float64)
        tables = tabulate_rings(
            white,
            defoci,
            rings=rings,
            bands=part.bands,
            voltage_kv=voltage_kv,
            cs_mm=cs_mm,
            amplitude_contrast=amplitude_contrast,
            quadrature=phase_plate,
        )
        middle = slice(margin, margin + count)
        vectors = _vectors(step)
        phases = _PHASES[:1]
        if phase_plate:
            near = vectors[:_NEAR_VECTORS]
            tops = [_search(tables.at(p), defoci, middle, near, p, 1)[0].score for p in _PHASES]
            phases = _PHASES[np.sort(np.argsort(tops)[::-1][:_PHASES_KEPT])]
        for phase in phases:
            found += _search(tables.at(phase), defoci, middle, vectors, phase, best)
    return _distinct(found, best)


def _search(
    tables: PhaseTables,
    defoci: NDArray[np.float64],
    middle: slice,
    vectors: NDArray[np.float64],
    phase: float,
    best: int,
) -> list[Candidate]:
    """Return the best candidates of one phase shift, over all astigmatism ``vectors`` (Å)."""
    inner = defoci[middle]
    turn = 2.0 * group_azimuth()
    score = np.full(inner.size, -np.inf)
    which = np.zeros(inner.size, dtype=np.int64)
    step = inner[1] - inner[0]
    for j, (x, y) in enumerate(vectors):
        length = float(np.hypot(x, y))
        allowed = length <= np.maximum(_ALWAYS_ASTIGMATISM_A, LARGEST_ASTIGMATISM_RATIO * inner)
        shifts = np.rint(0.5 * (x * np.cos(turn) + y * np.sin(turn)) / step).astype(np.int64)
        gain = tables.gain(shifts, middle) - prior_cost(length)
        better = allowed & (gain > score)
        score[better] = gain[better]
        which[better] = j
    found = []
    for _ in range(best):
        k = int(np.argmax(score))
        if not np.isfinite(score[k]):
            break
        x, y = vectors[which[k]]
        found.append(
            Candidate(
                mean_a=float(inner[k]),
                vector_a=(float(x), float(y)),
                phase_shift=float(phase),
                score=float(score[k]),
            )
        )
        score[np.abs(inner - inner[k]) <= _apart_a(float(inner[k]))] = -np.inf
    return found


def _apart_a(defocus_a: float) -> float:
    """Return how far (Å) another candidate must lie from a defocus to be a different one."""
    return max(400.0, 0.04 * defocus_a)


def _distinct(found: list[Candidate], best: int) -> tuple[Candidate, ...]:
    """Return the best candidates that lie apart in defocus, best first."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda c: -c.score):
        if all(abs(one.mean_a - other.mean_a) > _apart_a(other.mean_a) for other in kept):
            kept.append(one)
    return tuple(kept[:best])


def _vectors(step: float) -> NDArray[np.float64]:
    """Return a hexagonal grid of astigmatism vectors (Å), ``(n, 2)``, the null vector first."""
    spacing = max(300.0, 3.0 * step)
    reach = int(LARGEST_ASTIGMATISM_A / spacing) + 1
    i, j = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-2 * reach, 2 * reach + 1))
    grid = np.stack([(i + 0.5 * (j % 2)).ravel(), (j * np.sqrt(0.75)).ravel()], axis=1) * spacing
    length = np.hypot(grid[:, 0], grid[:, 1])
    near = length <= LARGEST_ASTIGMATISM_A
    return np.asarray(grid[near][np.argsort(length[near], kind="stable")])
