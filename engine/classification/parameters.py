"""What a 2D classification is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from cryoverdict.engine.engine_error import EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationParameters:
    """The settings of one 2D classification; the defaults suit boxes of 48 to 128 px.

    ``classes``: number of class averages. ``mask_diameter_a``: diameter of the soft circular mask.
    ``resolution_limit_a``: no finer detail is compared (never beyond 2.2 pixels).
    ``offset_range_px``: how far from its box's centre a particle may lie.
    ``prior_strength``: factor on the signal's expected power; larger keeps more detail and more
    noise (RELION's ``tau2_fudge`` is twice this number). ``until_first_peak``: leave the CTF's
    first rise uncorrected, for strong low frequencies. ``subset_per_class``: particles per class
    that the first iterations look at; smaller sets are used whole from the start.
    ``resident_mib``: memory for the prepared particles; larger sets are read from disk each time.
    """

    classes: int = 50
    mask_diameter_a: float
    resolution_limit_a: float = 12.0
    iterations: int = 25
    offset_range_px: float = 5.0
    mask_edge_px: float = 5.0
    prior_strength: float = 1.0
    correct_ctf: bool = True
    until_first_peak: bool = False
    norm_correction: bool = False
    starts: int = 3
    subset_per_class: int = 200
    resident_mib: int = 1536

    def __post_init__(self) -> None:
        """Refuse settings with which nothing could be classified, all of them at once."""
        faults = []
        for name, low, high in (
            ("classes", 1, 5000),
            ("mask_diameter_a", 1.0, 1e5),
            ("resolution_limit_a", 1.0, 200.0),
            ("iterations", 1, 1000),
            ("offset_range_px", 0.0, 64.0),
            ("mask_edge_px", 1.0, 64.0),
            ("prior_strength", 1e-3, 1e3),
            ("starts", 1, 100),
            ("subset_per_class", 1, 10**9),
            ("resident_mib", 0, 10**7),
        ):
            value = getattr(self, name)
            if not (isfinite(value) and low <= value <= high):
                faults.append(f"{name} is {value:g}; accepted is {low:g} to {high:g}")
        if faults:
            msg = f"2D classification: {'; '.join(faults)}"
            raise EngineError(msg)
