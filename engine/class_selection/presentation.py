"""The same classification as other programs and people hand it on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import ClassAverage, ClassSet, FloatArray

# How much larger the pictures are than the averages, as programs draw them.
ENLARGEMENTS = (1, 2, 3, 4)
# Noise of a median class relative to its signal, where an average is not regularised.
NOISE = (0.03, 0.3)
# From this noise on, relative to its signal, an average is more noise than structure.
DROWNED = 0.5


def as_pictures(classes: ClassSet, rng: np.random.Generator) -> ClassSet:
    """Return 8-bit pictures without any metadata, enlarged, each stretched by itself."""
    factor = int(rng.choice(ENLARGEMENTS))
    low, high = rng.uniform(0.0, 0.5), rng.uniform(99.5, 100.0)
    pictures = tuple(
        ClassAverage(
            subject=a.subject,
            number=a.number,
            pixels=_picture(a.pixels, factor, float(low), float(high)),
            has_counts=False,
        )
        for a in classes.averages
    )
    return replace(
        classes, flavour="images", averages=pictures, assignments=None, model={}, data={}
    )


def unregularised(
    classes: ClassSet, rng: np.random.Generator
) -> tuple[ClassSet, NDArray[np.float64]]:
    """Return averages that keep their particles' noise, and that noise relative to the signal.

    Programs that do not damp each ring by its own signal leave white noise within the mask, which
    falls with the root of the number of particles: small classes drown in it.
    """
    level = float(np.exp(rng.uniform(*np.log(NOISE))))
    members = np.array([max(a.members or 0, 1) for a in classes.averages], dtype=float)
    typical = float(np.median(members[members > 1])) if (members > 1).any() else 1.0
    relative = np.minimum(level * np.sqrt(typical / members), 3.0)
    averages = tuple(
        replace(a, pixels=_noisy(a.pixels, float(r), rng))
        for a, r in zip(classes.averages, relative, strict=True)
    )
    return replace(classes, averages=averages), relative


def _picture(pixels: FloatArray, factor: int, low: float, high: float) -> FloatArray:
    """Return an enlarged picture of whole grey values from 0 to 255."""
    from PIL import Image

    bottom, top = np.percentile(pixels, [low, high])
    scaled = np.clip((pixels - bottom) / max(float(top - bottom), 1e-12), 0.0, 1.0) * 255.0
    drawn = Image.fromarray(scaled.astype(np.float32))
    size = (drawn.width * factor, drawn.height * factor)
    large = drawn.resize(size, Image.Resampling.BICUBIC) if factor > 1 else drawn
    return np.asarray(np.rint(np.clip(np.asarray(large), 0.0, 255.0)), dtype=np.float32)


def _noisy(pixels: FloatArray, relative: float, rng: np.random.Generator) -> FloatArray:
    """Return an average with white noise where it is not flat."""
    shown = np.abs(pixels - pixels[0, 0]) > 1e-6 * max(float(np.ptp(pixels)), 1e-12)
    if not shown.any():
        return pixels
    noise = rng.standard_normal(pixels.shape) * relative * float(pixels[shown].std())
    return np.where(shown, pixels + noise, pixels).astype(np.float32)
