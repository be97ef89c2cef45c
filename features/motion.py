"""Beam-induced motion, as the list gave it; nothing of it can be measured in the summed image."""

from __future__ import annotations

from cryoverdict.features.feature import Absent, Answer, Given, feature
from cryoverdict.features.view import View

_SOURCE = "RELION rlnAccumMotionTotal, -Early, -Late; cryoSPARC rigid motion"


def _given(value: float | None) -> Answer:
    """Return a value of the list as given, or that there is none."""
    return Absent("the list carries no motion") if value is None else Given(value)


@feature(unit="A", better="lower", source=_SOURCE)
def motion_total_a(view: View) -> Answer:
    """Length of the path of the specimen during the exposure."""
    given = view.micrograph.given_motion
    return _given(given.total_a if given else None)


@feature(unit="A", better="lower", source=_SOURCE)
def motion_early_a(view: View) -> Answer:
    """Length of the path during the first electrons, when the beam sets the ice in motion."""
    given = view.micrograph.given_motion
    return _given(given.early_a if given else None)


@feature(unit="A", better="lower", source=_SOURCE)
def motion_late_a(view: View) -> Answer:
    """Length of the path after the first electrons, when a stable specimen hardly moves."""
    given = view.micrograph.given_motion
    return _given(given.late_a if given else None)


@feature(better="lower", source="rlnAccumMotionLate over rlnAccumMotionEarly")
def motion_late_ratio(view: View) -> Answer:
    """Late over early motion: a stage that drifts keeps moving, a good specimen settles."""
    given = view.micrograph.given_motion
    if given is None or given.late_a is None or given.early_a is None:
        return Absent("the list carries no motion")
    if given.early_a <= 0:
        return Absent("the early motion in the list is not positive")
    return Given(given.late_a / given.early_a)


FEATURES = (motion_total_a, motion_early_a, motion_late_a, motion_late_ratio)
