"""The families of measurements of a micrograph, and the measuring of all of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryoverdict.features.feature import Absent, Answer, Feature, Given
from cryoverdict.features.view import View


@cache
def micrograph_features() -> tuple[Feature, ...]:
    """Return every registered measurement of a micrograph, family by family."""
    from cryoverdict.features import area, ctf_family, drift, empty, grey, ice, light_spots, motion

    families = (ctf_family, grey, ice, area, empty, light_spots, drift, motion)
    return tuple(f for family in families for f in family.FEATURES)


def measure(view: View) -> dict[str, Answer]:
    """Return the answer of every registered measurement, by feature name.

    A measurement that comes out as no finite number is absent, and says so.
    """
    return {f.name: answer_of(f, view) for f in micrograph_features()}


def answer_of(feature: Feature, view: Any) -> Answer:
    """Return one answer; arithmetic that breaks down on an odd image is no reason to stop a run."""
    from numpy.linalg import LinAlgError

    try:
        return _finite(feature.measure(view))
    except (ArithmeticError, LinAlgError) as error:
        return Absent(f"it could not be computed on this image ({error})")


def _finite(answer: Answer) -> Answer:
    """Return the answer with plain Python numbers, absent where it is not finite."""
    from math import isfinite

    match answer:
        case Absent():
            return answer
        case Given(value):
            usable = isfinite(value)
            return Given(float(value)) if usable else Absent("the given value is not a number")
        case value:
            return float(value) if isfinite(value) else Absent("it came out as no finite number")
