"""What the micrographs say, before anything is picked, of how to pick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.parameter_decision import Estimate
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.features.feature import Answer

# The facts a survey gives, with unit and meaning; engine/kinds/picking.py declares them as `Fact`s.
FACTS: tuple[tuple[str, str, str], ...] = (
    ("micrographs_surveyed", "count", "Micrographs the survey looked at."),
    ("given_diameter_a", "A", "Diameter that the user gave."),
    ("measured_diameter_a", "A", "Diameter measured in the images alone."),
    ("measured_diameter_low_a", "A", "Lower end of its 95 % bootstrap interval."),
    ("measured_diameter_high_a", "A", "Upper end of its 95 % bootstrap interval."),
    ("measured_extent_a", "A", "Longest extent of the round body measured in the images."),
    ("class_diameter_a", "A", "Diameter of the disc with the mean area of the good classes."),
    ("class_diameter_max_a", "A", "Longest extent of a view in the good class averages."),
    ("class_cut_share", "1", "Share of the good particles whose average reaches its mask's edge."),
    ("second_diameter_a", "A", "Diameter of a second population, where there is one."),
    ("second_diameter_share", "1", "Fraction of the particles in the second population."),
    ("mean_pixel_size_a", "A", "Pixel size of the micrographs."),
    ("smallest_field_a", "A", "Shorter side of the smallest micrograph."),
    ("median_defocus_um", "um", "Median underfocus."),
    ("largest_defocus_um", "um", "Largest underfocus."),
    ("ctf_known_fraction", "1", "Fraction of the surveyed micrographs with a CTF."),
    ("usable_fraction", "1", "Mean fraction of the field that is usable."),
    ("expected_per_micrograph", "count", "Median picks a micrograph at the threshold."),
    ("crowding_ratio", "1", "Fraction of the usable area that the picks cover."),
    ("separation", "1", "Separation of particle scores from the null, in deviations."),
    ("null_share", "1", "Share of the places above the threshold that the null explains."),
    ("particle_evidence", "1", "Maxima beyond chance in deviations; below 5 nothing is there."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingSurvey:
    """Facts, estimates and findings of a survey, and the curves that show them.

    ``facts`` has an answer for each name of `FACTS`. ``estimates`` are keyed by the picking
    parameters' names. ``findings`` are sentences for the report, ``review_reasons`` those that
    make a person look again. ``curves`` are arrays for the page:

    ``diameters_a`` ``(k,)`` with ``size_evidence`` and ``size_evidence_light`` ``(k,)`` (squared
    scores beyond the null added up, a micrograph, of things of the particles' contrast and of the
    opposite);
    ``bootstrap_diameters_a`` ``(b,)``; ``profile_radius_a`` and ``profile`` ``(r,)``, the radial
    profile of the average of what was found; ``average`` ``(n, n)`` with ``average_pixel_size_a``
    ``(1,)``; ``score_edges`` ``(h + 1,)`` with ``score_counts`` and ``null_counts`` ``(h,)``
    (the null in the same area); ``fdr_scores``, ``fdr`` and ``expected_f1`` ``(m,)``
    (a miss counting twice a false pick);
    ``confirmed_diameters_a`` and ``confirmed_evidence`` ``(s,)``, sizes that confirm themselves;
    ``per_micrograph`` ``(n,)`` picks at the threshold, in the order of ``subjects``.
    ``templates`` are what the picker is to look for, in either round, where that finds more than
    soft balls: the mean round shape of what was found, or the class averages of round two. They
    must be written beside the parameters and handed to the picker: the threshold is theirs.
    """

    facts: Mapping[str, Answer]
    estimates: Mapping[str, Estimate]
    findings: tuple[str, ...] = ()
    review_reasons: tuple[str, ...] = ()
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    templates: Templates | None = None
