"""Inner products of a spectrum with the rings of every defocus, from which a search adds up."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_background import WhiteSpectrum
from cryoverdict.features.ctf_polar import SECTORS
from cryoverdict.features.optics import electron_wavelength_a

MODEL_ERROR = 0.02
"""Standard error of the model itself, relative to the background: keeps a few strong rings at low
frequency, where particles and background are least known, from outvoting all others."""

FINEST_RING_CELLS = 2.4
"""Rings narrower than this many cells of the spectrum alias and are not looked at."""

GROUPS = 12
_LARGEST_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class RingTables:
    """Inner products with rings of either quadrature, the background taken out of both.

    ``cosine``, ``sine`` ``(groups, defoci, bands)`` are the spectrum's with −cos 2χ and sin 2χ, in
    12 groups of sectors; ``cc``, ``cs``, ``ss`` ``(defoci, bands)`` those of the quadratures among
    themselves; ``square`` ``(bands,)`` that of the spectrum with itself, of ``bins`` numbers.
    """

    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    cc: NDArray[np.float64]
    cs: NDArray[np.float64]
    ss: NDArray[np.float64]
    square: NDArray[np.float64]
    bins: NDArray[np.float64]

    def at(self, phase: float) -> PhaseTables:
        """Return the tables for rings with a phase shift (radians)."""
        c, s = np.cos(2.0 * phase), np.sin(2.0 * phase)
        product, norm = self.cosine, self.cc
        if s != 0.0:
            product = c * self.cosine + s * self.sine
            norm = c * c * self.cc + 2.0 * c * s * self.cs + s * s * self.ss
        turn = 2.0 * group_azimuth()[:, None, None]
        stacked = np.concatenate([product, product * np.cos(turn), product * np.sin(turn)], axis=2)
        return PhaseTables(
            stacked.astype(np.float32),
            norm.astype(np.float32),
            self.square.astype(np.float32),
            np.minimum(self.bins, self.square).astype(np.float32),
        )


@dataclass(frozen=True, slots=True)
class PhaseTables:
    """The tables at one phase shift.

    ``product`` ``(groups, defoci, 3 · bands)`` holds the inner products, then these times cos 2θ,
    then times sin 2θ; ``count`` ``(bands,)`` how many independent numbers a band holds.
    """

    product: NDArray[np.float32]
    norm: NDArray[np.float32]
    square: NDArray[np.float32]
    count: NDArray[np.float32]

    def gain(self, shifts: NDArray[np.int64], middle: slice) -> NDArray[np.float32]:
        """Return the log-likelihood gain of the defoci in ``middle``, groups shifted in defocus.

        The amplitude in a band is e₀ + e₁ cos 2(θ − α), 0 ≤ e₁ ≤ e₀: drift takes the rings away in
        one direction. The noise of a band is what the rings leave unexplained, so that a band full
        of something else says little. Rings of the wrong sign count against a defocus.
        """
        total = np.zeros((middle.stop - middle.start, self.product.shape[2]), dtype=np.float32)
        norms = np.zeros((total.shape[0], self.norm.shape[1]), dtype=np.float32)
        for group, shift in enumerate(shifts):
            part = slice(middle.start + shift, middle.stop + shift)
            total += self.product[group, part]
            norms += self.norm[part]
        norms = np.maximum(norms, 0.02 * norms.max(axis=0, initial=0.0) + 1e-12)
        even, x, y = np.split(total, 3, axis=1)
        directed = np.hypot(x, y)
        amplitude = even / norms
        excess = np.minimum(2.0 * directed / norms, np.maximum(amplitude, 0.0))
        explained = even * np.abs(amplitude) + excess * (2.0 * directed - 0.5 * excess * norms)
        share = explained / np.maximum(self.square, 1e-30)
        loss = np.log1p(-np.minimum(np.abs(share), _LARGEST_SHARE))
        return np.asarray(-0.5 * (np.sign(share) * loss) @ self.count)


def group_azimuth() -> NDArray[np.float64]:
    """Return the middle of each group of sectors, in radians."""
    return (np.arange(GROUPS, dtype=np.float64) + 0.5) * (pi / GROUPS)


def finest_visible(wavelength_a: float, defocus_a: float, cell: float) -> float:
    """Return the frequency (1/Å) at which the rings of a defocus become too fine for the cells."""
    return 1.0 / (2.0 * FINEST_RING_CELLS * wavelength_a * defocus_a * cell)


def tabulate_rings(
    white: WhiteSpectrum,
    defoci_a: NDArray[np.float64],
    *,
    rings: int,
    bands: int,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    quadrature: bool,
) -> RingTables:
    """Return the tables of a spectrum for all defoci, of its first ``rings`` rings in ``bands``."""
    wavelength = electron_wavelength_a(voltage_kv)
    squared = white.polar.frequency[:rings] ** 2
    spherical = 0.5 * wavelength**2 * cs_mm * 1e7
    defocus = defoci_a[:, None] - spherical * squared
    double_phase = 2.0 * (pi * wavelength * squared * defocus + asin(amplitude_contrast))
    cells = white.polar.cells[:, :rings].reshape(GROUPS, SECTORS // GROUPS, rings)
    total = np.maximum(cells.sum(axis=1), 1.0)
    data = (white.rings[:, :rings].reshape(cells.shape) * cells).sum(axis=1) / total
    weight = np.sqrt(1.0 / (white.polar.deviation**2 / total.mean(axis=0) + MODEL_ERROR**2))
    smooth = np.linalg.qr(white.basis[:rings] * weight[:, None])[0]
    data = data * weight
    data -= (data @ smooth) @ smooth.T
    # Rings narrower than the cells are washed out; those near the limit would alias.
    turn = np.abs(np.gradient(double_phase, axis=1)) / (2.0 * pi)
    seen = weight * np.sinc(turn) * (turn < 1.0 / FINEST_RING_CELLS)
    waves = [-np.cos(double_phase) * seen]
    if quadrature:
        waves.append(np.sin(double_phase) * seen)
    edges = np.linspace(0, rings, bands + 1).astype(int)
    products = np.zeros((2, GROUPS, defoci_a.size, bands))
    norms = np.zeros((2, 2, defoci_a.size, bands))
    for j in range(bands):
        part = slice(edges[j], edges[j + 1])
        cut = [np.ascontiguousarray(wave[:, part]) for wave in waves]
        blurred = [wave @ smooth[part] for wave in cut]
        for a, wave in enumerate(cut):
            products[a, :, :, j] = data[:, part] @ wave.T
            for b in range(a + 1):
                norms[a, b, :, j] = np.einsum("ij,ij->i", wave, cut[b])
                norms[a, b, :, j] -= np.einsum("ij,ij->i", blurred[a], blurred[b])
    square = np.add.reduceat((data**2).sum(axis=0), edges[:-1])
    bins = GROUPS * np.diff(edges).astype(np.float64)
    cosine, sine = products
    return RingTables(cosine, sine, norms[0, 0], norms[1, 0], norms[1, 1], square, bins)
