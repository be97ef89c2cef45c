"""What the embedding's network is asked about a simulated micrograph, and what it may not know."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.defects import MECHANISMS
from cryoverdict.engine.simulation.severity import BAD_FROM, LABELS, combined
from cryoverdict.engine.training.visible_truth import hidden_defects, visible_severities

# A micrograph this much worse than the limit is bad for everybody.
CERTAIN = 0.08
MECHANISM_NAMES = tuple(sorted(MECHANISMS))
# Name → centre and width of what is regressed.
QUANTITIES: Mapping[str, tuple[float, float]] = {
    "log_defocus": (math.log(18000.0), 0.7),
    "log_ice": (math.log(400.0), 0.7),
    "log_dose": (math.log(40.0), 0.7),
    "log_density": (math.log(300.0), 1.5),
    "usable": (0.8, 0.25),
    "log_pixel": (math.log(2.0), 0.7),
}
UNSEEN_IN_PICTURES = frozenset({"log_defocus", "log_ice", "log_dose", "log_pixel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Answers for many micrographs, and where each is known.

    ``yes`` ``(rows, questions)`` are probabilities: the verdict bad, each defect, each mechanism.
    ``numbers`` ``(rows, quantities)`` are standardised. Both have a mask of the same shape.
    """

    yes: NDArray[np.float32]
    yes_known: NDArray[np.bool_]
    numbers: NDArray[np.float32]
    numbers_known: NDArray[np.bool_]


def questions() -> tuple[str, ...]:
    """Return the names of the questions with a yes or no: verdict, defects, what brought them."""
    return ("bad", *LABELS, *(f"by {name}" for name in MECHANISM_NAMES))


def targets_of(truths: Sequence[Mapping[str, Any]]) -> Targets:
    """Return the answers for some truths of the reference catalogue."""
    names = questions()
    yes = np.zeros((len(truths), len(names)), np.float32)
    yes_known = np.ones(yes.shape, np.bool_)
    numbers = np.zeros((len(truths), len(QUANTITIES)), np.float32)
    numbers_known = np.zeros(numbers.shape, np.bool_)
    for i, truth in enumerate(truths):
        hidden, seen = hidden_defects(truth), visible_severities(truth)
        yes[i, 0] = 1.0 / (1.0 + math.exp(-(combined(seen) - BAD_FROM) / CERTAIN))
        for j, name in enumerate(LABELS, start=1):
            yes[i, j] = _present(seen.get(name, 0.0))
            yes_known[i, j] = name not in hidden
        for j, name in enumerate(MECHANISM_NAMES, start=1 + len(LABELS)):
            yes[i, j] = _present(truth["mechanisms"].get(name, 0.0))
        for j, (name, (centre, width)) in enumerate(QUANTITIES.items()):
            value = _number(name, truth)
            if value is not None and not (truth["picture"] and name in UNSEEN_IN_PICTURES):
                numbers[i, j] = np.clip((value - centre) / width, -3.0, 3.0)
                numbers_known[i, j] = True
    return Targets(yes=yes, yes_known=yes_known, numbers=numbers, numbers_known=numbers_known)


def _present(severity: float) -> float:
    """Return the probability that an expert names a defect of some severity."""
    t = float(np.clip((severity - 0.15) / 0.55, 0.0, 1.0))
    return t * t * (3.0 - 2.0 * t)


def _number(name: str, truth: Mapping[str, Any]) -> float | None:
    """Return one quantity of a truth, ``None`` where it has none."""
    match name:
        case "log_defocus":
            defocus = float(truth["defocus_a"])
            return math.log(defocus) if defocus > 1000.0 else None
        case "log_ice":
            return math.log(max(50.0, float(truth["ice_thickness_a"])))
        case "log_dose":
            return math.log(max(0.5, float(truth["dose_e_per_a2"])))
        case "log_density":
            return math.log(10.0 + float(truth["particles_per_um2"]))
        case "log_pixel":
            return math.log(float(truth["pixel_size_a"]))
        case _:
            return float(truth["usable"])
