"""Power of a single particle image at different detail, against that of its ground."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.particle_feature import ParticleFeature, particle_feature
from cryoverdict.features.particle_view import ParticleView

_Values = NDArray[np.float32]
# Bands end at these parts of the particle's diameter, so that they mean the same at any pixel size.
PARTS = (1.5, 0.75, 0.35, 0.18)
NAMES = ("outline", "coarse", "middle", "fine")
SOURCE = "power of rings of the Fourier transform, as spectral signal-to-noise is measured"


def _power(view: ParticleView) -> _Values:
    """Return the log of mean power ``(n, 4)`` of the particle's disc over that of white ground."""

    def make() -> _Values:
        from scipy import fft

        soft = np.clip((1.1 - view.radius) / 0.2, 0.0, 1.0).astype(np.float32)
        inside = view.images * soft
        # The disc's mean belongs to grey levels, not to detail.
        inside -= soft * (inside.sum(axis=(1, 2)) / soft.sum())[:, None, None]
        spectrum = np.square(np.abs(fft.rfft2(inside)))
        box = view.box
        column = np.fft.fftfreq(box)[:, None] * box
        row = np.fft.rfftfreq(box)[None, :] * box
        ring = np.hypot(column, row)
        ends = [box / (2.0 * view.radius_px * part) for part in PARTS] + [0.45 * box]
        # The half plane stands for the whole: all but the columns that are their own mirror.
        weight = np.full(ring.shape, 2.0, np.float32)
        weight[:, 0] = 1.0
        if box % 2 == 0:
            weight[:, -1] = 1.0
        white = np.square(soft).sum()
        means = []
        for low, high in pairwise(ends):
            counted = weight * ((ring >= low) & (ring < high))
            total = max(float(counted.sum()), 1.0)
            means.append((spectrum * counted).sum(axis=(1, 2)) / (white * total))
        return np.asarray(np.log(np.maximum(np.stack(means, axis=1), 1e-6)), np.float32)

    return view.once("band_power", make)


def _band(number: int, name: str) -> ParticleFeature:
    """Return the measurement of one band."""

    def band_power(view: ParticleView) -> _Values:
        return _power(view)[:, number]

    band_power.__name__ = f"{name}_power"
    band_power.__doc__ = (
        f"Natural logarithm of the power of {name} detail in the particle, over white ground."
    )
    return particle_feature(source=SOURCE)(band_power)


FEATURES = tuple(_band(number, name) for number, name in enumerate(NAMES))
