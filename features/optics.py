"""The optical settings under which a micrograph was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from types import MappingProxyType

from cryoverdict.features.input_error import InputError

# The widest values a transmission electron microscope has; outside them a number is a mistake.
ACCEPTED: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "pixel_size_a": (0.05, 100.0),
        "voltage_kv": (20.0, 1500.0),
        "cs_mm": (0.0, 20.0),
        "amplitude_contrast": (0.0, 1.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """Pixel size (Å), voltage (kV), spherical aberration (mm) and amplitude contrast (0 to 1).

    What is unknown is ``None``. Raises `InputError` for a number no microscope has, such as a
    pixel size of 0 Å.
    """

    pixel_size_a: float | None = None
    voltage_kv: float | None = None
    cs_mm: float | None = None
    amplitude_contrast: float | None = None

    def __post_init__(self) -> None:
        """Refuse absurd numbers at the border, so that no later step meets one."""
        faults = []
        for name, (low, high) in ACCEPTED.items():
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and low <= value <= high):
                faults.append(f"{name} is {value:g}; accepted is {low:g} to {high:g}")
        if faults:
            raise InputError("; ".join(faults))

    def completed(self, other: Optics) -> Optics:
        """Return these optics with what is unknown taken from ``other``."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return Optics(**{k: v if v is not None else getattr(other, k) for k, v in mine.items()})

    @property
    def missing_for_ctf(self) -> tuple[str, ...]:
        """Names of the settings without which no CTF can be computed."""
        needed = ("pixel_size_a", "voltage_kv", "cs_mm", "amplitude_contrast")
        return tuple(name for name in needed if getattr(self, name) is None)


def electron_wavelength_a(voltage_kv: float) -> float:
    """Return the relativistic electron wavelength in Å.

    Source: λ = h / √(2 m e V (1 + eV / 2mc²)), as in every CTF program.

    >>> round(electron_wavelength_a(300.0), 5)
    0.01969
    """
    volts = voltage_kv * 1e3
    return float(12.2642598 / (volts * (1.0 + 9.78475598e-7 * volts)) ** 0.5)
