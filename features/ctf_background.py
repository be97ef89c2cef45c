"""The smooth background under the Thon rings, and the spectrum made white by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_polar import PolarSpectrum

KNOT_SPACING = 0.07
"""Distance of the background's spline knots in 1/Å, wider than the rings of a usual defocus."""

RISE_WIDTH = 0.01
"""Decay (1/Å) of the steep rise towards low frequencies that a coarse spline cannot follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteSpectrum:
    """Polar power relative to its background, minus one: Thon rings around zero.

    ``rings`` is ``(sectors, rings)``; ``error`` its standard error of the same shape (infinite
    where a bin holds no cell); ``level`` ``(rings,)`` the background; ``basis`` ``(rings, terms)``
    the smooth functions that a fit must leave to the background.
    """

    polar: PolarSpectrum
    rings: NDArray[np.float64]
    error: NDArray[np.float64]
    level: NDArray[np.float64]
    basis: NDArray[np.float64]


def cubic_splines(x: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return ``count`` ≥ 4 uniform cubic B-splines over rising ``x``: ``(x, count)``."""
    span = x[-1] - x[0]
    place = (x - x[0]) / span * (count - 3)
    t = np.abs(place[:, None] - (np.arange(count)[None, :] - 1.0))
    inner = (4.0 - 6.0 * t**2 + 3.0 * t**3) / 6.0
    outer = (2.0 - t) ** 3 / 6.0
    return np.asarray(np.where(t < 1.0, inner, np.where(t < 2.0, outer, 0.0)))


def hats(x: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return ``count`` ≥ 2 uniform piecewise linear functions over the range of rising ``x``."""
    place = (x - x[0]) / (x[-1] - x[0]) * (count - 1)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(count)[None, :])))


def background_basis(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smooth functions of frequency (1/Å) that make up the log background."""
    span = float(frequency[-1] - frequency[0])
    count = 4 + max(0, round(span / KNOT_SPACING) - 1)
    steep = np.exp(-(frequency - frequency[0]) / RISE_WIDTH)
    return np.concatenate(
        [cubic_splines(frequency, count), steep[:, None], np.log(frequency)[:, None]], axis=1
    )


def whiten(polar: PolarSpectrum) -> WhiteSpectrum:
    """Divide a polar spectrum by its smooth background.

    The logarithm of the ring means is fitted by least squares with a coarse spline, so that the
    oscillation of the rings averages out (Rohou & Grigorieff 2015 use a running mean for this).
    """
    cells = polar.cells.sum(axis=0)
    mean = (polar.power * polar.cells).sum(axis=0) / np.maximum(cells, 1.0)
    tiny = float(mean.max(initial=0.0)) * 1e-12 + 1e-100
    log = np.log(np.maximum(mean, tiny))
    basis = background_basis(polar.frequency)
    weight = np.sqrt(cells)
    terms = np.linalg.lstsq(basis * weight[:, None], log * weight, rcond=1e-9)[0]
    # A spectrum of empty cells and spikes is no curve; the fit must not leave its range.
    level = np.exp(np.clip(basis @ terms, log.min() - 1.0, log.max() + 1.0))
    error = np.where(
        polar.cells > 0.0, polar.deviation / np.sqrt(np.maximum(polar.cells, 1.0)), np.inf
    )
    return WhiteSpectrum(
        polar=polar, rings=polar.power / level - 1.0, error=error, level=level, basis=basis
    )


def smooth_terms(
    frequency: NDArray[np.float64], basis: NDArray[np.float64], azimuth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the terms of the background in two dimensions, ``(sectors, rings, terms)``.

    Those of ``basis`` ``(rings, n)`` are the same in all directions; slow ones have two-fold
    (drift, edges) or four-fold (detector) symmetry.
    """
    place = (frequency - frequency[0]) / (frequency[-1] - frequency[0])
    slow = np.stack([np.ones_like(place), place, place**2], axis=1)
    turns = np.stack([f(k * azimuth) for k in (2.0, 4.0) for f in (np.cos, np.sin)], axis=1)
    directed = turns[:, None, :, None] * slow[None, :, None, :]
    even = np.broadcast_to(basis, (azimuth.size, *basis.shape))
    return np.concatenate([even, directed.reshape(azimuth.size, place.size, -1)], axis=2)


def orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the space of ``columns``, nearly dependent ones left out."""
    columns = columns / np.maximum(np.sqrt(np.sum(columns**2, axis=0)), 1e-30)
    size, turn = np.linalg.eigh(columns.T @ columns)
    kept = size > 1e-10 * size[-1]
    return np.asarray(columns @ (turn[:, kept] / np.sqrt(size[kept])))
