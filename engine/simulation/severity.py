"""The rule by which a simulated micrograph is good or bad: how much is lost, on one scale.

Each defect's measured quantity (area, length, dose …) is put on a scale from 0 to 1 by straight
lines between the numbers of `SCALES`: up to 0.3 an expert keeps the micrograph without a thought,
from 0.3 to 0.5 with regret, from 0.5 on rejects it, 1 is hopeless. Defects add up as
``S = 1 − Π(1 − s)``. The verdict is bad where S ≥ 0.5; the grade of a good one is great where
S < 0.15, else decent; 0.35 ≤ S < 0.65 is the grey zone in which two experts may differ. The numbers
follow the project's collection of expert rules: film or contamination of 10 % is tolerated, 50 % is
not; astigmatism beyond 1,000 to 2,000 Å, defocus outside 0.2 to 6 µm and so on.
"""

from __future__ import annotations

import numpy as np

GREAT_BELOW = 0.15
BAD_FROM = 0.5
GREY_ZONE = (0.35, 0.65)

LABELS = (
    "contamination",
    "film",
    "empty_no_ice",
    "empty_vitreous_ice",
    "crystalline_ice",
    "thick_ice",
    "drift",
    "bad_ctf",
    "broken_exposure",
    "low_dose",
)

# Quantity → severity, as two rows of equal length; quantities rise or fall monotonically.
SCALES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Fractions of the area.
    "contaminated_area": ((0.0, 0.03, 0.10, 0.25, 0.80), (0.0, 0.10, 0.3, 0.5, 1.0)),
    "film_area": ((0.0, 0.05, 0.20, 0.40, 0.95), (0.0, 0.10, 0.3, 0.5, 1.0)),
    "vacuum_area": ((0.0, 0.02, 0.12, 0.30, 0.95), (0.0, 0.10, 0.3, 0.5, 1.0)),
    "crystalline_area": ((0.0, 0.02, 0.08, 0.20, 0.90), (0.0, 0.10, 0.3, 0.5, 1.0)),
    "broken_area": ((0.0, 0.001, 0.006, 0.03, 0.50), (0.0, 0.10, 0.3, 0.5, 1.0)),
    # Fraction of the usable area that particles take.
    "particle_cover": ((0.02, 0.012, 0.007, 0.0), (0.0, 0.3, 0.5, 1.0)),
    # Ice thickness in mean free paths.
    "free_paths": ((0.15, 0.30, 0.45, 1.30), (0.0, 0.3, 0.5, 1.0)),
    # Equivalent blurred length in Å.
    "drift_a": ((0.5, 3.0, 7.0, 25.0, 80.0), (0.0, 0.3, 0.5, 0.8, 1.0)),
    "astigmatism_a": ((300.0, 700.0, 1400.0, 6000.0), (0.0, 0.3, 0.5, 1.0)),
    "far_defocus_a": ((35000.0, 50000.0, 65000.0, 120000.0), (0.0, 0.3, 0.5, 1.0)),
    # Underfocus; overfocus is negative. With a phase plate near focus is no fault.
    "near_defocus_a": ((5000.0, 3200.0, 1800.0, -1000.0), (0.0, 0.3, 0.5, 1.0)),
    "tilt_deg": ((15.0, 32.0, 48.0, 65.0), (0.0, 0.3, 0.5, 1.0)),
    "dose_e_per_a2": ((20.0, 13.0, 7.0, 0.7), (0.0, 0.3, 0.5, 1.0)),
    # Fraction of the dose that arrived, and weight of a second field of view.
    "shutter": ((0.85, 0.5, 0.25, 0.0), (0.0, 0.3, 0.5, 1.0)),
    "second_exposure": ((0.01, 0.06, 0.15, 0.5), (0.0, 0.3, 0.5, 1.0)),
}


def severity(scale: str, quantity: float) -> float:
    """Return the severity, 0 to 1, of a quantity on one of `SCALES`.

    >>> severity("dose_e_per_a2", 7.0)
    0.5
    """
    quantities, severities = SCALES[scale]
    if quantities[0] > quantities[-1]:
        quantities, severities = quantities[::-1], severities[::-1]
    return float(np.interp(quantity, quantities, severities))


def quantity(scale: str, strength: float) -> float:
    """Return the quantity that has the severity ``strength``: the inverse of `severity`.

    >>> quantity("dose_e_per_a2", 0.5)
    7.0
    """
    quantities, severities = SCALES[scale]
    return float(np.interp(strength, severities, quantities))


def combined(severities: dict[str, float]) -> float:
    """Return S = 1 − Π(1 − s) over all defects.

    >>> combined({"drift": 0.5, "film": 0.5})
    0.75
    """
    kept = 1.0
    for value in severities.values():
        kept *= 1.0 - value
    return 1.0 - kept
