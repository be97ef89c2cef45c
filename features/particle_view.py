"""Particle images prepared for measuring, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]
Result = TypeVar("Result")
# No image's ground varies less than this: an empty image stays empty.
LEAST_DEVIATION = 1e-12
# The fine detail that is left out where grey levels are looked at, in pixels (1 σ of a Gaussian).
SOFTENED_PX = 1.5


@dataclass(slots=True, kw_only=True, eq=False)
class ParticleView:
    """Some particle images with their ground brought to mean 0 and deviation 1.

    ``images`` ``(n, box, box)``, the particle lighter than its ground; ``radius_px`` is that of the
    particle's mask. Outside it is ground, where neighbours may lie.
    """

    images: _Float
    radius_px: float
    _memory: dict[str, _Float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, pixels: _Float, radius_px: float, *, particle_light: bool = True) -> ParticleView:
        """Prepare images as they lie in a stack."""
        box = pixels.shape[-1]
        radius = min(radius_px, box / 2.0 - 1.0)
        ground = pixels[:, distances(box) > radius]
        mean = ground.mean(axis=1)
        deviation = np.maximum(ground.std(axis=1), LEAST_DEVIATION)
        sign = 1.0 if particle_light else -1.0
        images = (pixels - mean[:, None, None]) * (sign / deviation)[:, None, None]
        return cls(images=np.asarray(images, np.float32), radius_px=radius)

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.images)

    @property
    def box(self) -> int:
        """Side of the images in pixels."""
        return int(self.images.shape[-1])

    @property
    def radius(self) -> _Float:
        """Distance ``(box, box)`` of each pixel from the centre, in particle radii."""
        return np.asarray(distances(self.box) / self.radius_px, np.float32)

    def once(self, name: str, make: Callable[[], _Float]) -> _Float:
        """Return what ``make`` makes, made once for all measurements."""
        if name not in self._memory:
            self._memory[name] = make()
        return self._memory[name]

    @property
    def soft(self) -> _Float:
        """The images without their finest detail, ``(n, box, box)``."""
        from scipy.ndimage import gaussian_filter1d

        def make() -> _Float:
            along = gaussian_filter1d(self.images, SOFTENED_PX, axis=1)
            return np.asarray(gaussian_filter1d(along, SOFTENED_PX, axis=2), np.float32)

        return self.once("soft", make)

    @property
    def profile(self) -> _Float:
        """Mean grey ``(n, bins)`` of rings a tenth of a radius wide, out to 1.3 radii."""

        def make() -> _Float:
            ring = np.minimum((10.0 * self.radius).astype(np.intp), 13).ravel()
            sums = np.zeros((self.box**2, 14), np.float32)
            sums[np.arange(len(ring)), ring] = 1.0
            counts = np.maximum(sums.sum(axis=0), 1.0)
            flat = self.images.reshape(len(self), -1)
            return np.asarray((flat @ sums / counts)[:, :13], np.float32)

        return self.once("profile", make)

    def within(self, low: float, high: float) -> _Float:
        """Return the pixels ``(n, m)`` between two distances in particle radii."""
        chosen = (self.radius >= low) & (self.radius < high)
        return self.images[:, chosen]


def distances(box: int) -> NDArray[np.float64]:
    """Return each pixel's distance ``(box, box)`` from the centre pixel box // 2."""
    axis = np.arange(box, dtype=np.float64) - box // 2
    return np.hypot(axis[:, None], axis[None, :])
