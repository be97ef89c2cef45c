"""Grey values: brightness, contrast, gradients, tails, detector faults, the scales of contrast."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.averaged_power import typical_power
from cryoverdict.features.coarse_bands import (
    coarse_bands,
    radial_mean,
    window_means,
    without_border,
)
from cryoverdict.features.contrast import flat_tile_fraction
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.view import View

NO_COUNTS = "the grey values are those of a picture, or normalised, and do not count electrons"


def _scaled(view: View) -> NDArray[np.float32]:
    """Return the smoothed coarse image, flat, median 0 and robust deviation 1."""
    from scipy import ndimage

    values = without_border(ndimage.uniform_filter(view.coarse, 3)).ravel()
    # Quartiles rather than median and deviation about it: one pass through the values.
    n = len(values)
    low, middle, high = np.partition(values, (n // 4, n // 2, 3 * n // 4))[
        [n // 4, n // 2, 3 * n // 4]
    ]
    deviation = float(high - low) / 1.348980
    scale = deviation if deviation > 0 else max(float(values.std()), 1e-12)
    return np.asarray((values - middle) / np.float32(scale))


def _power_between(view: View, low: float, high: float) -> float:
    """Return the typical power between two frequencies in cycles a pixel, squared deviations."""
    frequency = view.spectrum.frequency()
    inside = (frequency > low) & (frequency < high)
    return max(typical_power(view.spectrum.power[inside], view.spectrum.samples), 1e-9)


def _mean_count(view: View) -> float | Absent:
    """Return the mean grey value, of negative counts turned positive, where it means something."""
    if not view.grey.has_counts:
        return Absent(NO_COUNTS)
    if abs(view.grey.mean) < 0.05 * view.grey.deviation:
        return Absent("the grey values have been centred, so their mean says nothing")
    return abs(view.grey.mean)


@feature(unit="count", better="neither", source="mean of the stored grey values")
def grey_mean_count(view: View) -> Answer:
    """Mean grey value: the brightness of the micrograph, to be compared within a data set.

    Inverted counts are negative, and their mean is taken positive. It is the one measurement that
    follows gain and offset, as it must to be compared within a data set.
    """
    return view.once(_mean_count)


@feature(unit="count", better="higher", source="Poisson statistics: (mean / deviation)²")
def equivalent_dose_count(view: View) -> Answer:
    """Electrons a pixel that would give the noise level seen, relative to the mean grey value."""
    mean = view.once(_mean_count)
    if isinstance(mean, Absent):
        return mean
    if mean < 0.3 * view.grey.deviation:
        return Absent("the grey values scatter too widely about their mean to be plain counts")
    # Nearer to Nyquist the detector blurs the noise; further in there are objects.
    return (mean / view.grey.deviation) ** 2 / _power_between(view, 0.15, 0.25)


@feature(better="lower", source="pixels at the brightest grey value shared by more than one")
def saturated_fraction(view: View) -> Answer:
    """Fraction of pixels at the highest value that the detector or the file can hold."""
    return view.grey.saturated_fraction


@feature(better="lower", source="isolated pixels beyond 7 robust deviations")
def hot_pixel_fraction(view: View) -> Answer:
    """Fraction of isolated pixels far brighter or darker than all around them."""
    return view.grey.hot_fraction


@feature(better="lower", source="rows or columns most of whose pixels are equal")
def dead_line_fraction(view: View) -> Answer:
    """Fraction of the rows or columns that are stuck at one value."""
    return view.grey.dead_line_fraction


@feature(better="lower", source="tiles of 32 × 32 pixels that are all equal")
def flat_area_fraction(view: View) -> Answer:
    """Fraction of the area that is one grey value: lost read-out blocks, padding, clipped parts."""
    return flat_tile_fraction(view.pixels)


@feature(better="lower", source="power on the axes of the spectrum over that beside them")
def line_pattern_ratio(view: View) -> Answer:
    """Strength of row and column patterns of the detector: 1 for none."""
    power, box = view.spectrum.power, view.spectrum.box
    outer = np.arange(box // 8, box // 2 - 1)
    samples = view.spectrum.samples
    beside_y = np.concatenate((power[outer, 3:5], power[-outer, 3:5]))
    beside_x = np.concatenate((power[3:5, outer], power[-4:-2, outer]))
    rows = typical_power(power[outer, 0], samples) / typical_power(beside_y, samples)
    columns = typical_power(power[0, outer], samples) / typical_power(beside_x, samples)
    return max(rows, columns)


@feature(better="higher", source="square root of a ratio of spectral power")
def contrast_to_noise(view: View) -> Answer:
    """Amplitude at the scale of 1/64 to 1/8 of the field, relative to the pixel noise."""
    return float(np.sqrt(_absolute_power(view, 8, 64) / _power_between(view, 0.4, 0.5)))


def _absolute_power(view: View, low: float, high: float) -> float:
    """Return mean coarse power on the scale of the full-size spectrum: white noise 1 gives 1."""
    return radial_mean(view, low, high) * view.pixels.size / view.coarse.size


@feature(source="skewness of the coarse image, clipped at 5 deviations")
def grey_skewness(view: View) -> Answer:
    """Asymmetry of the grey values: negative where few things are much darker than the rest."""
    values = np.clip(view.once(_scaled), -5, 5)
    values = values - values.mean(dtype=np.float64)
    square = np.square(values)
    return float((square * values).mean() / square.mean() ** 1.5)


@feature(source="range of the middle 99 % over the interquartile range, 1 for a Gaussian")
def grey_tail_weight(view: View) -> Answer:
    """Weight of the tails of the grey values: 1 for pure noise, more where objects stand out."""
    values = view.once(_scaled)
    cut = len(values) // 200
    ends = np.partition(values, (cut, len(values) - 1 - cut))
    # In units of the interquartile range over 1.349 the middle 99 % of a Gaussian are 5.152 wide.
    return float(ends[-1 - cut] - ends[cut]) / 5.151659


@feature(better="lower", source="coarse pixels beyond 5 robust deviations")
def dark_outlier_fraction(view: View) -> Answer:
    """Fraction of the area much darker than the rest."""
    return float((view.once(_scaled) < -5).mean())


@feature(better="lower", source="coarse pixels beyond 5 robust deviations")
def bright_outlier_fraction(view: View) -> Answer:
    """Fraction of the area much brighter than the rest."""
    return float((view.once(_scaled) > 5).mean())


@feature(better="lower", source="Otsu, IEEE Trans. SMC 9:62, 1979: between-class variance")
def grey_bimodality(view: View) -> Answer:
    """Share of the variance of the smoothed image explained by two grey levels."""
    values = np.sort(window_means(without_border(view.coarse), 64).ravel()).astype(np.float64)
    n = len(values)
    count = np.arange(1, n)
    low = np.cumsum(values)[:-1] / count
    high = (values.sum() - count * low) / (n - count)
    weight = count * (n - count) / n**2
    variance = float(values.var())
    return float((weight * (high - low) ** 2).max() / variance) if variance > 0 else 0.0


def _gradient(view: View) -> tuple[float, float]:
    """Return how much a quadratic surface explains of the window means, and its deviation."""
    means = window_means(without_border(view.coarse), 16).astype(np.float64)
    y, x = (np.linspace(-1, 1, n) for n in means.shape)
    yy, xx = (a.ravel() for a in np.meshgrid(y, x, indexing="ij"))
    terms = np.stack([np.ones_like(xx), xx, yy, xx * yy, xx**2, yy**2], axis=1)
    values = means.ravel()
    fitted = terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    variance = float(values.var())
    return (float(fitted.var()) / variance if variance > 0 else 0.0), float(fitted.std())


@feature(better="lower", source="least-squares quadratic surface through 16 × 16 window means")
def gradient_fraction(view: View) -> Answer:
    """Share of the slow brightness variation that is one smooth gradient over the field."""
    return view.once(_gradient)[0]


@feature(better="lower", source="least-squares quadratic surface through 16 × 16 window means")
def gradient_strength(view: View) -> Answer:
    """Deviation of the smooth gradient over the field, in deviations of the pixels."""
    return view.once(_gradient)[1]


def _window_contrast(view: View) -> NDArray[np.float64]:
    """Return the log local variance of the band-passed coarse image over 16 × 16 windows."""
    band = view.once(coarse_bands).passed(1.0, 4.0)
    variance = window_means(np.square(without_border(band)), 16).astype(np.float64)
    return np.asarray(np.log(np.maximum(variance, 1e-6 * variance.mean())).ravel())


@feature(better="lower", source="deviation of log local variance over 16 × 16 windows")
def local_variance_spread(view: View) -> Answer:
    """Unevenness of the fine contrast over the field: 0 where every part looks alike."""
    return float(view.once(_window_contrast).std())


@feature(better="lower", source="90th to 10th percentile of local variance, 16 × 16 windows")
def local_variance_range(view: View) -> Answer:
    """Natural logarithm of the fine contrast of the strongest tenth over the weakest tenth."""
    low, high = np.percentile(view.once(_window_contrast), [10, 90])
    return float(high - low)


def _fraction(view: View, low: float, high: float) -> float:
    """Return the share of the coarse variance between two frequencies in cycles a field."""
    power = view.once(coarse_bands).radial_power
    ring = np.arange(len(power))
    energy = power * ring
    energy = energy[1:257]
    inside = (ring[1:257] >= low) & (ring[1:257] < high)
    return float(energy[inside].sum() / energy.sum())


@feature(better="lower", source="share of spectral power, 1 to 4 cycles a field")
def contrast_share_field(view: View) -> Answer:
    """Share of the contrast at the scale of the whole field: thickness, edges, illumination."""
    return _fraction(view, 1, 4)


@feature(better="lower", source="share of spectral power, 4 to 16 cycles a field")
def contrast_share_large(view: View) -> Answer:
    """Share of the contrast in structures of a 16th to a quarter of the field."""
    return _fraction(view, 4, 16)


@feature(source="share of spectral power, 16 to 64 cycles a field")
def contrast_share_medium(view: View) -> Answer:
    """Share of the contrast in structures of a 64th to a 16th of the field."""
    return _fraction(view, 16, 64)


@feature(source="share of spectral power, 64 to 256 cycles a field")
def contrast_share_fine(view: View) -> Answer:
    """Share of the contrast in structures below a 64th of the field, mostly noise."""
    return _fraction(view, 64, 257)


def _slope(view: View, low: float, high: float) -> Answer:
    """Return the slope of log power against log frequency between two frequencies."""
    edges = np.geomspace(low, high, 7)
    levels = np.asarray([radial_mean(view, a, b) for a, b in pairwise(edges)])
    if high > max(view.coarse.shape) / 2 or not (np.isfinite(levels) & (levels > 0)).all():
        return Absent("the image is too small to hold this range of scales")
    centres = np.log(np.sqrt(edges[:-1] * edges[1:]))
    return float(np.polyfit(centres, np.log(levels), 1)[0])


@feature(source="slope of log radial power over log frequency, 2 to 16 cycles a field")
def spectral_slope_large(view: View) -> Answer:
    """Steepness of the spectrum at large scales: near 0 in an even field, -2 to -4 at edges."""
    return _slope(view, 2, 16)


@feature(source="slope of log radial power over log frequency, 16 to 128 cycles a field")
def spectral_slope_medium(view: View) -> Answer:
    """Steepness of the spectrum at the scales of particles: 0 for a blank exposure."""
    return _slope(view, 16, 128)


@feature(better="lower", source="geometric over arithmetic mean of the radial power")
def spectrum_flatness(view: View) -> Answer:
    """Flatness of the power spectrum: 1 for a blank exposure, which holds noise alone."""
    frequency = view.spectrum.frequency()
    box = view.spectrum.box
    ring = np.rint(frequency * box).astype(np.intp).ravel()
    inside = (ring >= 4) & (ring < box // 2)
    # Columns other than the first stand for their mirror image too.
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    weight = weight.ravel()[inside]
    total = np.bincount(ring[inside], view.spectrum.power.ravel()[inside] * weight)[4:]
    count = np.bincount(ring[inside], weight)[4:]
    level = total / count
    if (level <= 0).any():
        return 0.0
    return float(np.exp(np.log(level).mean()) / level.mean())


FEATURES = (
    grey_mean_count,
    equivalent_dose_count,
    saturated_fraction,
    hot_pixel_fraction,
    dead_line_fraction,
    flat_area_fraction,
    line_pattern_ratio,
    contrast_to_noise,
    grey_skewness,
    grey_tail_weight,
    dark_outlier_fraction,
    bright_outlier_fraction,
    grey_bimodality,
    gradient_fraction,
    gradient_strength,
    local_variance_spread,
    local_variance_range,
    contrast_share_field,
    contrast_share_large,
    contrast_share_medium,
    contrast_share_fine,
    spectral_slope_large,
    spectral_slope_medium,
    spectrum_flatness,
)
