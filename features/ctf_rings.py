"""The model of Thon rings on a smooth background, weighed against a spectrum's sectors."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_background import WhiteSpectrum, hats, orthonormal, smooth_terms
from cryoverdict.features.ctf_polar import SECTORS
from cryoverdict.features.ctf_tables import MODEL_ERROR
from cryoverdict.features.optics import electron_wavelength_a

ENVELOPE_SPACING = 0.03
"""Distance of the nodes of the ring envelope, in 1/Å."""

FREQUENCY_BLOCKS = 12
_EMPTY_ERROR = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class RingModel:
    """What of the model of a spectrum does not depend on the CTF.

    The relative power in a bin is smooth(s, θ) − E(s, θ)·cos 2χ(s, θ), for CTF² = (1 − cos 2χ)/2:
    linear in the background and in the envelope E ≥ 0, which may fade in one direction.
    ``squared`` s², ``rate`` the change of 2χ with defocus and ``fixed`` the rest of it are
    ``(rings,)``; ``cos2``, ``sin2`` of twice the azimuth ``(sectors, 1)``; ``nodes``
    ``(rings, n)`` the envelope's functions; ``smooth`` ``(sectors · rings, terms)`` the
    background's. ``blocks`` are the first rings of 12 bands of frequency, ``bins`` the number of
    filled bins in each.
    """

    white: WhiteSpectrum
    squared: NDArray[np.float64]
    rate: NDArray[np.float64]
    fixed: NDArray[np.float64]
    cos2: NDArray[np.float64]
    sin2: NDArray[np.float64]
    nodes: NDArray[np.float64]
    smooth: NDArray[np.float64]
    blocks: NDArray[np.int64]
    bins: NDArray[np.float64]

    @classmethod
    def of(
        cls, white: WhiteSpectrum, *, voltage_kv: float, cs_mm: float, amplitude_contrast: float
    ) -> RingModel:
        """Return the model of a spectrum under known optics."""
        polar = white.polar
        s = polar.frequency
        wavelength = electron_wavelength_a(voltage_kv)
        rate = 2.0 * pi * wavelength * s**2
        spherical = -0.5 * rate * wavelength**2 * cs_mm * 1e7 * s**2
        blocks = np.arange(FREQUENCY_BLOCKS) * s.size // FREQUENCY_BLOCKS
        filled = np.count_nonzero(polar.cells, axis=0).astype(np.float64)
        terms = smooth_terms(s, white.basis, polar.azimuth)
        return cls(
            white=white,
            squared=s**2,
            rate=rate,
            fixed=spherical + 2.0 * asin(amplitude_contrast),
            cos2=np.cos(2.0 * polar.azimuth)[:, None],
            sin2=np.sin(2.0 * polar.azimuth)[:, None],
            nodes=hats(s, max(4, round(float(s[-1] - s[0]) / ENVELOPE_SPACING) + 1)),
            smooth=terms.reshape(SECTORS * s.size, -1),
            blocks=blocks,
            bins=np.maximum(np.add.reduceat(filled, blocks), 1.0),
        )

    def double_phase(
        self, mean_a: float, vector_a: tuple[float, float], phase_shift: float
    ) -> NDArray[np.float64]:
        """Return 2χ ``(sectors, rings)``."""
        defocus = mean_a + 0.5 * (vector_a[0] * self.cos2 + vector_a[1] * self.sin2)
        return np.asarray(self.rate * defocus + self.fixed + 2.0 * phase_shift)

    def fading(self, x: float, y: float) -> NDArray[np.float64]:
        """Return exp(−s² (q + x cos 2θ + y sin 2θ)/2), q = √(x² + y²): 1 in one direction.

        That is how a Gaussian movement takes the rings away; ``x`` and ``y`` in Å².
        """
        blur = x * self.cos2 + y * self.sin2 + float(np.hypot(x, y))
        return np.asarray(np.exp(np.maximum(-0.5 * self.squared * blur, -30.0)))

    def block_square(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean square of weighted residuals in each of 12 bands of frequency."""
        square = (residual.reshape(SECTORS, -1) ** 2).sum(axis=0)
        return np.asarray(np.add.reduceat(square, self.blocks) / self.bins)

    def spread(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a value of each band of frequency for each ring."""
        return np.repeat(blocks, np.diff([*self.blocks, self.squared.size]))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedRings:
    """A model whose bins have weights; columns of bins are ``(sectors · rings, n)``.

    ``variance`` ``(rings,)`` is the noise relative to what the number of cells alone gives,
    ``root`` the root of the weights, ``smooth`` an orthonormal basis of the weighted background,
    ``data`` the weighted spectrum without its smooth part.
    """

    model: RingModel
    variance: NDArray[np.float64]
    root: NDArray[np.float64]
    smooth: NDArray[np.float64]
    data: NDArray[np.float64]

    @classmethod
    def of(cls, model: RingModel, variance: NDArray[np.float64]) -> WeighedRings:
        """Weigh the bins of a model by the noise in each ring."""
        error = np.minimum(model.white.error, _EMPTY_ERROR) ** 2 + MODEL_ERROR**2
        root = (1.0 / np.sqrt(error * variance)).reshape(-1, 1)
        smooth = orthonormal(model.smooth * root)
        data = model.white.rings.reshape(-1, 1) * root
        return cls(
            model=model,
            variance=variance,
            root=root,
            smooth=smooth,
            data=data - smooth @ (smooth.T @ data),
        )

    def column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(sectors, rings[, n])`` values as weighted columns without their smooth part."""
        columns = values.reshape(self.root.size, -1) * self.root
        return np.asarray(columns - self.smooth @ (self.smooth.T @ columns))

    def smooth_part(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the smooth part of ``(sectors, rings)`` values, of the same shape."""
        columns = values.reshape(-1, 1) * self.root
        return np.asarray(self.smooth @ (self.smooth.T @ columns) / self.root).reshape(values.shape)
