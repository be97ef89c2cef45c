"""Emptiness: whether there is anything like particles in the usable area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.blob_field import (
    DIAMETER,
    BlobField,
    BlobScale,
    blob_field,
)
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.view import View

_CHANCE = "maxima of a Gaussian field of the same spectrum (Bond & Efstathiou 1987)"
# Fewer blobs than this have neither spread nor spacing.
FEWEST_BLOBS = 12
# The excess is counted among as many of the highest maxima as chance would have.
EXPECTED_BLOBS = 10.0


def _field(view: View) -> BlobField | Absent:
    """Return the blobs of the view, found once."""
    found = view.once(blob_field)
    return Absent("too little of the micrograph is usable") if found is None else found


def _best(field: BlobField) -> BlobScale:
    """Return the scale at which dark blobs prevail most."""
    return field.scales[field.best]


def _fitting(field: BlobField) -> BlobScale:
    """Return the scale that fits the blobs' size."""
    return field.scales[field.fitting]


@feature(better="higher", source=_CHANCE)
def blob_excess_score(view: View) -> Answer:
    """Dark blobs beyond those that a phase-randomised copy shows, in deviations of chance."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    return max(scale.excess(EXPECTED_BLOBS) for scale in field.scales)


@feature(better="neither", source=_CHANCE)
def blob_misfit_score(view: View) -> Answer:
    """How far the heights of dark and light blobs are from chance; dense particles show here, too.

    The root of the sum of two Cramér-von Mises statistics, about 0.5 by chance.
    """
    field = _field(view)
    return field if isinstance(field, Absent) else max(s.misfit() for s in field.scales)


@feature(better="higher", source="maxima of either sign, alike in number for any Gaussian field")
def dark_light_asymmetry_score(view: View) -> Answer:
    """Dark blobs beyond the light ones, in deviations of their number, at the best scale."""
    field = _field(view)
    return field if isinstance(field, Absent) else _best(field).asymmetry


@feature(better="neither", source="maxima of either sign, alike in number for any Gaussian field")
def blob_density(view: View) -> Answer:
    """Logarithm of one and the dark blobs beyond the light ones in a wholly usable field."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    best = _best(field)
    return float(np.log1p(max(0, best.blobs - best.light_blobs) / field.usable_fraction))


@feature(better="neither", source="scale of the largest response (Lindeberg 1998)")
def blob_diameter_fraction(view: View) -> Answer:
    """Diameter of the blobs as a fraction of the longer side of the micrograph."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    return DIAMETER * _fitting(field).scale_px / field.longer_px


@feature(unit="A", better="neither", source="scale of the largest response (Lindeberg 1998)")
def blob_diameter_a(view: View) -> Answer:
    """Diameter of the blobs."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    if field.pixel_a is None:
        return Absent("the pixel size is unknown")
    return DIAMETER * _fitting(field).scale_px * field.pixel_a


@feature(better="neither", source="third moment of the response, 0 for any Gaussian field")
def blob_skewness(view: View) -> Answer:
    """Asymmetry of dark against light at the best scale: particles are dark."""
    field = _field(view)
    return field if isinstance(field, Absent) else _best(field).skewness


@feature(better="neither", source="fourth moment of the response, 0 for any Gaussian field")
def blob_tail_weight(view: View) -> Answer:
    """Weight of the tails at the best scale: above 0 for a few strong things, below for a crowd."""
    field = _field(view)
    return field if isinstance(field, Absent) else _best(field).excess_kurtosis


@feature(better="neither", source="coefficient of variation of the heights")
def blob_height_dispersion(view: View) -> Answer:
    """How unlike the blobs are in darkness: particles are alike, contaminants are not."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    fitting = _fitting(field)
    heights = fitting.dark[len(fitting.dark) - fitting.blobs :]
    if len(heights) < FEWEST_BLOBS:
        return Absent("there are too few blobs to compare")
    return float(heights.std() / heights.mean())


@feature(better="neither", source="spread of the scales of the largest response (Lindeberg 1998)")
def blob_size_dispersion(view: View) -> Answer:
    """How unlike the blobs are in size, in octaves: particles are alike, contaminants are not."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    places = _places(field)
    if len(places) < FEWEST_BLOBS or len(field.scales) < 3:
        return Absent("there are too few blobs to compare")
    octaves = _octaves(field, places)
    return float(octaves.std())


@feature(better="neither", source="Clark & Evans, Ecology 35:445, 1954")
def blob_spacing_ratio(view: View) -> Answer:
    """Mean distance of nearest blobs over that of random places: 1 by chance."""
    from scipy.spatial import KDTree

    field = _field(view)
    if isinstance(field, Absent):
        return field
    places = _places(field)
    if len(places) < FEWEST_BLOBS:
        return Absent("there are too few blobs to compare")
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    return float(nearest.mean() / (0.5 * np.sqrt(_fitting(field).area_px / len(places))))


@feature(better="neither", source="radial power of the usable area of the coarse image")
def particle_band_ratio(view: View) -> Answer:
    """Logarithm (base 10) of the power at the scales of particles over that of the noise."""
    field = _field(view)
    if isinstance(field, Absent):
        return field
    if field.band_ratio <= 0.0:
        return Absent("the image has no noise beyond the particles")
    return float(np.log10(field.band_ratio))


def _places(field: BlobField) -> NDArray[np.intp]:
    """Return rows and columns of the dark blobs at the scale that fits them."""
    fitting = _fitting(field)
    return fitting.dark_places[len(fitting.dark_places) - fitting.blobs :]


def _octaves(field: BlobField, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return for each place the scale of its largest response in octaves, between scales, too.

    A parabola through the largest response and its neighbours finds the scale between them.
    """
    stack = field.responses[:, places[:, 0], places[:, 1]].astype(np.float64)
    last = len(stack) - 1
    top = np.clip(np.argmax(stack, axis=0), 1, last - 1)
    each = np.arange(stack.shape[1])
    below, at, above = stack[top - 1, each], stack[top, each], stack[top + 1, each]
    bend = below - 2.0 * at + above
    shift = np.where(bend < 0.0, 0.5 * (below - above) / np.minimum(bend, -1e-12), 0.0)
    # Scales are half an octave apart.
    octaves: NDArray[np.float64] = 0.5 * (top + np.clip(shift, -1.0, 1.0))
    return octaves


FEATURES = (
    blob_excess_score,
    blob_misfit_score,
    dark_light_asymmetry_score,
    blob_density,
    blob_diameter_fraction,
    blob_diameter_a,
    blob_skewness,
    blob_tail_weight,
    blob_height_dispersion,
    blob_size_dispersion,
    blob_spacing_ratio,
    particle_band_ratio,
)
