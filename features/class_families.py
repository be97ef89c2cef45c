"""The families of measurements of a class average, and the measuring of all of them."""

from __future__ import annotations

from functools import cache

import numpy as np

from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_embedding import class_embedding, installed_class_network
from cryoverdict.features.class_view import ClassView, prepare_classes
from cryoverdict.features.families import answer_of
from cryoverdict.features.feature import Absent, Answer, Better, Feature, Given
from cryoverdict.features.table import FeatureTable

# What is also told as its place within the run: an absolute number does not travel.
WITHIN_RUN = (
    "class_resolution_a",
    "rotation_accuracy_deg",
    "half_correlation_mean",
    "coarse_centre_edge",
    "middle_centre_edge",
    "fine_centre_edge",
    "beyond_power_share",
    "detail_cycles",
    "object_area_share",
    "object_contrast",
    "rim_contact_share",
    "centre_level",
    "edge_unevenness",
    "plane_share",
    "straight_edge_score",
    "round_share",
    "fuzzy_ball_score",
    "local_deviation_outside",
    "neighbour_correlation",
    "overfit_score",
    "streak_score",
    "nearest_likeness",
    "company_likeness",
)
FEWEST_CLASSES = 6
MOST_DEVIATIONS = 8.0
# As for data-set statistics: no measurement repeats better than this.
RELATIVE_FLOOR, ABSOLUTE_FLOOR = 0.01, 1e-3


@cache
def class_features() -> tuple[Feature, ...]:
    """Return every registered measurement of a class average, family by family."""
    plain = plain_features()
    by_name = {f.name: f for f in plain}
    return (*plain, *(_within_run(by_name[name]) for name in WITHIN_RUN))


@cache
def plain_features() -> tuple[Feature, ...]:
    """Return the measurements that are made of an average itself."""
    from cryoverdict.features import (
        class_band,
        class_company,
        class_extent,
        class_metadata,
        class_profile,
        class_texture,
    )

    families = (
        class_metadata,
        class_band,
        class_extent,
        class_profile,
        class_texture,
        class_company,
    )
    return tuple(f for family in families for f in family.FEATURES)


def measure_classes(classes: ClassSet) -> FeatureTable:
    """Return the feature table of all class averages of one run."""
    return measure_views(prepare_classes(classes))


def measure_views(views: tuple[ClassView, ...]) -> FeatureTable:
    """Return the feature table of prepared class averages, with embeddings where they have any."""
    features = class_features()
    rows = {v.average.subject: {f.name: answer_of(f, v) for f in features} for v in views}
    network = installed_class_network()
    seen = {v.average.subject: v.once(class_embedding) for v in views}
    vectors = {s: vector for s, vector in seen.items() if not isinstance(vector, Absent)}
    return FeatureTable.of(rows, features, {network.name: vectors} if network else None)


def _within_run(base: Feature) -> Feature:
    """Return the measurement of a value's place within its run, in robust deviations."""

    def value(view: ClassView) -> float | None:
        """Return the base measurement as a number."""
        match answer_of(base, view):
            case Absent():
                return None
            case Given(number):
                return number
            case number:
                return number

    def within_run(view: ClassView) -> Answer:
        """Return (value − median) / (1.4826 · MAD) over the run's classes."""
        values = view.run.values(value)
        known = values[np.isfinite(values)]
        own = values[view.run.views.index(view)]
        if not np.isfinite(own):
            return Absent(f"{base.name} is absent")
        if known.size < FEWEST_CLASSES:
            return Absent(f"only {known.size} classes have it; accepted are {FEWEST_CLASSES}")
        middle = float(np.median(known))
        spread = 1.4826 * float(np.median(np.abs(known - middle)))
        floor = max(RELATIVE_FLOOR * abs(middle), ABSOLUTE_FLOOR)
        return float(
            np.clip((own - middle) / max(spread, floor), -MOST_DEVIATIONS, MOST_DEVIATIONS)
        )

    better: Better = base.better
    return Feature(
        name=f"{base.name.removesuffix('_a').removesuffix('_deg')}_z",
        unit="1",
        better=better,
        meaning=f"{base.meaning.rstrip('.')}: in robust deviations from the median of the run.",
        source=f"{base.source}; SIMPLE (median and MAD within the run)",
        function=within_run,
    )
