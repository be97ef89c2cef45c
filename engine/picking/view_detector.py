"""Looking for many turned views at once, by the few images that they are all made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.matched_filter import Weighting
from cryoverdict.engine.picking.picking_field import PickingField
from cryoverdict.engine.picking.reference import Turned, reach_px, turned_image

_Float = NDArray[np.float32]
_Complex = NDArray[np.complex64]

# The share of the views' energy that may be lost, and how many images they are made of at most.
LOST, MOST_PARTS = 0.02, 40
# Pixels mixed at a time: bounds memory.
PART_PX = 16384


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewDetector:
    """Matched filters of many views: each is a mixture of ``filters``.

    ``mix`` ``(views, filters)`` float32 is so scaled that noise responds to each view with
    deviation 1.
    """

    field: PickingField
    filters: tuple[_Complex, ...]
    mix: _Float

    def scores(self, transform: _Complex) -> tuple[_Float, NDArray[np.uint16]]:
        """Return the best score at each pixel and the number of the view that gave it."""
        parts = np.stack([self.field.image_of(transform * one).ravel() for one in self.filters])
        best = np.empty(parts.shape[1], np.float32)
        which = np.empty(parts.shape[1], np.uint16)
        for start in range(0, parts.shape[1], PART_PX):
            some = slice(start, start + PART_PX)
            mixed = self.mix @ parts[:, some]
            which[some] = mixed.argmax(axis=0)
            best[some] = mixed.max(axis=0)
        shape = self.field.image.pixels.shape
        return best.reshape(shape), which.reshape(shape)


def view_detector(field: PickingField, views: Sequence[Turned], weights: Weighting) -> ViewDetector:
    """Return the matched filters of views.

    Turned copies of a few templates are much alike: the singular vectors of all that hold nearly
    their whole energy are far fewer than they are, and a filter's response is linear in its shape.
    Source: principal components of a bank of matched filters (as Cannon et al., Phys. Rev. D
    82:044025, 2010, for another kind of signal).
    """
    from scipy import fft

    half = max(reach_px(view, field) for view in views)
    images = np.stack([turned_image(v, field.image.pixel_size_a, half).ravel() for v in views])
    images /= np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-12)
    left, sizes, right = np.linalg.svd(images, full_matrices=False)
    kept = 1.0 - np.cumsum(np.square(sizes)) / np.square(sizes).sum()
    count = min(int(np.count_nonzero(kept > LOST)) + 1, MOST_PARTS, len(sizes))
    side = 2 * half + 1
    filters = []
    for part in right[:count]:
        whole = np.zeros(field.shape, np.float32)
        whole[:side, :side] = part.reshape(side, side)
        shape = fft.rfft2(np.roll(whole, (-half, -half), (0, 1)))
        filters.append(np.asarray(np.conj(shape) * weights.passed, np.complex64))
    mix = left[:, :count] * sizes[:count]
    passed = np.sqrt(weights.noise * weights.both / (field.shape[0] * field.shape[1]))
    seen = np.stack([(one * passed).ravel() for one in filters])
    # How alike two filters respond to the noise; BLAS, whose sums are real here.
    alike = (seen.real @ seen.real.T + seen.imag @ seen.imag.T).astype(np.float64)
    deviation = np.sqrt(np.einsum("vi,ij,vj->v", mix, alike, mix))
    return ViewDetector(
        field=field,
        filters=tuple(filters),
        mix=np.asarray(mix / np.maximum(deviation, 1e-12)[:, None], np.float32),
    )
