"""Round profiles as template images."""

from __future__ import annotations

import numpy as np

from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.templates import Templates

PIXELS_ACROSS = 24.0


def radial_template(profile: Profile, diameter_a: float) -> Templates:
    """Return a round profile as one template, light on dark ground, peak 1."""
    from scipy import fft

    pixel_a = diameter_a / PIXELS_ACROSS
    side = int(fft.next_fast_len(round(2.2 * PIXELS_ACROSS), real=True)) // 2 * 2
    frequency = np.hypot(
        fft.fftfreq(side, pixel_a)[:, None], fft.rfftfreq(side, pixel_a)[None, :]
    ).astype(np.float32)
    image = fft.fftshift(fft.irfft2(profile.at(frequency), s=(side, side)))
    peak = float(np.abs(image).max()) or 1.0
    return Templates(
        images=(image / peak).astype(np.float32)[None],
        pixel_size_a=pixel_a,
        weights=np.ones(1),
    )
