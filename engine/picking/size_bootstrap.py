"""How sure a measured diameter is: measured again in micrographs drawn with replacement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.form_factor import hollow, lens
from cryoverdict.engine.picking.mean_shape import FormFactor, body_diameter, mean_form_factor
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.size_search import Size

_Double = NDArray[np.float64]

# The body may be up to this much smaller or larger than the one measured.
RANGE = 1.35
STEPS = 120
# Parts of one micrograph that are drawn where there are few micrographs.
LEAST_UNITS = 3


def bootstrap_diameters(size: Size, draws: int, seed: int) -> _Double:
    """Return the diameters of ``draws`` resamples of the micrographs, in rising order.

    Each micrograph's own form factor is measured once; a resample is their weighted mean, to which
    the body's size is fitted. Where there are fewer than three micrographs, there is no spread to
    be told and the array is empty.
    """
    made = size.made
    finds = made.finds
    used = [i for i, f in enumerate(finds) if len(f) >= 5]
    if len(used) < LEAST_UNITS:
        return np.zeros(0)
    fields = [made.searches[i].detector.field for i in used]
    rings = Rings.of(made.diameter_a, max(f.image.pixel_size_a for f in fields))
    factors: list[FormFactor] = [
        mean_form_factor([field], [(finds[i].y, finds[i].x)], rings, made.diameter_a)
        for i, field in zip(used, fields, strict=True)
    ]
    values = np.stack([f.values for f in factors])
    weights = 1.0 / np.stack([f.variance for f in factors])
    body = size.body
    near = np.geomspace(1.0 / RANGE, RANGE, STEPS)
    frequency = rings.middle
    reached = (frequency * size.diameter_a > 0.25) & (frequency * size.diameter_a < 2.0)
    shapes = np.stack(
        [
            hollow(frequency[reached], body.outer_a * s, body.inside, body.rim)
            * lens(frequency[reached], body.focus_a2)
            for s in near
        ]
    )
    rng = np.random.default_rng((seed, 3))
    whole = _best_scale(shapes, near, values, weights, reached, np.ones(len(used)))
    scales = [
        _best_scale(
            shapes,
            near,
            values,
            weights,
            reached,
            np.bincount(rng.integers(0, len(used), len(used)), minlength=len(used)),
        )
        for _ in range(draws)
    ]
    own = body_diameter(body.outer_a, body.inside, body.rim)
    # Relative to the fit of all, so that what selection adds to the shape drops out.
    return np.sort(own * np.array(scales) / whole)


def _best_scale(
    shapes: _Double,
    scales: _Double,
    values: _Double,
    weights: _Double,
    reached: NDArray[np.bool_],
    times: NDArray[np.float64] | NDArray[np.intp],
) -> float:
    """Return the factor by which the body fits a weighted mean of form factors best."""
    weight = (weights * times[:, None]).sum(axis=0)
    mean = (weights * values * times[:, None]).sum(axis=0) / np.maximum(weight, 1e-30)
    mean = mean[reached]
    top = float(np.abs(mean).max())
    cost = 1.0 / (1.0 / np.maximum(weight[reached], 1e-30) + (0.03 * top) ** 2)
    amplitude = (shapes * (cost * mean)).sum(axis=1) / (shapes**2 * cost).sum(axis=1)
    misfit = (cost * np.square(mean - amplitude[:, None] * shapes)).sum(axis=1)
    at = int(misfit.argmin())
    if 0 < at < len(scales) - 1:
        low, here, high = misfit[at - 1 : at + 2]
        bend = low - 2.0 * here + high
        shift = 0.5 * (low - high) / bend if bend > 0.0 else 0.0
        return float(scales[at] * (scales[1] / scales[0]) ** shift)
    return float(scales[at])
