"""Particle images of one micrograph, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.background import Draw, drawing, normalise, ring_of
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.window import crop_fourier, cut_windows

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
# Windows are cut in portions of about this many pixels (8 MB), which stay in the processor's cache.
PORTION_PX = 2**21


def cut_particles(
    pixels: FloatArray,
    x: IntArray,
    y: IntArray,
    settings: ExtractionSettings,
    *,
    seed: int = 0,
    draws: Callable[[int], Draw] | None = None,
) -> Iterator[tuple[FloatArray, NDArray[np.bool_]]]:
    """Yield images ``(k, binned box, binned box)`` around the pixels ``(x, y)``, in their order.

    Beside them stands which have a background that varies: others could not be normalised. The
    noise that replaces dust depends on ``seed`` and the pixel, or is drawn by ``draws`` (called
    with the particle's number).
    """
    portion = max(1, PORTION_PX // settings.box_px**2)
    ring = ring_of(settings.binned_box_px, settings.background_radius_px)
    for start in range(0, len(x), portion):
        here = slice(start, start + portion)
        windows = cut_windows(pixels, x[here], y[here], settings.box_px)
        images = crop_fourier(windows, settings.binned_box_px)
        varies = np.ones(len(images), dtype=np.bool_)
        if settings.normalise:

            def own(k: int, first: int = start) -> Draw:
                """Return the noise of the ``k``-th image of this portion."""
                if draws is not None:
                    return draws(first + k)
                place = int(x[first + k]), int(y[first + k])
                return drawing(seed, *(2**31 + c for c in place))

            varies = normalise(
                images,
                ring,
                fit_plane=settings.fit_plane,
                dust_sigma=settings.dust_sigma,
                draws=own,
            )
        if settings.invert_contrast:
            np.negative(images, out=images)
        yield images, varies
