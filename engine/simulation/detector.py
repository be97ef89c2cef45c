"""Detectors: how they count electrons, what they blur, and their fixed pattern."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cryoverdict.engine.simulation.grid import FloatArray, Grid, frequencies

# Above so many electrons a pixel the counts are drawn from a skew-corrected normal distribution,
# five times faster than Poisson's and the same to the eye of any test.
NORMAL_ABOVE = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A detector: efficiency and blur at zero and Nyquist frequency, and its imperfections.

    ``dqe_zero``, ``dqe_nyquist``: detective quantum efficiency; ``mtf_nyquist``: modulation
    transfer. ``gain`` is grey values per electron, ``offset`` the dark level, ``read_noise`` in
    electrons, ``gain_error`` the relative σ of pixels after gain correction, ``tile_px`` the size
    of its read-out blocks.
    """

    name: str
    dqe_zero: float
    dqe_nyquist: float
    mtf_nyquist: float
    gain: float
    offset: float = 0.0
    read_noise: float = 0.0
    gain_error: float = 0.004
    tile_px: int = 512


# Shapes after published curves (McMullan et al. 2014, 2016; Ruskin et al. 2013), at 300 kV.
DETECTORS: dict[str, Detector] = {
    d.name: d
    for d in (
        Detector(name="k2", dqe_zero=0.80, dqe_nyquist=0.30, mtf_nyquist=0.45, gain=1.0),
        Detector(name="k3", dqe_zero=0.87, dqe_nyquist=0.40, mtf_nyquist=0.45, gain=1.0),
        Detector(name="falcon4", dqe_zero=0.92, dqe_nyquist=0.45, mtf_nyquist=0.50, gain=1.0),
        Detector(
            name="falcon3",
            dqe_zero=0.60,
            dqe_nyquist=0.15,
            mtf_nyquist=0.28,
            gain=28.0,
            offset=0.0,
            gain_error=0.006,
        ),
        Detector(
            name="falcon2",
            dqe_zero=0.50,
            dqe_nyquist=0.10,
            mtf_nyquist=0.22,
            gain=60.0,
            gain_error=0.008,
            read_noise=0.5,
        ),
        Detector(
            name="ccd",
            dqe_zero=0.25,
            dqe_nyquist=0.04,
            mtf_nyquist=0.08,
            gain=20.0,
            offset=100.0,
            read_noise=1.5,
            gain_error=0.01,
            tile_px=1024,
        ),
    )
}


def _relative_frequency(grid: Grid, binning: float) -> FloatArray:
    """Return the frequency as a fraction of the detector's own Nyquist frequency."""
    k = np.sqrt(frequencies(grid.ny, grid.nx, grid.pixel_size_a).k2)
    return (k * np.float32(2.0 * grid.pixel_size_a / binning)).astype(np.float32)


@lru_cache(maxsize=2)
def transfers(grid: Grid, detector: Detector, binning: float) -> tuple[FloatArray, FloatArray]:
    """Return signal filter √(DQE/DQE₀) and noise filter MTF, in rfft2 layout; kept.

    The expected image passes the first, then electrons are counted, then the counts pass the
    second: the signal-to-noise ratio is DQE's, the noise has the spectrum MTF². ``binning`` is how
    many detector pixels one pixel of the micrograph is wide (they were Fourier-cropped).
    """
    f = _relative_frequency(grid, binning)
    dqe = 1.0 - np.float32(1.0 - detector.dqe_nyquist / detector.dqe_zero) * np.minimum(f, 1.3)
    signal = np.sqrt(np.maximum(dqe, 0.01))
    # An exponential with a flat tail: charge spreads over neighbours.
    mtf = np.float32(detector.mtf_nyquist) + np.float32(1.0 - detector.mtf_nyquist) * (
        np.cos(np.minimum(f, 1.0) * np.float32(np.pi / 2)) ** 2
    ).astype(np.float32)
    for array in (signal, mtf):
        array.setflags(write=False)
    return signal.astype(np.float32), mtf.astype(np.float32)


@lru_cache(maxsize=2)
def fixed_pattern(
    shape: tuple[int, int], detector: Detector, binning: float, seed: int
) -> FloatArray:
    """Return the relative gain ``shape`` that gain correction left: pixels, columns, blocks."""
    rng = np.random.default_rng((seed, 77))
    sigma = detector.gain_error / max(1.0, binning)
    pattern = rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma)
    pattern += rng.standard_normal((1, shape[1]), dtype=np.float32) * np.float32(0.3 * sigma)
    pattern += rng.standard_normal((shape[0], 1), dtype=np.float32) * np.float32(0.2 * sigma)
    tile = max(32, round(detector.tile_px / binning))
    rows, columns = -(-shape[0] // tile), -(-shape[1] // tile)
    blocks = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.25 * sigma)
    pattern += np.kron(blocks, np.ones((tile, tile), dtype=np.float32))[: shape[0], : shape[1]]
    pattern += np.float32(1.0)
    pattern.setflags(write=False)
    return pattern


def count_electrons(rng: np.random.Generator, expected: FloatArray) -> FloatArray:
    """Return counts with Poisson's mean, variance and skewness for each expected number.

    Above `NORMAL_ABOVE`: λ + √λ z + (z² − 1) / 6 (Cornish and Fisher's expansion).
    """
    expected = np.maximum(expected, 0.0)
    if float(expected[::16, ::16].mean()) < NORMAL_ABOVE:
        return rng.poisson(expected).astype(np.float32)
    z = rng.standard_normal(expected.shape, dtype=np.float32)
    counts = np.sqrt(expected)
    counts *= z
    counts += expected
    z *= z
    z -= np.float32(1.0)
    z *= np.float32(1.0 / 6.0)
    counts += z
    return counts
