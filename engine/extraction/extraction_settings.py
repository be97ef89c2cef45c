"""The settled numbers that extraction runs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from cryoverdict.engine.engine_error import EngineError

EdgePolicy = Literal["particle", "box", "fill"]
# RELION's own usual choice: the background lies outside 75 % of the box's width.
USUAL_RADIUS = 0.375
NEEDED = ("box_px", "binned_box_px", "background_radius_px", "invert_contrast", "fit_plane")
LEAST_BOX_PX = 8
MOST_BOX_PX = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSettings:
    """How particle images are cut; the names are those of the classification decision.

    A window of ``box_px`` (even) pixels of the micrograph is Fourier-cropped to ``binned_box_px``.
    The background is what lies further than ``background_radius_px`` (of the binned box) from the
    centre; with ``normalise`` its mean becomes 0 and its standard deviation 1, after a plane
    fitted to it was taken off where ``fit_plane``. Pixels further than ``dust_sigma`` standard
    deviations from the background's mean are replaced by noise (``None``: none are).
    ``binned_pixel_size_a`` is what the decision meant the binned pixel to be (``None``: whatever
    the micrographs give). Of picks closer than ``duplicate_distance_a`` the best stays (0: all).

    ``edge`` says what must lie inside the micrograph: four fifths of the ``particle`` (a disc of
    its picked diameter, at most ``mask_diameter_a``, else what is within the background radius),
    the whole ``box``, or nothing (``fill``). What is outside is filled with the nearest pixels, as
    RELION does. Raises `EngineError` for numbers that fit no box.
    """

    box_px: int
    binned_box_px: int
    background_radius_px: int
    invert_contrast: bool
    fit_plane: bool
    dust_sigma: float | None = None
    float16: bool = False
    duplicate_distance_a: float = 0.0
    binned_pixel_size_a: float | None = None
    mask_diameter_a: float | None = None
    normalise: bool = True
    edge: EdgePolicy = "particle"

    def __post_init__(self) -> None:
        """Refuse numbers that no image can be cut with."""
        faults = [
            f"{name} is {size:g}; accepted is an even number from {LEAST_BOX_PX} to {MOST_BOX_PX}"
            for name in ("box_px", "binned_box_px")
            if (size := getattr(self, name)) % 2 or not LEAST_BOX_PX <= size <= MOST_BOX_PX
        ]
        if self.binned_box_px > self.box_px:
            faults.append(
                f"binned_box_px is {self.binned_box_px}, more than box_px {self.box_px}; "
                "particles are binned, never enlarged"
            )
        if not 0 < 2 * self.background_radius_px <= self.binned_box_px:
            faults.append(
                f"background_radius_px is {self.background_radius_px}; accepted is 1 to half the "
                f"binned box of {self.binned_box_px} px"
            )
        if self.dust_sigma is not None and not self.dust_sigma > 0.0:
            faults.append(f"dust_sigma is {self.dust_sigma:g}; accepted is more than 0, or none")
        faults += [
            f"{name} is {length:g}; accepted is more than 0, or none"
            for name in ("binned_pixel_size_a", "mask_diameter_a")
            if (length := getattr(self, name)) is not None and not length > 0.0
        ]
        if not self.duplicate_distance_a >= 0.0:
            faults.append(
                f"duplicate_distance_a is {self.duplicate_distance_a:g}; accepted is 0 up"
            )
        if faults:
            msg = f"extraction settings: {'; '.join(faults)}"
            raise EngineError(msg)

    @property
    def binning(self) -> float:
        """How many micrograph pixels a pixel of the particle image is wide."""
        return self.box_px / self.binned_box_px

    @property
    def particle_radius_px(self) -> int:
        """Radius of the particle in micrograph pixels: half its mask, never into the background."""
        radius = self.background_radius_px * self.binning
        if self.mask_diameter_a is not None and self.binned_pixel_size_a is not None:
            mask = self.mask_diameter_a / 2.0 / self.binned_pixel_size_a * self.binning
            radius = min(radius, mask)
        return min(self.box_px // 2, ceil(radius))

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, float | None], *, edge: EdgePolicy = "particle"
    ) -> ExtractionSettings:
        """Return the settings held by a mapping such as the parameters of ``classification.json``.

        Names that extraction does not know are left alone; a ``dust_sigma`` of 0 or none switches
        dust removal off. Raises `EngineError` naming all that are missing or not settled.
        """
        missing = [name for name in NEEDED if settings.get(name) is None]
        if missing:
            msg = f"extraction settings: not settled are {', '.join(missing)}; decide or give them"
            raise EngineError(msg)

        def value(name: str) -> float:
            return float(settings.get(name) or 0.0)

        return cls(
            box_px=round(value("box_px")),
            binned_box_px=round(value("binned_box_px")),
            background_radius_px=round(value("background_radius_px")),
            invert_contrast=value("invert_contrast") > 0.5,
            fit_plane=value("fit_plane") > 0.5,
            dust_sigma=value("dust_sigma") or None,
            float16=value("float16") > 0.5,
            duplicate_distance_a=value("duplicate_distance_a"),
            binned_pixel_size_a=value("binned_pixel_size_a") or None,
            mask_diameter_a=value("mask_diameter_a") or None,
            edge=edge,
        )
