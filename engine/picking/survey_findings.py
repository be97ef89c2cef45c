"""What a reader of a survey must know, in sentences."""

from __future__ import annotations

import numpy as np

from cryoverdict.engine.picking.survey_report import Surveyed

# Given and measured diameters that differ by more than this do not fit together.
AGREEING = 1.25
# Fewer deviations than this are nothing.
NOTHING = 5.0
# A wider interval than this share of the diameter is unsure.
UNSURE = 0.3


def survey_findings(done: Surveyed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences of a survey, and those of them for which a person should look again."""
    findings: list[str] = []
    review: list[str] = []
    if done.faults:
        findings.append(f"{len(done.faults)} micrographs could not be surveyed: {done.faults[0]}")
    if done.particle_evidence < NOTHING:
        text = "Hardly anything is found beyond chance: there may be no particles to pick."
        findings.append(text)
        review.append(text)
    measured = None if done.size is None else done.size.diameter_a
    given = done.given_diameter_a
    if given is not None and measured is not None:
        ratio = max(given / measured, measured / given)
        text = f"The given diameter is {given:.0f} Å, the images alone say {measured:.0f} Å."
        findings.append(text)
        if ratio > AGREEING:
            review.append(text)
    if measured is None:
        text = "No size confirms itself in the images."
        findings.append(text)
        review.append(text)
    if not isinstance(done.second, str) and measured is not None:
        text = (
            f"Two sizes live in the data: {measured:.0f} Å and {done.second.diameter_a:.0f} Å, "
            f"{done.second.share:.0%} of the particles."
        )
        findings.append(text)
        review.append(text)
    if len(done.spread) and measured is not None:
        low, high = np.percentile(done.spread, [2.5, 97.5])
        if high - low > UNSURE * measured:
            review.append(f"The diameter is unsure: {low:.0f} to {high:.0f} Å.")
    unknown = sum(i.ctf is None for i in done.images)
    if unknown:
        findings.append(
            f"{unknown} of {len(done.images)} micrographs have no CTF: their phases stay as they "
            "are."
        )
    return tuple(findings), tuple(review)
