"""How a class average compares with the other averages of its run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_band import BLANK
from cryoverdict.features.class_profile import ANGLES, RINGS, polar_image
from cryoverdict.features.class_view import ClassRun, ClassView
from cryoverdict.features.feature import Absent, Answer, Feature, feature

SOURCE = "ASPIRE (distance of class averages); correlation over all turns and the mirror image"
# So many classes are compared with all others at once, for the memory that it takes.
BLOCK = 128
ALONE = Absent("there is no other class to compare with")


@feature(source=SOURCE)
def nearest_likeness(view: ClassView) -> Answer:
    """Correlation with the most similar other class of the run, over all turns and mirrored."""
    if view.blank:
        return BLANK
    row = likeness(view.run)[view.run.views.index(view)]
    known = row[np.isfinite(row)]
    return float(known.max()) if known.size else ALONE


@feature(better="higher", source=SOURCE)
def company_likeness(view: ClassView) -> Answer:
    """Mean correlation with the other classes of the run, each counted by its particles."""
    if view.blank:
        return BLANK
    row = likeness(view.run)[view.run.views.index(view)]
    known = np.isfinite(row)
    weights = view.run.weights[known]
    return float(np.average(row[known], weights=weights)) if weights.sum() > 0 else ALONE


def likeness(run: ClassRun) -> NDArray[np.float64]:
    """Return ``(K, K)`` correlations of averages, the best over turns and mirror images.

    NaN on the diagonal and where an average is blank.
    """
    return run.once(_likeness)


def _likeness(run: ClassRun) -> NDArray[np.float64]:
    """Compute the correlations, all turns at once by a transform over the angle."""
    count = len(run.views)
    found = np.full((count, count), np.nan)
    chosen = np.flatnonzero([not v.blank for v in run.views])
    if len(chosen) < 2:
        return found
    polar = np.array([run.views[i].once(polar_image) for i in chosen])
    weight = np.sqrt(np.arange(1, RINGS + 1, dtype=np.float32))[None, :, None]
    polar = polar * weight
    # The level of the ground is not a likeness.
    polar -= (
        weight * (polar * weight).sum(axis=(1, 2), keepdims=True) / (ANGLES * (weight**2).sum())
    )
    polar /= np.maximum(np.sqrt((polar**2).sum(axis=(1, 2), keepdims=True)), 1e-9)
    waves = np.fft.rfft(polar, axis=2).astype(np.complex64)
    best = np.full((len(chosen), len(chosen)), -1.0)
    for other in (waves.conj(), waves):
        for start in range(0, len(chosen), BLOCK):
            rows = waves[start : start + BLOCK]
            turned = np.empty((len(rows), len(chosen), waves.shape[2]), dtype=np.complex64)
            for m in range(waves.shape[2]):
                turned[:, :, m] = rows[:, :, m] @ other[:, :, m].T
            found_here = np.fft.irfft(turned, ANGLES, axis=2).max(axis=2)
            best[start : start + BLOCK] = np.maximum(best[start : start + BLOCK], found_here)
    np.fill_diagonal(best, np.nan)
    found[np.ix_(chosen, chosen)] = best
    return found


FEATURES: tuple[Feature, ...] = (nearest_likeness, company_likeness)
