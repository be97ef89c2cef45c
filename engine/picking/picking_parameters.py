"""The settled numbers that picking runs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from cryoverdict.engine.engine_error import EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingParameters:
    """What the picking decision settled; lengths in Å.

    ``diameter_min_a`` to ``diameter_max_a`` are the sizes looked for. ``contrast_sign`` is −1 for
    dark particles on light ground and +1 for light on dark. ``lowpass_a`` is the finest detail
    used and ``picking_pixel_size_a`` the sampling picking works at. Two picks are at least
    ``spacing_a`` apart and ``edge_margin_a`` from the border. ``score_threshold`` and
    ``score_ceiling`` bound the score; the threshold holds ``false_discovery_rate`` on the data it
    was settled on. ``trial_particles`` is how many particles round one wants.
    """

    diameter_a: float
    diameter_min_a: float
    diameter_max_a: float
    contrast_sign: float
    lowpass_a: float
    picking_pixel_size_a: float
    spacing_a: float
    edge_margin_a: float
    false_discovery_rate: float
    score_threshold: float
    score_ceiling: float
    most_per_micrograph: int
    trial_particles: int

    def __post_init__(self) -> None:
        """Refuse numbers that picking cannot work with."""
        faults = [
            f"{name} is {getattr(self, name):g}; accepted is more than 0"
            for name in (
                "diameter_a",
                "diameter_min_a",
                "diameter_max_a",
                "picking_pixel_size_a",
                "spacing_a",
                "most_per_micrograph",
            )
            if not getattr(self, name) > 0.0
        ]
        if self.diameter_min_a > self.diameter_max_a:
            faults.append(
                f"diameter_min_a is {self.diameter_min_a:g}, above diameter_max_a "
                f"{self.diameter_max_a:g}"
            )
        if self.contrast_sign not in (-1.0, 1.0):
            faults.append(f"contrast_sign is {self.contrast_sign:g}; accepted are -1 and 1")
        if faults:
            raise EngineError("; ".join(faults))

    @classmethod
    def from_settings(cls, settings: Mapping[str, float | None]) -> PickingParameters:
        """Return the parameters held by a mapping such as that of ``picking.json``.

        Names that picking does not know are left alone. Raises `EngineError` naming all that are
        missing or not settled.
        """
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if settings.get(name) is None]
        if missing:
            msg = f"picking parameters: not settled are {', '.join(missing)}; decide or give them"
            raise EngineError(msg)
        values = {name: float(value) for name in names if (value := settings[name]) is not None}
        counts = {n: round(values.pop(n)) for n in ("most_per_micrograph", "trial_particles")}
        return cls(
            **values,
            most_per_micrograph=counts["most_per_micrograph"],
            trial_particles=counts["trial_particles"],
        )
