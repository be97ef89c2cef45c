"""The search for the defocus: which rings could these be?"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, log, pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_background import WhiteSpectrum
from cryoverdict.features.ctf_polar import SECTORS
from cryoverdict.features.optics import electron_wavelength_a

SEARCHED_A = (2_000.0, 90_000.0)
"""Smallest and largest mean underfocus searched, in Å."""

LARGEST_ASTIGMATISM_A = 2_000.0
LARGEST_ASTIGMATISM_RATIO = 0.5
EXPECTED_ASTIGMATISM_A = 250.0
"""Width of the prior on the astigmatism, in Å: Student's t with 2 degrees of freedom and two
components, so that a large astigmatism costs little more than a fair one."""

MODEL_ERROR = 0.02
"""Standard error of the model itself, relative to the background: keeps a few strong rings at low
frequency, where particles and background are least known, from outvoting all others."""

BANDS = 8
_GROUPS = 12
_PHASE_STEP = pi / 12.0
FINEST_RING_CELLS = 2.4


def prior_cost(astigmatism_a: float) -> float:
    """Return the negative logarithm of the prior of an astigmatism (Å), 0 at none.

    >>> [round(prior_cost(a), 1) for a in (0.0, 300.0, 1500.0)]
    [0.0, 0.7, 5.9]
    """
    return 2.0 * log(1.0 + 0.25 * (astigmatism_a / EXPECTED_ASTIGMATISM_A) ** 2)


def prior_stiffness(astigmatism_a: float) -> float:
    """Return the slope of `prior_cost` divided by the astigmatism, in 1/Å²."""
    return 1.0 / (EXPECTED_ASTIGMATISM_A**2 + 0.25 * astigmatism_a**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible CTF: mean defocus and astigmatism vector (Å), phase shift (radians), score.

    The score is the gain in log-likelihood over no rings at all.
    """

    mean_a: float
    vector_a: tuple[float, float]
    phase_shift: float
    score: float


@dataclass(frozen=True, slots=True)
class _Tables:
    """Inner products of the spectrum with the rings of every defocus.

    ``cosine``, ``sine`` ``(groups, defoci, bands)`` with the two quadratures of the rings;
    ``cc``, ``cs``, ``ss`` ``(defoci, bands)`` those of the quadratures among themselves.
    """

    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    cc: NDArray[np.float64]
    cs: NDArray[np.float64]
    ss: NDArray[np.float64]

    def at(self, phase: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return products and norms for rings shifted by a phase (radians) of the aberration."""
        c, s = np.cos(2.0 * phase), np.sin(2.0 * phase)
        norm = c * c * self.cc + 2.0 * c * s * self.cs + s * s * self.ss
        if s == 0.0:
            return c * self.cosine, norm
        return c * self.cosine + s * self.sine, norm


def search_defocus(
    white: WhiteSpectrum,
    *,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    high: float,
    phase_plate: bool = False,
    best: int = 4,
) -> tuple[Candidate, ...]:
    """Return the best distinct candidates, best first, from rings up to frequency ``high`` (1/Å).

    Every defocus on a grid fine enough for the highest frequency is compared with the spectrum in
    12 sectors and 8 bands of frequency. In each band the rings may have an amplitude of their own,
    so that no envelope has to be assumed; rings of the wrong sign count against the candidate.
    The sectors are then shifted against each other by every astigmatism on a grid.
    """
    rings = int(np.searchsorted(white.polar.frequency, high, side="right"))
    wavelength = electron_wavelength_a(voltage_kv)
    squared = white.polar.frequency[:rings] ** 2
    step = 0.8 / (2.0 * pi * wavelength * float(squared[-1]))
    margin = int(np.ceil(0.5 * LARGEST_ASTIGMATISM_A / step))
    count = int((SEARCHED_A[1] - SEARCHED_A[0]) / step) + 1
    defoci = SEARCHED_A[0] + step * np.arange(-margin, count + margin)
    spherical = 0.5 * wavelength**2 * cs_mm * 1e7
    double_phase = 2.0 * (
        pi * wavelength * squared * (defoci[:, None] - spherical * squared)
        + asin(amplitude_contrast)
    )
    tables = _tabulate(white, rings, double_phase, quadrature=phase_plate)
    vectors = _vectors(step)
    middle = slice(margin, margin + count)
    inner = defoci[middle]
    phases = np.arange(0.0, pi - 1e-9, _PHASE_STEP) if phase_plate else np.zeros(1)
    azimuth = (np.arange(_GROUPS) + 0.5) * (pi / _GROUPS)
    score = np.full((phases.size, count), -np.inf)
    which = np.zeros((phases.size, count), dtype=np.int64)
    for i, phase in enumerate(phases):
        product, norm = tables.at(float(phase))
        stacked = np.concatenate(
            [
                product,
                product * np.cos(2.0 * azimuth)[:, None, None],
                product * np.sin(2.0 * azimuth)[:, None, None],
            ],
            axis=2,
        ).astype(np.float32)
        norm = norm.astype(np.float32)
        for j, (x, y) in enumerate(vectors):
            shifts = np.rint(
                0.5 * (x * np.cos(2.0 * azimuth) + y * np.sin(2.0 * azimuth)) / step
            ).astype(int)
            gain = _gain(stacked, norm, shifts, middle)
            gain -= prior_cost(float(np.hypot(x, y)))
            gain[np.hypot(x, y) > LARGEST_ASTIGMATISM_RATIO * inner] = -np.inf
            better = gain > score[i]
            score[i][better] = gain[better]
            which[i][better] = j
    return _distinct(score, which, inner, vectors, phases, best)


def _tabulate(
    white: WhiteSpectrum, rings: int, double_phase: NDArray[np.float64], *, quadrature: bool
) -> _Tables:
    """Return the inner products with rings −cos 2χ and sin 2χ, the background taken out."""
    cells = white.polar.cells[:, :rings].reshape(_GROUPS, SECTORS // _GROUPS, rings)
    total = np.maximum(cells.sum(axis=1), 1.0)
    data = (
        white.rings[:, :rings].reshape(cells.shape) * cells
    ).sum(axis=1) / total
    weight = np.sqrt(1.0 / (white.polar.deviation**2 / total.mean(axis=0) + MODEL_ERROR**2))
    smooth = np.linalg.qr(white.basis[:rings] * weight[:, None])[0]
    data = data * weight
    data -= (data @ smooth) @ smooth.T
    # Rings narrower than the cells are washed out; those near the limit would alias.
    turn = np.abs(np.gradient(double_phase, axis=1)) / (2.0 * pi)
    seen = weight * np.sinc(turn) * (turn < 1.0 / FINEST_RING_CELLS)
    cosine = -np.cos(double_phase) * seen
    sine = np.sin(double_phase) * seen if quadrature else np.zeros((1, 1))
    edges = np.linspace(0, rings, BANDS + 1).astype(int)
    defoci = double_phase.shape[0]
    cd, sd = np.zeros((_GROUPS, defoci, BANDS)), np.zeros((_GROUPS, defoci, BANDS))
    cc, cs, ss = np.zeros((3, defoci, BANDS))
    for j, (first, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        part = slice(first, end)
        c = cosine[:, part]
        c_smooth = c @ smooth[part]
        cd[:, :, j] = data[:, part] @ c.T
        cc[:, j] = np.einsum("ij,ij->i", c, c) - np.einsum("ij,ij->i", c_smooth, c_smooth)
        if quadrature:
            s = sine[:, part]
            s_smooth = s @ smooth[part]
            sd[:, :, j] = data[:, part] @ s.T
            ss[:, j] = np.einsum("ij,ij->i", s, s) - np.einsum("ij,ij->i", s_smooth, s_smooth)
            cs[:, j] = np.einsum("ij,ij->i", c, s) - np.einsum("ij,ij->i", c_smooth, s_smooth)
    return _Tables(cd, sd, cc, cs, ss)


def _vectors(step: float) -> NDArray[np.float64]:
    """Return a hexagonal grid of astigmatism vectors (Å), ``(n, 2)``, the null vector first."""
    spacing = max(300.0, 3.0 * step)
    reach = int(LARGEST_ASTIGMATISM_A / spacing) + 1
    i, j = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-2 * reach, 2 * reach + 1))
    grid = np.stack([(i + 0.5 * (j % 2)).ravel(), (j * np.sqrt(0.75)).ravel()], axis=1) * spacing
    length = np.hypot(grid[:, 0], grid[:, 1])
    grid, length = grid[length <= LARGEST_ASTIGMATISM_A], length[length <= LARGEST_ASTIGMATISM_A]
    return grid[np.argsort(length, kind="stable")]


def _gain(
    product: NDArray[np.float64], norm: NDArray[np.float64], shifts: NDArray[np.int64], middle: slice
) -> NDArray[np.float64]:
    """Return the log-likelihood gain of every defocus for one astigmatism (as sector shifts).

    The amplitude in a band is e₀ + e₁ cos 2(θ − α), 0 ≤ e₁ ≤ e₀: drift takes the rings away in one
    direction.
    """
    total = np.zeros((middle.stop - middle.start, product.shape[2]), dtype=np.float32)
    norms = np.zeros((total.shape[0], norm.shape[1]), dtype=np.float32)
    for group, shift in enumerate(shifts):
        part = slice(middle.start + shift, middle.stop + shift)
        total += product[group, part]
        norms += norm[part]
    norms = np.maximum(norms, 0.02 * norms.max(axis=0, initial=0.0) + 1e-12)
    even, x, y = np.split(total, 3, axis=1)
    directed = np.hypot(x, y)
    mean = np.maximum(even / norms, 0.0)
    excess = np.minimum(2.0 * directed / norms, mean)
    gain = 0.5 * even * np.abs(even) / norms + excess * (directed - 0.25 * excess * norms)
    return np.asarray(gain.sum(axis=1))


def _distinct(
    score: NDArray[np.float64],
    which: NDArray[np.int64],
    defoci: NDArray[np.float64],
    vectors: NDArray[np.float64],
    phases: NDArray[np.float64],
    best: int,
) -> tuple[Candidate, ...]:
    """Return the highest local maxima that lie apart by more than 4 % and 400 Å of defocus."""
    left = score.copy()
    found = []
    for _ in range(best):
        i, k = np.unravel_index(int(np.argmax(left)), left.shape)
        if not np.isfinite(left[i, k]):
            break
        x, y = vectors[which[i, k]]
        found.append(
            Candidate(
                mean_a=float(defoci[k]),
                vector_a=(float(x), float(y)),
                phase_shift=float(phases[i]),
                score=float(left[i, k]),
            )
        )
        near = np.abs(defoci - defoci[k]) <= max(400.0, 0.04 * float(defoci[k]))
        left[:, near] = -np.inf
    return tuple(found)
