"""What of a simulated truth can be seen in the image that a model is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryoverdict.engine.simulation.severity import (
    BAD_FROM,
    GREAT_BELOW,
    GREY_ZONE,
    combined,
    quantity,
    severity,
)
from cryoverdict.engine.training.labelled_set import Label

# What a picture does not show: it has a coarse pixel, and no counts.
HIDDEN_IN_PICTURES = frozenset({"drift", "bad_ctf", "thick_ice", "low_dose"})
# Ways to go bad that leave nothing to see, and the defect that the simulator counts them as. A
# second field of view under the first only adds particles; bubbles are painted so faint that
# nobody finds them among particles.
UNSEEN_WAYS = {"double-exposure": "broken_exposure", "bubbling": "contamination"}
# A shutter that let half of the beam through only takes counts, which a picture has lost.
UNSEEN_WAYS_IN_PICTURES = UNSEEN_WAYS | {"blank": "broken_exposure"}
# What lay where the ice was torn away is not there any more; its scale of areas.
TORN_AWAY = {"contamination": "contaminated_area", "crystalline_ice": "crystalline_area"}
VACUUM = "empty_no_ice"
# A blur shorter than so many pixels leaves no trace in an image.
SHORTEST_BLUR_PX = 3.0
# An expert's verdict on a case in the grey zone is nearly a toss-up.
GREY_WEIGHT = 0.3

Record = Mapping[str, Any]


def hidden_defects(record: Record) -> frozenset[str]:
    """Return the defects that an image cannot show, whatever is true of the micrograph."""
    if record["picture"]:
        return HIDDEN_IN_PICTURES
    blur_px = float(record["drift_a"]) / float(record["pixel_size_a"])
    return frozenset({"drift"}) if blur_px < SHORTEST_BLUR_PX else frozenset()


def visible_severities(record: Record) -> dict[str, float]:
    """Return the severities of the defects that the image can show."""
    hidden = hidden_defects(record)
    ways = UNSEEN_WAYS_IN_PICTURES if record["picture"] else UNSEEN_WAYS
    seen = {name: float(s) for name, s in record["severities"].items() if name not in hidden}
    for name in seen.keys() & set(ways.values()):
        unseen = {w: float(s) for w, s in record["mechanisms"].items() if ways.get(w) == name}
        seen[name] = _without(seen[name], unseen)
    left = 1.0 - quantity("vacuum_area", seen.get(VACUUM, 0.0))
    for name in seen.keys() & TORN_AWAY.keys():
        scale = TORN_AWAY[name]
        seen[name] = severity(scale, left * quantity(scale, seen[name]))
    return seen


def _without(total: float, unseen: dict[str, float]) -> float:
    """Return a severity without the ways to go bad that show nothing.

    The strength of a way is its severity, and severities add up as in `combined`.
    """
    kept = 1.0 - combined(unseen)
    return max(0.0, 1.0 - (1.0 - total) / kept) if kept > 0.0 else 0.0


def visible_label(record: Record) -> Label | None:
    """Return what to learn from a record of the reference catalogue.

    ``None`` for a bad micrograph that looks good, since all that spoils it is hidden: no image
    teaches that. A defect counts as present from the severity at which it alone spoils a
    micrograph; a weaker or hidden one is in doubt. Verdict and grade follow from what can be seen;
    in the grey zone, in which two experts may differ, the verdict is unsure.
    """
    seen = visible_severities(record)
    total = combined(seen)
    good = record["verdict"] == "good"
    if not good and total < BAD_FROM:
        return None
    present = frozenset(name for name, s in seen.items() if s >= BAD_FROM)
    named = frozenset(record["severities"])
    return Label(
        favourable=good,
        grade=None if not good else ("great" if total < GREAT_BELOW else "decent"),
        defects=present,
        doubtful=named - present,
        weight=GREY_WEIGHT if GREY_ZONE[0] <= total < GREY_ZONE[1] else 1.0,
        severities={name: s for name, s in seen.items() if s > 0.0},
    )
