"""Emptiness: whether there is anything like particles in the usable area."""

from __future__ import annotations

import numpy as np

from cryoverdict.features.blobs import DIAMETER_OF_SCALE, FIELD, Blobs, find_blobs
from cryoverdict.features.coarse_bands import coarse_bands
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.view import View

_NULL = "peaks of a Gaussian field of the same spectrum (Bond & Efstathiou 1987)"
# Fewer blobs than this have neither spread nor spacing.
FEWEST_BLOBS = 12
# Bands in cycles a field: contrast of particles, and the floor of noise beyond them.
PARTICLE_BAND = (8, 60)
FLOOR_BAND = (150, 230)


def _blobs(view: View) -> Blobs | Absent:
    """Return the blobs of the view, found once."""
    found = view.once(find_blobs)
    return Absent("too little of the micrograph is usable") if found is None else found


@feature(better="higher", source=_NULL)
def blob_excess_score(view: View) -> Answer:
    """Dark blobs beyond those that noise of the same spectrum would show, in its deviations."""
    blobs = _blobs(view)
    return blobs if isinstance(blobs, Absent) else blobs.best.excess


@feature(better="higher", source=_NULL)
def blob_count_ratio(view: View) -> Answer:
    """Logarithm of the dark blobs found over those that noise would show, at the best scale."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    return float(np.log((blobs.best.dark + 1.0) / (blobs.best.expected + 1.0)))


@feature(better="neither", source=_NULL)
def blob_density(view: View) -> Answer:
    """Logarithm of the dark blobs in a fully usable field of view, at the best scale."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    return float(np.log1p(blobs.best.dark / blobs.usable))


@feature(better="neither", source="scale of the largest excess")
def blob_diameter_fraction(view: View) -> Answer:
    """Diameter of the blobs as a fraction of the longer side of the micrograph."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    return float(DIAMETER_OF_SCALE * blobs.best.sigma / FIELD)


@feature(unit="A", better="neither", source="scale of the largest excess")
def blob_diameter_a(view: View) -> Answer:
    """Diameter of the blobs that stand out most."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    if view.optics.pixel_size_a is None:
        return Absent("the pixel size is unknown")
    field_a = max(view.pixels.shape) * view.optics.pixel_size_a
    return DIAMETER_OF_SCALE * blobs.best.sigma / FIELD * field_a


@feature(better="neither", source="third moment of the band, 0 for any Gaussian field")
def blob_skewness(view: View) -> Answer:
    """Largest asymmetry of dark against light over the scales: particles are dark."""
    blobs = _blobs(view)
    return blobs if isinstance(blobs, Absent) else max(s.skewness for s in blobs.scales)


@feature(better="neither", source="fourth moment of the band, 0 for any Gaussian field")
def blob_tail_weight(view: View) -> Answer:
    """Heaviest tails over the scales: a few things that stand out far."""
    blobs = _blobs(view)
    return blobs if isinstance(blobs, Absent) else max(s.kurtosis for s in blobs.scales)


@feature(better="higher", source="peaks of either sign, symmetric for any Gaussian field")
def dark_light_asymmetry_score(view: View) -> Answer:
    """Dark blobs beyond the light ones, in deviations of their number, at the best scale."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    best = blobs.best
    return float((best.dark - best.light) / np.sqrt(best.dark + best.light + 1.0))


@feature(better="lower", source="coefficient of variation of the peaks' heights")
def blob_height_dispersion(view: View) -> Answer:
    """How unlike the blobs are in darkness: particles are alike, contaminants are not."""
    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    heights = blobs.best.heights
    if len(heights) < FEWEST_BLOBS:
        return Absent("there are too few blobs to compare")
    return float(heights.std() / heights.mean())


@feature(better="higher", source="Clark & Evans 1954")
def blob_spacing_ratio(view: View) -> Answer:
    """Mean distance of nearest blobs over that of random places: clustered below 1."""
    from scipy.spatial import KDTree

    blobs = _blobs(view)
    if isinstance(blobs, Absent):
        return blobs
    places = blobs.best.places
    if len(places) < FEWEST_BLOBS:
        return Absent("there are too few blobs to compare")
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    area = blobs.usable * blobs.shape[0] * blobs.shape[1]
    return float(nearest.mean() / (0.5 * np.sqrt(area / len(places))))


@feature(better="neither", source="radial power of the coarse image")
def particle_band_ratio(view: View) -> Answer:
    """Logarithm of the power at the scales of particles over the noise beyond them."""
    power = view.once(coarse_bands).radial_power
    if len(power) <= FLOOR_BAND[0] + 8:
        return Absent("the image is too small to show its noise beyond the particles")
    floor = float(np.median(power[FLOOR_BAND[0] : FLOOR_BAND[1]]))
    signal = float(np.mean(power[PARTICLE_BAND[0] : PARTICLE_BAND[1]]))
    if floor <= 0.0 or signal <= 0.0:
        return Absent("the image has no noise beyond the particles")
    return float(np.log10(signal / floor))


FEATURES = (
    blob_excess_score,
    blob_count_ratio,
    blob_density,
    blob_diameter_fraction,
    blob_diameter_a,
    blob_skewness,
    blob_tail_weight,
    dark_light_asymmetry_score,
    blob_height_dispersion,
    blob_spacing_ratio,
    particle_band_ratio,
)
