"""Neighbours taken apart: how much of each score is the place's own, and what is left over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.matched_filter import Detector, own_response
from cryoverdict.engine.picking.reference import spectrum

_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]

# Steadies the solution where two places nearly coincide.
DAMPING = 0.05


def own_scores(
    detector: Detector, number: int, y: _Double, x: _Double, score: _Double, reach_px: float
) -> _Double:
    """Return the scores that places would have alone, their neighbours within reach taken away.

    The scores are what all particles add up to; each adds its own response. This solves for the
    amplitudes that explain all scores together (least squares, damped).
    """
    from scipy.ndimage import map_coordinates
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import cg
    from scipy.spatial import KDTree

    count = len(y)
    if count < 2:
        return score.copy()
    response = own_response(detector, number)
    peak = float(response[0, 0])
    pairs = KDTree(np.stack((y, x), axis=1)).query_pairs(reach_px, output_type="ndarray")
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    first, second = pairs[:, 0], pairs[:, 1]
    at = np.stack((y[first] - y[second], x[first] - x[second]))
    overlap = map_coordinates(response, at, order=1, mode="grid-wrap").astype(np.float64) / peak
    everyone = np.arange(count)
    matrix = csr_array(
        (
            np.concatenate((overlap, overlap, np.full(count, 1.0 + DAMPING))),
            (
                np.concatenate((first, second, everyone)),
                np.concatenate((second, first, everyone)),
            ),
        ),
        shape=(count, count),
    )
    own, _ = cg(matrix, score, x0=score, maxiter=60, rtol=1e-4)
    return np.asarray(own * (1.0 + DAMPING), np.float64)


def without(
    detector: Detector, number: int, transform: _Complex, y: _Double, x: _Double, own: _Double
) -> _Complex:
    """Return the transform of an image from which the particles at some places are taken away."""
    field = detector.field
    amplitude = own / detector.gains[number]
    places = field.places_transform(y, x, amplitude)
    seen = spectrum(detector.references[number], field) * field.transfer
    return np.asarray(transform - seen * places, np.complex64)
