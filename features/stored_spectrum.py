"""Power spectra that another program stored, such as RELION's ``*_PS.mrc``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.read_image import read_image

# Ring, in cycles a pixel, in which neighbouring cells differ by noise alone.
_FLAT_RING = (0.30, 0.48)
_CENTRE_PX = 3.0
_PEAK_QUANTILE = 0.98


def read_stored_spectrum(path: Path, pixel_size_a: float | None = None) -> PowerSpectrum:
    """Read a stored spectrum as a `PowerSpectrum`.

    RELION's motion correction stores amplitudes (the square root of the power summed over frames,
    which is what CTFFIND takes), square, frequency 0 in the middle, with the sampling at which
    Nyquist lies at the border as the header's pixel size. Frequency 0 in the corner, the half of
    non-negative horizontal frequencies, and natural logarithms of amplitudes (told by negative
    values) are read too. ``pixel_size_a`` (Å) goes before the header's; it is that of the spectrum,
    which need not be the micrograph's. ``samples`` is estimated from the scatter of neighbours.
    Raises `InputError` for what is no such spectrum.
    """
    image = read_image(path)
    values = image.pixels.astype(np.float64)
    rows, columns = values.shape
    if rows % 2 or columns not in (rows, rows // 2 + 1):
        msg = (
            f"{path}: {rows} × {columns} pixels is no stored power spectrum; accepted is a "
            "square one with an even side, frequency 0 in the middle, as RELION's *_PS.mrc"
        )
        raise InputError(msg)
    whole = columns == rows
    middle, corner = ((rows // 2, columns // 2 if whole else 0), (0, 0))
    origin = max(middle, corner, key=lambda at: _height(values, at))
    if _height(values, origin) < float(np.quantile(values, _PEAK_QUANTILE)):
        msg = (
            f"{path}: is no stored power spectrum: neither its middle nor its corner is bright; "
            "give the micrograph itself, without --power-spectra"
        )
        raise InputError(msg)
    amplitude = np.exp(values - values.max()) if values.min() < 0.0 else values
    amplitude = np.roll(amplitude, (-origin[0], -origin[1]), axis=(0, 1))[:, : rows // 2 + 1]
    # The scale means nothing; with a median of 1 nothing leaves the range of float32.
    power = (amplitude / np.median(amplitude[amplitude > 0.0])) ** 2
    return PowerSpectrum(
        power=power.astype(np.float32),
        pixel_size_a=pixel_size_a or image.pixel_size_a,
        samples=_samples(power),
    )


def _height(values: NDArray[np.float64], at: tuple[int, int]) -> float:
    """Return the median of the values around a pixel, the image going on beyond its borders."""
    rows, columns = values.shape
    y = (np.arange(rows)[:, None] - at[0] + rows // 2) % rows - rows // 2
    x = np.arange(columns)[None, :] - at[1]
    if rows == columns:
        x = (x + columns // 2) % columns - columns // 2
    return float(np.median(values[np.hypot(y, x) <= _CENTRE_PX]))


def _samples(power: NDArray[np.float64]) -> float:
    """Return how many independent components a cell averages, from the scatter of neighbours."""
    box = power.shape[0]
    radius = np.hypot(np.fft.fftfreq(box)[:, None], np.arange(power.shape[1])[None, :] / box)
    ring = (radius > _FLAT_RING[0]) & (radius < _FLAT_RING[1])
    mean = 0.5 * (power[:, 1:] + power[:, :-1])
    inside = ring[:, 1:] & ring[:, :-1] & (mean > 0.0)
    relative = np.abs(np.diff(power, axis=1)[inside] / mean[inside])
    if not relative.size:
        return 1.0
    deviation = 1.4826 * float(np.median(relative)) / float(np.sqrt(2.0))
    return max(1.0, float(max(deviation, 1e-3) ** -2.0))
