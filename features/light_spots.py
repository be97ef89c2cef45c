"""Light spots: bubbles of gas, small holes and ghosts, which particles and ice are not.

Particles and contaminants are dark; of a crowded field the gaps between them are light, but no
lighter than chance and the contrast transfer function make them. What is lighter by far is a place
where matter is missing: bubbles that the beam boils, tears.
"""

from __future__ import annotations

import numpy as np

from cryoverdict.features.coarse_bands import coarse_bands, without_border
from cryoverdict.features.feature import Answer, feature
from cryoverdict.features.view import View

# Field units: bubbles of 30 to 110 Å are 4 to 17 of them in radius on usual micrographs.
_SPOT, _PATCH = 4.0, 7.0


def _light_tail(view: View, sigma: float, quantile: float) -> float:
    """Return how far the light tail of a band reaches, in robust deviations of the band."""
    band = without_border(view.once(coarse_bands).passed(sigma, 2.0 * sigma)).ravel()
    middle, tail = np.quantile(band, [0.5, quantile])
    deviation = 1.4826 * float(np.median(np.abs(band - middle)))
    return float(tail - middle) / max(deviation, 1e-12)


@feature(better="lower", source="99.8 % quantile of the band at a 128th of the field")
def light_spot_height(view: View) -> Answer:
    """Height of light spots of a 128th of the field, in deviations: 2.9 in noise."""
    return _light_tail(view, _SPOT, 0.998)


@feature(better="lower", source="99.95 % quantile of the band at a 73rd of the field")
def light_patch_height(view: View) -> Answer:
    """Height of light patches of a 73rd of the field, in deviations: about 3 in noise."""
    return _light_tail(view, _PATCH, 0.9995)


FEATURES = (light_spot_height, light_patch_height)
