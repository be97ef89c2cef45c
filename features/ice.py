"""Ice: rings and spots of crystalline ice in the spectrum, its mottled texture in the image.

Vitreous ice scatters into one broad ring near 3.7 Å. Hexagonal ice adds sharp rings at 3.90, 3.67
and 3.44 Å, cubic (stacking-disordered) ice one at 3.67 Å. Where pixels are too coarse to hold
them, crystalline ice still shows in the image: diffraction contrast makes the field blotchy at
scales at which the contrast transfer function leaves vitreous ice and particles no contrast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.averaged_power import typical_power
from cryoverdict.features.coarse_bands import coarse_bands, window_means, without_border
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.view import View

# Resolutions in Å, coarse then fine.
_RING = (3.9, 3.5)
_BESIDE = ((4.8, 4.1), (3.4, 3.0))
_HEXAGONAL = (3.95, 3.86)
_CUBIC = (3.71, 3.63)
# The broad ring of vitreous ice reaches from about 4.2 to 3.3 Å.
_WATER = (4.0, 3.5)
_BESIDE_WATER = ((6.0, 4.6), (3.2, 2.8))


def _unresolved(view: View, finest_a: float) -> Absent | None:
    """Return why a band down to ``finest_a`` (Å) cannot be measured; ``None`` where it can."""
    pixel_size = view.optics.pixel_size_a
    if pixel_size is None:
        return Absent("the pixel size is unknown")
    if finest_a < 2 * pixel_size:
        return Absent(
            f"{finest_a:g} Å lies beyond Nyquist ({2 * pixel_size:.2f} Å); "
            f"this needs {finest_a / 2:.2f} Å a pixel or finer"
        )
    return None


def _resolution_per_a(view: View) -> NDArray[np.float32]:
    """Return the spatial frequency of each cell of the power spectrum, in 1/Å."""
    return view.spectrum.frequency() / np.float32(view.optics.pixel_size_a or np.nan)


def _cells(view: View, band: tuple[float, float]) -> NDArray[np.float32]:
    """Return the power of the cells between two resolutions in Å, below Nyquist, off the axes."""
    per_a = view.once(_resolution_per_a)
    nyquist_per_a = 0.5 / (view.optics.pixel_size_a or np.nan)
    inside = (per_a >= 1 / band[0]) & (per_a <= min(1 / band[1], nyquist_per_a))
    # Detectors write lines into the axes of the spectrum, which are no ice.
    inside[:2] = inside[-1] = False
    inside[:, :2] = False
    return view.spectrum.power[inside]


def _expected(
    view: View, at_a: float, beside: tuple[tuple[float, float], tuple[float, float]]
) -> float:
    """Return the power at a resolution (Å) from a band before it and one behind it.

    Log power is taken as linear in frequency between them, by their medians, so that spots do not
    count. Where the band behind lies beyond Nyquist, the one before is cut in two and
    extrapolated. NaN where even that has no cells.
    """
    before, behind = beside
    nyquist_a = 2 * (view.optics.pixel_size_a or np.nan)
    if nyquist_a > (behind[0] + behind[1]) / 2:
        middle = (before[0] * before[1]) ** 0.5
        before, behind = (before[0] * before[0] / middle, middle), (middle, before[1])
    points = []
    for coarse_a, fine_a in (before, behind):
        level = typical_power(_cells(view, (coarse_a, fine_a)), view.spectrum.samples)
        points.append(((1 / coarse_a + 1 / max(fine_a, nyquist_a)) / 2, np.log(level)))
    (x0, y0), (x1, y1) = points
    return float(np.exp(y0 + (1 / at_a - x0) * (y1 - y0) / (x1 - x0)))


@feature(
    better="lower",
    source="bands as in CryoFLARE and SIMPLE; spacings: Thorn et al., Acta D73:729, 2017",
)
def ice_ring_ratio(view: View) -> Answer:
    """Mean power from 3.5 to 3.9 Å over what the bands beside it lead to expect; 1 is no ring."""
    if absent := _unresolved(view, _RING[1]):
        return absent
    cells = _cells(view, _RING)
    return float(cells.mean(dtype=np.float64)) / _expected(view, 3.69, _BESIDE)


@feature(better="lower", source="largest cells of the ice band against its median")
def ice_spot_excess(view: View) -> Answer:
    """Height of the six strongest spots in the ice band, in deviations of the noise there."""
    if absent := _unresolved(view, _RING[1]):
        return absent
    cells = _cells(view, (4.0, _RING[1]))
    if cells.size < 64:
        return Absent("the ice band holds too few cells of the power spectrum")
    strongest = np.partition(cells, -6)[-6:]
    level = typical_power(cells, view.spectrum.samples)
    return float((strongest.mean() / level - 1.0) * np.sqrt(view.spectrum.samples))


@feature(better="neither", source="hexagonal (100) at 3.90 Å against the common line at 3.67 Å")
def ice_hexagonal_ratio(view: View) -> Answer:
    """Power at 3.90 Å over that at 3.67 Å: above 1 hexagonal ice, below 1 cubic or vitreous."""
    if absent := _unresolved(view, _RING[1]):
        return absent
    hexagonal, cubic = _cells(view, _HEXAGONAL), _cells(view, _CUBIC)
    if not (hexagonal.size and cubic.size):
        return Absent("the power spectrum is too small to tell 3.90 from 3.67 Å")
    slope = _expected(view, 3.67, _BESIDE) / _expected(view, 3.90, _BESIDE)
    return float(hexagonal.mean(dtype=np.float64) / cubic.mean(dtype=np.float64) * slope)


@feature(
    better="neither",
    source="diffuse ring of amorphous ice: Dubochet et al., Q. Rev. Biophys. 21:129, 1988",
)
def water_ring_ratio(view: View) -> Answer:
    """Median power of the broad ring of vitreous ice near 3.7 Å over the bands around it."""
    if absent := _unresolved(view, _WATER[1]):
        return absent
    level = typical_power(_cells(view, _WATER), view.spectrum.samples)
    return level / _expected(view, 3.73, _BESIDE_WATER)


def _octave(view: View, sigma: float) -> NDArray[np.float64]:
    """Return the local variance of the band between ``sigma`` and twice that, 8 × 8 windows."""
    band = view.once(coarse_bands).passed(sigma, 2 * sigma)
    return window_means(np.square(without_border(band)), 8).astype(np.float64).ravel()


@feature(
    better="lower", source="median over windows of band variance, 1/64 against 1/512 of the field"
)
def crystalline_texture_mottle(view: View) -> Answer:
    """Natural logarithm of blotches at a 64th of the field, all over it, against the fine grain."""
    return float(np.log(np.median(_octave(view, 8.0)) / max(np.median(_octave(view, 1.0)), 1e-12)))


@feature(
    better="lower", source="median over windows of band variance, 1/50 against 1/170 of the field"
)
def crystalline_texture_slope(view: View) -> Answer:
    """Natural logarithm of blotches at a 50th of the field, all over it, against a 170th."""
    return float(np.log(np.median(_octave(view, 10.0)) / max(np.median(_octave(view, 3.0)), 1e-12)))


@feature(better="lower", source="structure tensor: Bigün and Granlund, ICCV 1987")
def crystalline_texture_coherence(view: View) -> Answer:
    """How far edges of a 100th of the field run parallel within patches: 0 not, 1 all."""
    bands = view.once(coarse_bands)
    band = bands.passed(6.0, 24.0)
    dy, dx = (np.asarray(g, np.float32) for g in np.gradient(band))
    yy, xx = bands.smoothed(dy * dy, 15.0), bands.smoothed(dx * dx, 15.0)
    xy = bands.smoothed(dx * dy, 15.0)
    energy = xx + yy
    coherence = np.hypot(xx - yy, 2 * xy) / np.maximum(energy, 1e-6 * energy.mean())
    return float(np.median(without_border(coherence)))


@feature(better="lower", source="spread of log band variance over 16 × 16 windows")
def crystalline_texture_patchiness(view: View) -> Answer:
    """Unevenness between patches of the contrast at a 100th of the field."""
    band = view.once(coarse_bands).passed(4.0, 8.0)
    variance = window_means(np.square(without_border(band)), 16).astype(np.float64).ravel()
    low, high = np.percentile(np.log(np.maximum(variance, 1e-9 * variance.mean())), [16, 84])
    return float(high - low) / 2


@feature(
    better="lower", source="quantiles of the gradient magnitude, Rayleigh distributed in noise"
)
def crystalline_texture_edges(view: View) -> Answer:
    """Steepest 2 % of the gradients at a 128th of the field over their median: 2.4 in noise."""
    dy, dx = np.gradient(view.once(coarse_bands).passed(4.0))
    steepness = without_border(np.hypot(dy, dx))
    low, high = np.percentile(steepness, [50, 98])
    return float(high / max(low, 1e-12))


FEATURES = (
    ice_ring_ratio,
    ice_spot_excess,
    ice_hexagonal_ratio,
    water_ring_ratio,
    crystalline_texture_mottle,
    crystalline_texture_slope,
    crystalline_texture_coherence,
    crystalline_texture_patchiness,
    crystalline_texture_edges,
)
