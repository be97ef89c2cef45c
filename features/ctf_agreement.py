"""How well a CTF agrees with a spectrum, and up to which resolution."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf import Ctf
from cryoverdict.features.ctf_background import WhiteSpectrum, orthonormal, smooth_terms
from cryoverdict.features.ctf_refine import Refined
from cryoverdict.features.ctf_tables import FINEST_RING_CELLS

AGREEMENT = 0.5
"""Local correlation below which the rings count as lost (CTFFIND's criterion)."""

WINDOW_CELLS = 10.0
"""Narrowest window of the local correlation, in cells; it spans a ring where rings are wider."""

SCORED_TO = 1.0 / 5.0
"""Highest frequency (1/Å) that enters the score, as in RELION's call of CTFFIND."""

_SEEN_DEVIATIONS = 4.0
_LEAST_TROUGH = 0.1
_WIDEST_SHIFT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfProfile:
    """Curves over frequency for drawing; all ``(n,)`` with n ≤ 256.

    ``frequency_per_a`` 1/Å. ``power`` is averaged along the rings of the CTF (not along circles),
    ``background`` runs through its troughs, both in the unit of the spectrum; ``fit`` is CTF²
    (0 to 1) and ``agreement`` the local correlation of the two (−1 to 1).
    """

    frequency_per_a: NDArray[np.float32]
    power: NDArray[np.float32]
    background: NDArray[np.float32]
    fit: NDArray[np.float32]
    agreement: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Score, resolution limit (1/Å) and the curves behind them."""

    score: float
    limit: float
    profile: CtfProfile


def agree(white: WhiteSpectrum, ctf: Ctf, refined: Refined) -> Agreement:
    """Return how a CTF agrees with a spectrum whose background was settled by `refine`.

    The score is the correlation of all cells between the lowest frequency and 5 Å with the rings
    (Rohou & Grigorieff 2015, equation 8). The limit is where the local correlation of the profile
    along the rings falls below 0.5 and stays there for half a window; without rings it is the
    lowest frequency looked at.
    """
    polar = white.polar
    frequency = polar.frequency
    flat = white.rings - refined.smooth
    double = 2.0 * ctf.phase(frequency[None, :], polar.azimuth[:, None])
    turn = np.abs(np.gradient(2.0 * ctf.phase(frequency))) / (2.0 * pi)
    seen = turn < 1.0 / FINEST_RING_CELLS
    score = _score(white, -np.cos(double) * seen)
    along, cells = _along_rings(white, ctf, np.stack([flat, refined.smooth, refined.envelope]))
    rings, smooth, envelope = along
    wave = -np.cos(2.0 * ctf.phase(frequency)) * seen
    local, half = _local_correlation(rings, wave, cells, turn)
    limit = _limit(local, half, rings * wave * cells, wave**2 * cells, polar.deviation)
    # Astigmatism moves rings past either end of the range and leaves hardly a cell there.
    filled = np.flatnonzero(cells >= 0.5 * np.median(cells[: max(1, cells.size // 4)]))
    thin = filled[:: -(-filled.size // 256)]
    profile = CtfProfile(
        frequency_per_a=frequency[thin].astype(np.float32),
        power=(white.level * (1.0 + smooth + rings))[thin].astype(np.float32),
        background=(white.level * np.maximum(1.0 + smooth - envelope, _LEAST_TROUGH))[thin].astype(
            np.float32
        ),
        fit=(ctf.value(frequency) ** 2)[thin].astype(np.float32),
        agreement=local[thin].astype(np.float32),
    )
    return Agreement(
        score=score,
        limit=float(frequency[0] if limit is None else frequency[limit]),
        profile=profile,
    )


def _score(white: WhiteSpectrum, wave: NDArray[np.float64]) -> float:
    """Return the correlation coefficient of single cells with the rings ``wave``.

    Both without their smooth part, which rings and background could share.
    """
    polar = white.polar
    used = int(np.searchsorted(polar.frequency, max(SCORED_TO, float(polar.frequency[8]))))
    cells = polar.cells[:, :used]
    weight = np.sqrt(cells)
    terms = smooth_terms(polar.frequency[:used], white.basis[:used], polar.azimuth)
    smooth = orthonormal((terms * weight[:, :, None]).reshape(cells.size, -1))
    rings = (white.rings[:, :used] * weight).reshape(-1, 1)
    waves = (wave[:, :used] * weight).reshape(-1, 1)
    inside = smooth.T @ rings
    waves = waves - smooth @ (smooth.T @ waves)
    total = cells.sum(axis=0)
    mean = (cells * polar.power[:, :used]).sum(axis=0)
    level = white.level[:used]
    square = total * polar.square[:used] / level**2 - 2.0 * mean / level + total
    size = (float(square.sum()) - float(np.sum(inside**2))) * float(np.sum(waves**2))
    return float(np.sum(rings * waves) / np.sqrt(max(size, 1e-30)))


def _along_rings(
    white: WhiteSpectrum, ctf: Ctf, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means of ``values`` ``(n, sectors, rings)`` along the CTF's rings, and their cells.

    Each bin goes to the frequency at which the mean CTF has its phase, shared between the two
    nearest rings.
    """
    polar = white.polar
    frequency = polar.frequency
    rings = frequency.size
    mean = ctf.mean_defocus_a
    stretch = mean - ctf.wavelength_a**2 * ctf.cs_mm * 1e7 * frequency**2
    stretch = np.where(np.abs(stretch) < 1.0, 1.0, stretch)
    shift = (ctf.defocus_a(polar.azimuth) - mean)[:, None] / stretch[None, :]
    moved = frequency * np.sqrt(1.0 + np.clip(shift, -_WIDEST_SHIFT, _WIDEST_SHIFT))
    place = np.interp(moved, frequency, np.arange(rings), left=-1.0, right=rings + 1.0)
    low = np.floor(place).astype(np.int64)
    upper_share = place - low
    cells = np.zeros(rings)
    sums = np.zeros((values.shape[0], rings))
    for index, share in ((low, 1.0 - upper_share), (low + 1, upper_share)):
        inside = (index >= 0) & (index < rings)
        weight = (polar.cells * share)[inside]
        cells += np.bincount(index[inside], weight, minlength=rings)
        for total, value in zip(sums, values, strict=True):
            total += np.bincount(index[inside], weight * value[inside], minlength=rings)
    return sums / np.maximum(cells, 1e-9), cells


def _local_correlation(
    rings: NDArray[np.float64],
    wave: NDArray[np.float64],
    cells: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the correlation in a window of one ring around each frequency, and half its width."""
    count = rings.size
    half = np.clip(0.5 / np.maximum(turn, 1e-9), 0.5 * WINDOW_CELLS, count / 3.0)
    at = np.arange(count)
    first = np.clip(np.rint(at - half), 0, count).astype(np.int64)
    end = np.clip(np.rint(at + half) + 1, 0, count).astype(np.int64)

    def window(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[end] - total[first])

    size = window(cells * rings**2) * window(cells * wave**2)
    return window(cells * rings * wave) / np.sqrt(np.maximum(size, 1e-30)), half


def _limit(
    local: NDArray[np.float64],
    half: NDArray[np.float64],
    product: NDArray[np.float64],
    norm: NDArray[np.float64],
    deviation: float,
) -> int | None:
    """Return the last ring of the stretch of agreement that carries most evidence, or None."""
    stretches: list[tuple[int, int]] = []
    for i in np.flatnonzero(local >= AGREEMENT):
        if stretches and i - stretches[-1][1] <= max(0.5 * WINDOW_CELLS, half[stretches[-1][1]]):
            stretches[-1] = (stretches[-1][0], int(i))
        else:
            stretches.append((int(i), int(i)))
    best, limit = _SEEN_DEVIATIONS, None
    for first, last in stretches:
        part = slice(first, last + 1)
        evidence = product[part].sum() / (deviation * max(norm[part].sum(), 1e-30) ** 0.5)
        if evidence > best:
            best, limit = float(evidence), last
    return limit


def sampling_limit(ctf: Ctf, cell: float, high: float) -> float:
    """Return the frequency (1/Å) up to which rings are wider than cells of ``cell`` 1/Å."""
    steps = np.arange(cell, high, cell)
    turn = np.abs(np.gradient(2.0 * ctf.phase(steps))) / (2.0 * pi)
    fine = np.flatnonzero(turn >= 1.0 / FINEST_RING_CELLS)
    return float(steps[fine[0]]) if fine.size else high
