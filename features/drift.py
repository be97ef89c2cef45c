"""Drift: fine detail lost in one direction, and images exposed twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.double_image import second_peak
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.ring_sectors import SECTORS, RingSectors, ring_sectors, sector_profiles
from cryoverdict.features.view import View

_SOURCE = (
    "amplitude of Thon-ring oscillation by direction; drift as a sinc envelope: "
    "Frank, Optik 30:171, 1969"
)
_NO_RINGS = Absent("no Thon rings stand out of noise and edges, so no direction can have lost them")
_SEEN = 4.0  # standard errors above which a window holds rings
# Above this the streak of an edge rules the spectrum; drift of Thon rings stays below 0.1.
_EDGE_ANISOTROPY = 0.4
_TURN = np.exp(2j * np.pi * np.arange(SECTORS) / SECTORS)  # twice the angle of each sector


def _strength(energy: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each window, the ring energy of all given sectors in standard errors.

    No sector counts more than the third strongest: the streak of an edge is one or two wide.
    """
    capped = np.minimum(energy, np.sort(energy, axis=1)[:, -3:-2])
    return np.asarray(capped.sum(axis=1) / np.sqrt(np.square(error).sum(axis=1)))


def _reach(strength: NDArray[np.float64], least: float) -> int:
    """Return the end of the windows that hold rings of at least that strength, 0 for none.

    They begin in the first four windows (at low underfocus the first rings are too wide to tell
    from the background) or nowhere, and one window in between may fall short.
    """
    end = 0
    for index, value in enumerate(strength):
        if value >= least:
            end = index + 1
        elif index >= max(4, end + 2) - 1:
            break
    return end


def _modulation(view: View) -> tuple[complex, float] | None:
    """Return the twofold modulation of the ring strength and its error; None without rings.

    Its absolute value is 0 where rings are equally strong all round and 1 where only one
    direction has any; half its angle is the direction with the strongest rings. Taken over the
    outer half of the frequencies that show rings, where drift shows first.
    """
    sectors = view.once(ring_sectors)
    if sectors is None:
        return None
    end = _reach(_strength(sectors.energy, sectors.error), _SEEN)
    if end == 0 or (_twofold(view, 0.05, 0.15) or 0.0) > _EDGE_ANISOTROPY:
        return None
    outer = sectors.frequency[:end] >= sectors.frequency[end - 1] / 2
    total, weights, variance = 0j, 0.0, 0.0
    for energy, error in zip(sectors.energy[:end][outer], sectors.error[:end][outer], strict=True):
        # Beyond 10 standard errors it is the number of rings, not the noise, that limits.
        weight = min(10.0, float(energy.sum() / np.sqrt(np.square(error).sum())))
        if weight < 2.0:
            continue
        # Rings of equal strength still scatter by about a quarter from sector to sector.
        scatter = np.hypot(error, 0.25 * np.maximum(energy, 0.0))
        total += weight * complex((energy * _TURN).sum()) / float(energy.sum())
        variance += weight**2 * float(np.square(scatter).sum() / energy.sum() ** 2) / 2
        weights += weight
    return total / weights, float(np.sqrt(variance)) / weights


@feature(better="lower", source=_SOURCE)
def drift_ring_anisotropy(view: View) -> Answer:
    """How much stronger the outer Thon rings are in one direction: 0 not, 1 seen there alone."""
    modulation = view.once(_modulation)
    return _NO_RINGS if modulation is None else min(1.0, abs(modulation[0]))


@feature(better="lower", source=_SOURCE)
def drift_significance(view: View) -> Answer:
    """Directional loss of the Thon rings in standard errors: above 5 it is no accident."""
    modulation = view.once(_modulation)
    return _NO_RINGS if modulation is None else abs(modulation[0]) / max(modulation[1], 1e-9)


@feature(unit="deg", better="neither", source=_SOURCE)
def drift_direction_deg(view: View) -> Answer:
    """Direction in which detail is lost, counter-clockwise from the rows, first row on top."""
    modulation = view.once(_modulation)
    if modulation is None:
        return _NO_RINGS
    if abs(modulation[0]) < 5 * modulation[1]:
        return Absent("the Thon rings are about equally strong in all directions")
    return float((np.degrees(np.angle(modulation[0])) / 2 + 90.0) % 180.0)


@feature(better="higher", source=_SOURCE)
def drift_cutoff_ratio(view: View) -> Answer:
    """Frequency up to which rings show in the worst direction over that in the best; 1 if alike."""
    modulation = view.once(_modulation)
    sectors = view.once(ring_sectors)
    if modulation is None or sectors is None:
        return _NO_RINGS
    if abs(modulation[0]) < 3 * modulation[1]:
        return 1.0  # the best and the worst direction would be a play of the noise
    toward = np.cos(np.angle(_TURN) - np.angle(modulation[0]))
    best = _cutoff(sectors, np.argsort(-toward, kind="stable")[: SECTORS // 3])
    worst = _cutoff(sectors, np.argsort(toward, kind="stable")[: SECTORS // 3])
    return min(1.0, worst / best) if best > 0 else _NO_RINGS


def _cutoff(sectors: RingSectors, chosen: NDArray[np.intp]) -> float:
    """Return the frequency in cycles a pixel at which the rings of some sectors fade into noise."""
    least = 3.0
    strength = _strength(sectors.energy[:, chosen], sectors.error[:, chosen])
    end = _reach(strength, least)
    step = float(sectors.frequency[1] - sectors.frequency[0])
    if end == 0:
        return float(sectors.frequency[0]) - step / 2
    if end == len(strength):
        return float(sectors.frequency[-1])
    last, after = float(strength[end - 1]), float(strength[end])
    return float(sectors.frequency[end - 1]) + step * (last - least) / (last - after)


def _twofold(view: View, low: float, high: float) -> float | None:
    """Return the twofold modulation of the power between two frequencies in cycles a pixel.

    By the median over rings of each sector over its ring's mean: spots do not count, and Thon
    rings that astigmatism shifts in and out average to nothing. None where there are too few.
    """
    profile, _ = view.once(_profiles)
    ring = np.arange(len(profile)) / view.spectrum.box
    inside = (ring >= low) & (ring < high) & np.isfinite(profile).all(axis=1)
    if int(inside.sum()) < 8:
        return None
    relative = profile[inside] / profile[inside].mean(axis=1, keepdims=True)
    level = np.median(relative, axis=0)
    return float(abs((level * _TURN).sum()) / level.sum())


def _told(value: float | None) -> Answer:
    """Return the modulation, or that there is none."""
    return (
        Absent("the power spectrum is too small to compare directions") if value is None else value
    )


def _profiles(view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sector profiles of the spectrum of a view."""
    return sector_profiles(view.spectrum)


@feature(better="lower", source="twofold modulation of the radially whitened power spectrum")
def spectrum_anisotropy_low(view: View) -> Answer:
    """Directional difference of the power from 0.05 to 0.15 cycles a pixel: edges, drift."""
    return _told(_twofold(view, 0.05, 0.15))


@feature(better="lower", source="twofold modulation of the radially whitened power spectrum")
def spectrum_anisotropy_high(view: View) -> Answer:
    """Directional difference of the power from 0.2 to 0.45 cycles a pixel: drift, resampling."""
    return _told(_twofold(view, 0.2, 0.45))


@feature(better="lower", source="second peak of the autocorrelation of the whitened coarse image")
def double_image_peak(view: View) -> Answer:
    """Height of a second autocorrelation peak: 0.01 in noise, up to 0.5 for two equal images."""
    if (_twofold(view, 0.05, 0.15) or 0.0) > _EDGE_ANISOTROPY:
        return Absent("an edge rules the power spectrum, and it repeats itself along its length")
    return second_peak(view)


FEATURES = (
    drift_ring_anisotropy,
    drift_significance,
    drift_direction_deg,
    drift_cutoff_ratio,
    spectrum_anisotropy_low,
    spectrum_anisotropy_high,
    double_image_peak,
)
