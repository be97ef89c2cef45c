"""The background of particle images: dust removed, a plane taken off, mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Wide = NDArray[np.float64]
# Draws ``n`` numbers of a normal distribution of a mean and a standard deviation.
Draw = Callable[[float, float, int], Wide]
# A background that varies less than this, relative to its size, holds nothing to normalise by.
LEAST_DEVIATION = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ring:
    """The background of images of one size: all further from the centre than a radius.

    ``outside`` ``(box, box)`` is 1 on its ``count`` pixels and 0 elsewhere; ``steps`` ``(box,)``
    are the pixels' places from the centre along an axis. ``solver`` ``(3, 3)`` turns the sums of
    the background's values times x, y and 1 into the plane that fits best (least squares).
    """

    outside: FloatArray
    count: int
    steps: Wide
    solver: Wide


@lru_cache(maxsize=8)
def ring_of(box: int, radius: int) -> Ring:
    """Return the background of images of ``box`` px outside ``radius`` px."""
    steps = np.arange(box) - box // 2
    outside = (steps[:, None] ** 2 + steps[None, :] ** 2) > radius * radius
    y, x = (np.nonzero(outside)[axis] - box // 2 for axis in (0, 1))
    terms = np.stack([x, y, np.ones(len(x))]).astype(np.float64)
    return Ring(
        outside=outside.astype(np.float32),
        count=len(x),
        steps=steps.astype(np.float64),
        solver=np.linalg.pinv(terms @ terms.T).astype(np.float64),
    )


def background_statistics(images: FloatArray, ring: Ring) -> tuple[Wide, Wide]:
    """Return mean and standard deviation ``(n,)`` of each image's background.

    Image by image, as one stays in the processor's cache. A first mean is taken off before the
    sums, so that single precision is enough for them. No BLAS: its sums depend on its threads.
    """
    out = np.empty((2, len(images)))
    for k, image in enumerate(images):
        first = image.mean()
        values = image - first
        values *= ring.outside
        mean = float(values.sum()) / ring.count
        values *= values
        square = float(values.sum()) / ring.count
        out[:, k] = float(first) + mean, np.sqrt(max(square - mean * mean, 0.0))
    return out[0], out[1]


def remove_dust(image: FloatArray, mean: float, deviation: float, sigma: float, draw: Draw) -> int:
    """Replace in place what is further than ``sigma`` deviations from the mean; say how much.

    White dust first, then black, each in the order of the pixels: so RELION's `--white_dust` and
    `--black_dust` draw from their random numbers.
    """
    flat = image.reshape(-1)
    replaced = 0
    for sign in (1.0, -1.0):
        found = np.flatnonzero(sign * (flat.astype(np.float64) - mean) > sigma * deviation)
        if len(found):
            flat[found] = draw(mean, deviation, len(found))
            replaced += len(found)
    return replaced


def level(images: FloatArray, ring: Ring) -> None:
    """Take off in place the plane that fits each image's background best."""
    for image in images:
        # Without the mean single precision is enough for the sums.
        image -= image.mean()
        values = image * ring.outside
        columns = values.sum(axis=0).astype(np.float64)
        rows = values.sum(axis=1).astype(np.float64)
        sums = ((columns * ring.steps).sum(), (rows * ring.steps).sum(), rows.sum())
        along_x, along_y, height = (float((line * sums).sum()) for line in ring.solver)
        image -= (along_x * ring.steps + height).astype(np.float32)[None, :]
        image -= (along_y * ring.steps).astype(np.float32)[:, None]


def normalise(
    images: FloatArray,
    ring: Ring,
    *,
    fit_plane: bool,
    dust_sigma: float | None,
    draws: Callable[[int], Draw],
) -> NDArray[np.bool_]:
    """Normalise images in place by their background; say which have one that varies.

    First dust is replaced, judged by the image as it came, then the plane is taken off, then the
    background's mean and deviation become 0 and 1: the order of `relion_preprocess --norm`.
    ``draws`` gives each image's source of noise. An image whose background is constant is left.
    """
    if dust_sigma is not None:
        mean, deviation = background_statistics(images, ring)
        for k in range(len(images)):
            remove_dust(images[k], float(mean[k]), float(deviation[k]), dust_sigma, draws(k))
    if fit_plane:
        level(images, ring)
    mean, deviation = background_statistics(images, ring)
    varies = deviation > LEAST_DEVIATION * np.maximum(1.0, np.abs(mean))
    scale = np.where(varies, deviation, 1.0)
    images -= mean.astype(np.float32)[:, None, None]
    images *= (1.0 / scale).astype(np.float32)[:, None, None]
    return varies


def drawing(*seed: int) -> Draw:
    """Return a source of noise that is the same for the same numbers."""
    rng = np.random.default_rng(seed)
    return lambda mean, deviation, n: mean + deviation * rng.standard_normal(n)
