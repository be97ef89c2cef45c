"""How much signal a class average has at each scale, in its centre and at its edge."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import FloatArray
from cryoverdict.features.class_view import RADIUS_PX, SIDE_PX, ClassView, distance
from cryoverdict.features.feature import Absent, Answer, Feature, feature

SOURCE = "SIMPLE (band-pass variance of centre and edge); ASPIRE (banded signal to noise)"
BLANK = Absent("the average holds nothing")
CENTRE, EDGE = 0.55, (0.78, 0.96)
# In cycles across the mask: the particle's outline, its domains, its detail, and what lies beyond.
BANDS = {"coarse": (1.5, 4.0), "middle": (4.0, 8.0), "fine": (8.0, 16.0), "beyond": (16.0, 28.0)}
LEAST = 1e-6


@feature(better="higher", source=SOURCE)
def coarse_centre_edge(view: ClassView) -> Answer:
    """Signal of the centre over the edge at 1.5 to 4 cycles a mask diameter, in powers of ten."""
    return _ratio(view, *BANDS["coarse"])


@feature(better="higher", source=SOURCE)
def middle_centre_edge(view: ClassView) -> Answer:
    """Signal of the centre over the edge at 4 to 8 cycles a mask diameter, in powers of ten."""
    return _ratio(view, *BANDS["middle"])


@feature(better="higher", source=SOURCE)
def fine_centre_edge(view: ClassView) -> Answer:
    """Signal of the centre over the edge at 8 to 16 cycles a mask diameter, in powers of ten."""
    return _ratio(view, *BANDS["fine"])


@feature(better="higher", source=SOURCE)
def beyond_centre_edge(view: ClassView) -> Answer:
    """Signal of the centre over the edge at 16 to 28 cycles a mask diameter, in powers of ten."""
    return _ratio(view, *BANDS["beyond"])


@feature(better="higher", source=SOURCE + "; SIMPLE's cut is 1.5 to 10")
def centre_edge_100_40(view: ClassView) -> Answer:
    """Signal of the centre over the edge between 100 and 40 Å, in powers of ten."""
    return _ratio_in_a(view, 100.0, 40.0)


@feature(better="higher", source=SOURCE)
def centre_edge_40_20(view: ClassView) -> Answer:
    """Signal of the centre over the edge between 40 and 20 Å, in powers of ten."""
    return _ratio_in_a(view, 40.0, 20.0)


@feature(better="higher", source=SOURCE)
def centre_edge_20_10(view: ClassView) -> Answer:
    """Signal of the centre over the edge between 20 and 10 Å, in powers of ten."""
    return _ratio_in_a(view, 20.0, 10.0)


@feature(better="higher", source=SOURCE)
def centre_edge_below_10(view: ClassView) -> Answer:
    """Signal of the centre over the edge beyond 10 Å, in powers of ten."""
    return _ratio_in_a(view, 10.0, 5.0)


@feature(source="radial power spectrum of the masked average")
def middle_power_share(view: ClassView) -> Answer:
    """Share of the power at 4 to 8 cycles a mask diameter."""
    return _share(view, *BANDS["middle"])


@feature(source="radial power spectrum of the masked average")
def fine_power_share(view: ClassView) -> Answer:
    """Share of the power at 8 to 16 cycles a mask diameter."""
    return _share(view, *BANDS["fine"])


@feature(better="lower", source="radial power spectrum; RELION on overfitted averages")
def beyond_power_share(view: ClassView) -> Answer:
    """Share of the power beyond 16 cycles a mask diameter."""
    return _share(view, 16.0, np.inf)


@feature(source="radial power spectrum of the masked average")
def spectrum_slope(view: ClassView) -> Answer:
    """How fast the power falls between 2 and 16 cycles a mask diameter (power of the frequency)."""
    if view.blank:
        return BLANK
    cycles, power = view.once(native_spectrum)
    used = (cycles >= 2.0) & (cycles <= 16.0) & (power > 0)
    if used.sum() < 4:
        return Absent("too few rings")
    return float(np.polyfit(np.log10(cycles[used]), np.log10(power[used]), 1)[0])


@feature(source="radial power spectrum of the masked average")
def detail_cycles(view: ClassView) -> Answer:
    """Cycles a mask diameter below which 95 % of the power beyond 1.5 cycles lies."""
    if view.blank:
        return BLANK
    cycles, power = view.once(native_spectrum)
    total = np.cumsum(np.where(cycles >= 1.5, power * cycles, 0.0))
    if not total[-1] > 0:
        return BLANK
    return float(cycles[int(np.searchsorted(total, 0.95 * total[-1]))])


def _ratio(view: ClassView, low: float, high: float) -> Answer:
    """Return the logarithm of the variance of centre over edge, within a band of cycles."""
    if view.blank:
        return BLANK
    nyquist = view.native_radius_px
    if nyquist < low * 1.15:
        return Absent(f"the pixels hold {nyquist:.3g} cycles a mask diameter")
    band = banded(view, low, high)
    centre, edge = (float(np.mean(band[where] ** 2)) for where in regions())
    return float(np.log10((centre + LEAST) / (edge + LEAST)))


def _ratio_in_a(view: ClassView, coarse_a: float, fine_a: float) -> Answer:
    """Return the same for a band in Å."""
    mask = view.mask_diameter_a
    if mask is None:
        return Absent("the pixel size is unknown")
    low, high = mask / coarse_a, mask / fine_a
    if low < 0.8:
        return Absent(f"the mask ({mask:.0f} Å) is too small for a wave of {coarse_a:g} Å")
    return _ratio(view, low, high)


def _share(view: ClassView, low: float, high: float) -> Answer:
    """Return the share of a band in the power beyond 1.5 cycles."""
    if view.blank:
        return BLANK
    if view.native_radius_px < low * 1.15:
        return Absent(f"the pixels hold {view.native_radius_px:.3g} cycles a mask diameter")
    cycles, power = view.once(native_spectrum)
    weight = power * cycles
    total = float(weight[cycles >= 1.5].sum())
    return float(weight[(cycles >= low) & (cycles < high)].sum()) / total if total > 0 else BLANK


def banded(view: ClassView, low: float, high: float) -> FloatArray:
    """Return the average within a soft band of cycles a mask diameter, ``(80, 80)``."""
    window = _window()
    weight = _band(low, high)
    spectrum = np.fft.rfft2(view.pixels * window)
    return np.asarray(np.fft.irfft2(spectrum * weight, (SIDE_PX, SIDE_PX)), dtype=np.float32)


@cache
def regions() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pixels are the centre and which the edge of the mask."""
    rho = distance()
    return rho < CENTRE, (rho > EDGE[0]) & (rho < EDGE[1])


@cache
def _window() -> FloatArray:
    """Return a mask whose soft rim makes no detail of its own."""
    rho = distance()
    return np.asarray(0.5 - 0.5 * np.tanh((rho - 0.99) / 0.02), dtype=np.float32)


@cache
def _band(low: float, high: float) -> NDArray[np.float64]:
    """Return a soft band-pass in cycles a mask diameter."""
    k = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None, :])
    cycles = k * 2.0 * RADIUS_PX

    def rise(at: float) -> NDArray[np.float64]:
        # A steep filter would ring from the particle out to the rim.
        return np.asarray(0.5 + 0.5 * np.tanh((cycles - at) / max(0.3 * at, 0.5)))

    return rise(low) * (1.0 - rise(high))


def native_spectrum(view: ClassView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cycles a mask diameter and mean power of each ring, on the stored grid."""
    side = view.native.shape[0]
    rho = distance(side, view.native_radius_px)
    soft = 0.5 - 0.5 * np.tanh((rho - 0.95) / max(0.02, 1.0 / view.native_radius_px))
    power = np.abs(np.fft.rfft2(view.native * soft)) ** 2
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]) * side
    ring = np.rint(k).astype(np.int64)
    used = ring <= side // 2
    count = np.bincount(ring[used])
    mean = np.bincount(ring[used], power[used]) / np.maximum(count, 1)
    cycles = np.arange(len(mean)) * 2.0 * view.native_radius_px / side
    return cycles, mean


FEATURES: tuple[Feature, ...] = (
    coarse_centre_edge,
    middle_centre_edge,
    fine_centre_edge,
    beyond_centre_edge,
    centre_edge_100_40,
    centre_edge_40_20,
    centre_edge_20_10,
    centre_edge_below_10,
    middle_power_share,
    fine_power_share,
    beyond_power_share,
    spectrum_slope,
    detail_cycles,
)
