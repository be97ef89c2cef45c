"""What a finished classification shows of itself: collapse, streaks, overfitting, stall."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification_run.class_run import ClassRun
from cryoverdict.features.feature import Absent, Answer

# The facts of the kind «classification» that only a finished run has.
SYMPTOMS = (
    "empty_class_share",
    "class_size_gini",
    "streak_ratio",
    "round_share",
    "held_back_ratio",
    "overfit_share",
    "changed_share",
    "class_resolution_a",
)
EMPTY = 0.1
# A class as fine as the largest ones from this part of their particles claims too much: the ratio
# of signal to noise power in an average is proportional to its particles.
SMALL = 1.0 / 8.0
LARGEST = 3
FINER = 1.02
FEWEST_PIXELS = 24
# An average of which circles about its centre say more than this is no view of anything.
ROUND = 0.99


def symptoms_of(run: ClassRun, mask_diameter_a: float) -> Mapping[str, Answer]:
    """Return the facts that a run's own files tell, by name; a reason where one is not known.

    What needs the particle images too is found by `image_symptoms`.
    """
    counts = run.count.astype(np.float64)
    used = counts > EMPTY * counts.mean()
    last = run.history[-1] if run.history else {}
    known = used & np.isfinite(run.resolution_a)
    return {
        "empty_class_share": float(1.0 - used.mean()),
        "class_size_gini": gini(counts),
        "streak_ratio": _streaks(run, used, mask_diameter_a),
        "round_share": _round(run, used, mask_diameter_a),
        "overfit_share": _overfitted(run, used),
        "changed_share": _told(
            last.get("changed"),
            "the last iteration does not say which particles changed their class",
        ),
        "class_resolution_a": (
            weighted_median(run.resolution_a[known], counts[known])
            if known.any()
            else Absent("no class has a resolution")
        ),
    }


def gini(counts: NDArray[np.float64]) -> float:
    """Return the Gini coefficient of sizes: 0 all equal, near 1 one has everything.

    >>> gini(np.array([5.0, 5.0, 5.0])), round(gini(np.array([0.0, 0.0, 0.0, 8.0])), 2)
    (0.0, 0.75)
    """
    ordered = np.sort(counts)
    n, total = len(ordered), float(ordered.sum())
    if total == 0.0:
        return 0.0
    return float((2.0 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def streak_ratio(average: NDArray[np.float32], inner_px: float, outer_px: float) -> float | None:
    """Return how much more an image changes along the circle than along the radius, in a ring.

    Mean squared slopes between the radii ``inner_px`` and ``outer_px``, after the mean over each
    circle is taken off (and with it the mask's fall). Noise of any spectrum that has no direction
    gives 1, radial streaks much more. ``None`` where the ring is empty or flat.
    """
    box = average.shape[-1]
    axis = np.arange(box) - box // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    radius = np.hypot(x, y)
    ring = (radius >= inner_px) & (radius <= outer_px) & (radius < box // 2 - 1) & (radius > 0)
    if ring.sum() < FEWEST_PIXELS:
        return None
    slope_y, slope_x = np.gradient(average - _circle_means(average, radius))
    along_radius = (slope_x * x + slope_y * y)[ring] / radius[ring]
    along_circle = (slope_y * x - slope_x * y)[ring] / radius[ring]
    radial = float((along_radius**2).mean())
    return float((along_circle**2).mean()) / radial if radial > 0 else None


def roundness(average: NDArray[np.float32], outer_px: float) -> float | None:
    """Return the share of an average's variance within ``outer_px`` that its circles' means hold.

    1 for a blob that is the same all round, 0.6 to 0.85 for views of particles (simulated mixtures
    of six shapes, and a real set); ``None`` for an empty average.
    """
    axis = np.arange(average.shape[-1]) - average.shape[-1] // 2
    radius = np.hypot(*np.meshgrid(axis, axis, indexing="ij"))
    inside = radius <= outer_px
    values = average[inside].astype(np.float64)
    whole = float(((values - values.mean()) ** 2).sum())
    left = float(((values - _circle_means(average, radius)[inside]) ** 2).sum())
    return 1.0 - left / whole if whole > 0 else None


def _circle_means(average: NDArray[np.float32], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image in which each pixel is the mean over its circle, between whole radii too."""
    near = np.rint(radius).astype(np.int64).ravel()
    size = np.maximum(np.bincount(near), 1)
    means = np.bincount(near, average.astype(np.float64).ravel()) / size
    return np.interp(radius.ravel(), np.arange(len(means)), means).reshape(radius.shape)


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def _told(value: float | None, why_not: str) -> Answer:
    """Return what the last iteration says, or why it does not."""
    return Absent(why_not) if value is None else float(value)


def _streaks(run: ClassRun, used: NDArray[np.bool_], mask_diameter_a: float) -> Answer:
    """Return the median over the used classes, in the outer third of the mask's radius."""
    outer = _outer_px(run, mask_diameter_a)
    found = [
        streak_ratio(run.averages[k], 0.65 * outer, 0.95 * outer) for k in np.flatnonzero(used)
    ]
    weights = [float(n) for n, r in zip(run.count[used], found, strict=True) if r is not None]
    known = [r for r in found if r is not None]
    if not known:
        return Absent("no class average has a ring outside the particle")
    return weighted_median(np.array(known), np.array(weights))


def _outer_px(run: ClassRun, mask_diameter_a: float) -> float:
    """Return the mask's radius, within the box."""
    return float(min(0.5 * mask_diameter_a / run.pixel_size_a, run.averages.shape[-1] / 2 - 2))


def _round(run: ClassRun, used: NDArray[np.bool_], mask_diameter_a: float) -> Answer:
    """Return the share of the used classes' particles whose average is the same all round."""
    outer = _outer_px(run, mask_diameter_a)
    found = {k: roundness(run.averages[k], outer) for k in np.flatnonzero(used)}
    known = {k: value for k, value in found.items() if value is not None}
    if not known:
        return Absent("all class averages are empty")
    alike = sum(int(run.count[k]) for k, value in known.items() if value > ROUND)
    return alike / sum(int(run.count[k]) for k in known)


def _overfitted(run: ClassRun, used: NDArray[np.bool_]) -> Answer:
    """Return the share of the used classes that claim too fine a resolution for their size."""
    known = used & np.isfinite(run.resolution_a)
    if known.sum() < 2 * LARGEST:
        return Absent("too few classes with a resolution")
    order = np.argsort(-run.count, kind="stable")
    largest = [k for k in order if known[k]][:LARGEST]
    finest = float(run.resolution_a[largest].min())
    size = float(run.count[largest].min())
    claims = known & (run.count < SMALL * size) & (run.resolution_a <= finest / FINER)
    return float(claims.sum() / known.sum())
