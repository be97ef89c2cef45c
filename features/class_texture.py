"""Whether the detail of a class average is structure or noise."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_band import BLANK, banded
from cryoverdict.features.class_extent import extent
from cryoverdict.features.class_view import RADIUS_PX, SIDE_PX, ClassView, distance
from cryoverdict.features.feature import Absent, Answer, Feature, feature

WINDOW_PX = 7
SECTORS = 12


@feature(source="SIMPLE (local variance of foreground)")
def local_deviation_inside(view: ClassView) -> Answer:
    """Mean deviation within small windows in the centre of the mask."""
    return BLANK if view.blank else _local(view)[0]


@feature(better="lower", source="SIMPLE (local variance of background)")
def local_deviation_outside(view: ClassView) -> Answer:
    """Mean deviation within small windows at the edge of the mask."""
    return BLANK if view.blank else _local(view)[1]


@feature(source="Moran 1950, spatial autocorrelation")
def neighbour_correlation(view: ClassView) -> Answer:
    """Correlation of the average with itself, moved by a sixteenth of the mask's diameter."""
    if view.blank:
        return BLANK
    inside = distance() < 0.9
    step = RADIUS_PX // 8
    values = np.where(inside, view.pixels - view.pixels[inside].mean(), 0.0)
    total = float((values**2).sum())
    moved = [
        float((values[step:] * values[:-step]).sum()),
        float((values[:, step:] * values[:, :-step]).sum()),
    ]
    return float(np.mean(moved)) / total if total > 0 else BLANK


@feature(better="lower", source="RELION: radial streaks outside the particle show overfitting")
def overfit_score(view: ClassView) -> Answer:
    """Detail in the rim, where no particle is, relative to the coarse signal of the centre."""
    if view.blank:
        return BLANK
    rho = distance()
    found = view.once(extent)
    rim = (rho > 0.7) & (rho < 0.95)
    if not isinstance(found, Absent):
        free = rim & (found.smooth < 0.5 * float(found.smooth[found.main].mean()))
        rim = free if free.sum() > 200 else rim
    noise = float(banded(view, 6.0, 28.0)[rim].std())
    signal = float(banded(view, 0.5, 6.0)[rho < 0.7].std())
    return noise / max(signal, 1e-3)


@feature(better="lower", source="power spectrum by direction")
def streak_score(view: ClassView) -> Answer:
    """Power of the detail in its strongest direction, relative to the median direction."""
    if view.blank:
        return BLANK
    power, sector = _detail_power(view), _spectral_sectors()
    sums = np.bincount(sector[sector >= 0], power[sector >= 0], SECTORS)
    return float(sums.max() / max(float(np.median(sums)), 1e-12))


@feature(better="lower", source="power of the brightest Fourier components")
def lattice_score(view: ClassView) -> Answer:
    """How much single waves stand out of the detail's spectrum: strongest over mean power."""
    if view.blank:
        return BLANK
    power, sector = _detail_power(view), _spectral_sectors()
    used = power[sector >= 0]
    return float(np.log10(used.max() / max(float(used.mean()), 1e-12)))


@feature(source="third moment of the grey values")
def grey_skewness(view: ClassView) -> Answer:
    """Skewness of the grey values within the mask."""
    return BLANK if view.blank else _moment(view, 3)


@feature(source="fourth moment of the grey values")
def grey_kurtosis(view: ClassView) -> Answer:
    """Excess kurtosis of the grey values within the mask."""
    return BLANK if view.blank else _moment(view, 4) - 3.0


@feature(source="SIMPLE: ice and carbon scatter more than protein")
def amplitude_ratio(view: ClassView) -> Answer:
    """Strength of the average, relative to the weighted median of the run, in powers of ten."""
    if view.blank:
        return BLANK
    if not view.average.has_counts:
        return Absent("the grey values of a picture were stretched one by one")
    weights = view.run.weights
    strengths = np.array([v.amplitude for v in view.run.views])
    order = np.argsort(strengths, kind="stable")
    half = np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())
    return float(np.log10(view.amplitude / strengths[order[half]]))


def _local(view: ClassView) -> tuple[float, float]:
    """Return the mean local deviation of centre and edge."""
    from scipy.ndimage import uniform_filter

    mean = uniform_filter(view.pixels, WINDOW_PX)
    square = uniform_filter(view.pixels**2, WINDOW_PX)
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    rho = distance()
    return float(deviation[rho < 0.5].mean()), float(deviation[(rho > 0.7) & (rho < 0.88)].mean())


def _moment(view: ClassView, order: int) -> float:
    """Return a standardised moment within the mask, values clipped at five deviations."""
    values = view.pixels[distance() < 0.96].astype(float)
    values = (values - values.mean()) / max(float(values.std()), 1e-9)
    return float((np.clip(values, -5.0, 5.0) ** order).mean())


def _detail_power(view: ClassView) -> NDArray[np.float64]:
    """Return the power spectrum of the masked average's detail."""
    return np.asarray(np.abs(np.fft.rfft2(banded(view, 5.0, 28.0))) ** 2, dtype=np.float64)


@cache
def _spectral_sectors() -> NDArray[np.int64]:
    """Return the direction of each wave of 6 to 26 cycles a mask diameter, −1 for the others."""
    ky, kx = np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None, :]
    cycles = np.hypot(ky, kx) * 2 * RADIUS_PX
    angle = np.arctan2(ky, kx) % np.pi
    sector = (angle / np.pi * SECTORS).astype(np.int64) % SECTORS
    return np.where((cycles > 6.0) & (cycles < 26.0), sector, -1)


FEATURES: tuple[Feature, ...] = (
    local_deviation_inside,
    local_deviation_outside,
    neighbour_correlation,
    overfit_score,
    streak_score,
    lattice_score,
    grey_skewness,
    grey_kurtosis,
    amplitude_ratio,
)
