"""Measurements that a run's own tables allow: size, resolution, accuracies, likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import FloatArray
from cryoverdict.features.class_view import ClassView
from cryoverdict.features.feature import Absent, Answer, Feature, Given, feature

NO_METADATA = Absent("the images came without the run's tables")
NO_PARTICLES = Absent("the class has no particles, or their list was not given")
# Below so few particles accuracies and resolutions are chance (RELION's class ranker: 100).
FEWEST_PARTICLES = 5
CORRELATED = 0.143
# The number of cycles across the mask up to which halves are compared.
CYCLES = (2.0, 12.0)


@feature(better="higher", source="RELION, SIMPLE")
def particle_number(view: ClassView) -> Answer:
    """Particles assigned to the class."""
    members = view.average.members
    return NO_METADATA if members is None else Given(float(members))


@feature(better="higher", source="RELION rlnClassDistribution")
def population_share(view: ClassView) -> Answer:
    """Share of all particles that lie in the class."""
    share = _share(view)
    return NO_METADATA if share is None else Given(share)


@feature(better="higher", source="RELION rlnClassDistribution times the number of classes")
def population_ratio(view: ClassView) -> Answer:
    """Particles of the class, relative to those of a mean class of the run."""
    share = _share(view)
    return NO_METADATA if share is None else share * len(view.run.views)


@feature(unit="A", better="lower", source="RELION rlnEstimatedResolution, cryoSPARC blob/res_A")
def class_resolution_a(view: ClassView) -> Answer:
    """Resolution that the run gives the class average."""
    found = view.average.resolution_a
    return NO_METADATA if found is None else Given(found)


@feature(better="lower", source="RELION class ranker (resolution relative to the box)")
def relative_resolution(view: ClassView) -> Answer:
    """Resolution of the class, relative to the diameter of the mask."""
    found, mask = view.average.resolution_a, view.mask_diameter_a
    return NO_METADATA if found is None or mask is None else found / mask


@feature(better="lower", source="RELION class ranker, (best resolution / resolution)²")
def resolution_ratio(view: ClassView) -> Answer:
    """Resolution of the class, relative to the best tenth of the run."""
    found = view.average.resolution_a
    best = _quantile(view.run.values(_resolution), 0.1)
    return NO_METADATA if found is None or best is None else found / best


@feature(better="higher", source="McSweeney et al. 2020, IUCrJ 7:719")
def population_per_resolution(view: ClassView) -> Answer:
    """Share of the particles over resolution, relative to the median of the run."""
    own = _share_over_resolution(view)
    middle = _quantile(view.run.values(_share_over_resolution), 0.5)
    return NO_METADATA if own is None or not middle else own / middle


@feature(unit="deg", better="lower", source="RELION rlnAccuracyRotations")
def rotation_accuracy_deg(view: ClassView) -> Answer:
    """Error of the rotations that the run expects."""
    found = view.average.rotation_accuracy_deg
    return NO_METADATA if found is None else Given(found)


@feature(better="lower", source="RELION rlnAccuracyRotations; SIMPLE (median within the run)")
def rotation_accuracy_ratio(view: ClassView) -> Answer:
    """Error of the rotations that the run expects, relative to the median of the run."""
    found = view.average.rotation_accuracy_deg
    middle = _quantile(view.run.values(_rotation), 0.5)
    return NO_METADATA if found is None or not middle else found / middle


@feature(better="lower", source="RELION rlnAccuracyTranslationsAngst")
def relative_shift_accuracy(view: ClassView) -> Answer:
    """Error of the shifts that the run expects, relative to the diameter of the mask."""
    found, mask = view.average.shift_accuracy_a, view.mask_diameter_a
    return NO_METADATA if found is None or mask is None else found / mask


@feature(better="higher", source="SIMPLE (correlation of halves)")
def half_correlation_mean(view: ClassView) -> Answer:
    """Mean Fourier ring correlation of two halves of the class, 2 to 12 cycles a mask diameter."""
    curve, cycles = view.average.half_correlation, _ring_cycles(view)
    if curve is None or cycles is None:
        return Absent("the run gives no correlation of halves")
    used = (cycles >= CYCLES[0]) & (cycles <= CYCLES[1])
    return float(curve[used].mean()) if used.any() else Absent("too few rings")


@feature(better="lower", source="Rosenthal and Henderson 2003, correlation 0.143 of halves")
def half_relative_resolution(view: ClassView) -> Answer:
    """Resolution at which halves of the class agree to 0.143, relative to the mask's diameter."""
    curve, cycles = view.average.half_correlation, _ring_cycles(view)
    if curve is None or cycles is None:
        return Absent("the run gives no correlation of halves")
    below = np.flatnonzero(curve[2:] < CORRELATED)
    ring = int(below[0]) + 2 if below.size else len(curve) - 1
    return 1.0 / max(float(cycles[max(ring, 1)]), 1e-6)


@feature(better="higher", source="RELION rlnMaxValueProbDistribution; cryoSPARC class posterior")
def assignment_probability(view: ClassView) -> Answer:
    """Median probability of the best place of the class's particles, above the run's median."""
    found = view.run.assignments
    return _above_run(view, None if found is None else found.top, scaled=False)


@feature(better="higher", source="RELION rlnLogLikeliContribution; cryoSPARC alignments2D/error")
def likelihood_z(view: ClassView) -> Answer:
    """Median log-likelihood of the class's particles, in robust deviations of the run's."""
    found = view.run.assignments
    return _above_run(view, None if found is None else found.log_likelihood, scaled=True)


@feature(better="lower", source="SIMPLE and RELION: junk is centred on nothing in particular")
def offset_ratio(view: ClassView) -> Answer:
    """Root mean square of the shifts of the class's particles, relative to the whole run."""
    found = view.run.assignments
    if found is None or found.offset_a is None:
        return NO_METADATA
    square = (found.offset_a.astype(np.float64) ** 2).sum(axis=1)
    mine = square[found.number == view.average.number]
    if len(mine) < FEWEST_PARTICLES or not square.mean() > 0:
        return NO_PARTICLES
    return float(np.sqrt(mine.mean() / square.mean()))


def _share(view: ClassView) -> float | None:
    """Return the class's share: counted where particles were listed, else as the run gives it."""
    found = view.run.assignments
    if found is not None and view.average.members is not None and len(found):
        return view.average.members / len(found)
    return view.average.share


def _resolution(view: ClassView) -> float | None:
    """Return the resolution of a class that has enough particles to have one."""
    few = view.average.members is not None and view.average.members < FEWEST_PARTICLES
    return None if few else view.average.resolution_a


def _rotation(view: ClassView) -> float | None:
    """Return the accuracy of rotations."""
    return view.average.rotation_accuracy_deg


def _share_over_resolution(view: ClassView) -> float | None:
    """Return the quotient that McSweeney et al. rank classes by."""
    share, found = _share(view), view.average.resolution_a
    return None if share is None or found is None else share / found


def _quantile(values: NDArray[np.float64], fraction: float) -> float | None:
    """Return a quantile of the known values; ``None`` where there are fewer than three."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, fraction)) if known.size >= 3 else None


def _ring_cycles(view: ClassView) -> FloatArray | None:
    """Return how many cycles of each ring of the half correlation lie across the mask."""
    curve = view.average.half_correlation
    if curve is None:
        return None
    side = view.native.shape[0]
    rings = np.arange(len(curve), dtype=np.float32)
    return np.asarray(rings * (2.0 * view.native_radius_px / side), dtype=np.float32)


def _particle_scale(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return median and robust deviation over all particles."""
    middle = float(np.nanmedian(values))
    return middle, 1.4826 * float(np.nanmedian(np.abs(values - middle)))


def _above_run(
    view: ClassView, values: NDArray[np.floating] | None, *, scaled: bool
) -> float | Absent:
    """Return the median over the class's particles, above that of the run."""
    found = view.run.assignments
    if found is None or values is None:
        return NO_METADATA
    mine = values[found.number == view.average.number]
    mine = mine[np.isfinite(mine)]
    if len(mine) < FEWEST_PARTICLES:
        return NO_PARTICLES
    middle, deviation = _particle_scale(values.astype(np.float64))
    above = float(np.median(mine)) - middle
    if not scaled:
        return above
    return above / deviation if deviation > 0 else Absent("all particles have the same likelihood")


FEATURES: tuple[Feature, ...] = (
    particle_number,
    population_share,
    population_ratio,
    class_resolution_a,
    relative_resolution,
    resolution_ratio,
    population_per_resolution,
    rotation_accuracy_deg,
    rotation_accuracy_ratio,
    relative_shift_accuracy,
    half_correlation_mean,
    half_relative_resolution,
    assignment_probability,
    likelihood_z,
    offset_ratio,
)
