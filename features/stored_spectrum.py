"""Power spectra that another program stored, such as RELION's ``*_PS.mrc``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoverdict.features.input_error import InputError
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.read_image import read_image

# Ring, in cycles a pixel, in which the spectrum is nearly flat and its scatter is its noise.
_FLAT_RING = (0.40, 0.48)


def read_stored_spectrum(path: Path, pixel_size_a: float | None = None) -> PowerSpectrum:
    """Read a stored spectrum as a `PowerSpectrum`.

    RELION's motion correction stores amplitudes (the square root of the power summed over frames,
    which is what CTFFIND takes), square, frequency 0 in the middle, with the sampling at which
    Nyquist lies at the border as the header's pixel size. ``pixel_size_a`` (Å) goes before the
    header's. ``samples`` is estimated from the scatter of the values. Raises `InputError` for what
    is no such spectrum.
    """
    image = read_image(path)
    rows, columns = image.pixels.shape
    if rows != columns or rows % 2:
        msg = (
            f"{path}: {rows} × {columns} pixels is no stored power spectrum; accepted is a "
            "square one with an even side, frequency 0 in the middle, as RELION's *_PS.mrc"
        )
        raise InputError(msg)
    middle = rows // 2
    centre = image.pixels[middle - 2 : middle + 3, middle - 2 : middle + 3]
    if image.pixels.min() < 0.0 or centre.max() < np.median(image.pixels):
        msg = (
            f"{path}: is no stored power spectrum: it has negative values, or no strong middle; "
            "give the micrograph itself, without --power-spectra"
        )
        raise InputError(msg)
    power = np.square(np.fft.ifftshift(image.pixels)[:, : middle + 1])
    spectrum = PowerSpectrum(
        power=power, pixel_size_a=pixel_size_a or image.pixel_size_a, samples=1.0
    )
    frequency = spectrum.frequency()
    flat = power[(frequency > _FLAT_RING[0]) & (frequency < _FLAT_RING[1])].astype(np.float64)
    low, middle_value, high = np.quantile(flat, [0.16, 0.5, 0.84])
    scatter = max(float(high - low) / 2.0, 1e-6 * float(middle_value))
    return PowerSpectrum(
        power=power,
        pixel_size_a=spectrum.pixel_size_a,
        samples=max(1.0, (float(middle_value) / scatter) ** 2),
    )
