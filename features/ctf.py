"""The contrast transfer function of the electron microscope."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, degrees, isfinite, pi, radians

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics, electron_wavelength_a

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ctf:
    """One contrast transfer function, in the conventions of CTFFIND and RELION.

    Defocus in Å, positive for underfocus; ``defocus_u_a`` is the value along the direction
    ``defocus_angle_deg``, measured from the horizontal axis (columns) towards increasing rows,
    ``defocus_v_a`` the one across it. The aberration at spatial frequency s (1/Å), direction θ, is

        χ = π λ s² (Δf(θ) − λ² s² Cs / 2) + φ + arcsin(w),
        Δf(θ) = (U + V)/2 + (U − V)/2 · cos 2(θ − angle),

    with the phase shift φ and the amplitude contrast w, and the CTF is −sin χ.
    Source: Rohou & Grigorieff 2015, equations 2 to 4. Raises `InputError` for numbers that are
    not finite, or without a positive voltage.
    """

    defocus_u_a: float
    defocus_v_a: float
    defocus_angle_deg: float = 0.0
    phase_shift_deg: float = 0.0
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float

    def __post_init__(self) -> None:
        """Refuse what is no CTF."""
        faults = [
            f"{name} is {value:g}"
            for name in self.__slots__
            if not isfinite(value := getattr(self, name))
        ]
        if self.voltage_kv <= 0.0:
            faults.append(f"voltage_kv is {self.voltage_kv:g}; accepted is a positive voltage")
        if abs(self.amplitude_contrast) > 1.0:
            faults.append(f"amplitude_contrast is {self.amplitude_contrast:g}; accepted is 0 to 1")
        if faults:
            msg = f"CTF: {'; '.join(faults)}"
            raise InputError(msg)

    @classmethod
    def of(cls, given: GivenCtf, optics: Optics) -> Ctf:
        """Return a listed CTF under the optics of its micrograph, U the larger defocus.

        Raises `InputError` where the voltage, Cs or amplitude contrast is unknown.
        """
        voltage_kv, cs_mm, contrast = optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast
        if voltage_kv is None or cs_mm is None or contrast is None:
            unknown = [n for n in optics.missing_for_ctf if n != "pixel_size_a"]
            msg = f"CTF: {', '.join(unknown)} unknown; accepted are optics that name them"
            raise InputError(msg)
        swap = given.defocus_v_a > given.defocus_u_a
        low, high = sorted((given.defocus_u_a, given.defocus_v_a))
        return cls(
            defocus_u_a=high,
            defocus_v_a=low,
            defocus_angle_deg=half_turn_deg(given.defocus_angle_deg + (90.0 if swap else 0.0)),
            phase_shift_deg=given.phase_shift_deg or 0.0,
            voltage_kv=voltage_kv,
            cs_mm=cs_mm,
            amplitude_contrast=contrast,
        )

    @property
    def mean_defocus_a(self) -> float:
        """Mean of the two defoci, in Å."""
        return 0.5 * (self.defocus_u_a + self.defocus_v_a)

    @property
    def astigmatism_a(self) -> float:
        """Difference U − V of the two defoci, in Å."""
        return self.defocus_u_a - self.defocus_v_a

    @property
    def astigmatism_vector_a(self) -> tuple[float, float]:
        """The astigmatism as a vector (U − V)·(cos 2·angle, sin 2·angle), in Å.

        Vectors can be subtracted; the length of a difference is the usual error of a fit.
        """
        double = radians(2.0 * self.defocus_angle_deg)
        return self.astigmatism_a * float(np.cos(double)), self.astigmatism_a * float(
            np.sin(double)
        )

    @property
    def wavelength_a(self) -> float:
        """Electron wavelength in Å."""
        return electron_wavelength_a(self.voltage_kv)

    @property
    def constant_phase(self) -> float:
        """The part φ + arcsin(w) of the aberration that all frequencies share, in radians."""
        return radians(self.phase_shift_deg) + asin(self.amplitude_contrast)

    def defocus_a(self, azimuth: Floats | float) -> NDArray[np.float64]:
        """Return the defocus (Å) along directions given in radians."""
        turn = 2.0 * (np.asarray(azimuth, dtype=np.float64) - radians(self.defocus_angle_deg))
        return np.asarray(self.mean_defocus_a + 0.5 * self.astigmatism_a * np.cos(turn))

    def phase(
        self, frequency: Floats, azimuth: Floats | float | None = None
    ) -> NDArray[np.float64]:
        """Return χ (radians) at frequencies (1/Å); without ``azimuth`` that of the mean defocus."""
        defocus = self.mean_defocus_a if azimuth is None else self.defocus_a(azimuth)
        squared = np.asarray(frequency, dtype=np.float64) ** 2
        wavelength = self.wavelength_a
        spherical = 0.5 * wavelength**2 * self.cs_mm * 1e7
        return np.asarray(
            pi * wavelength * squared * (defocus - spherical * squared) + self.constant_phase
        )

    def value(
        self, frequency: Floats, azimuth: Floats | float | None = None
    ) -> NDArray[np.float64]:
        """Return the CTF −sin χ at frequencies (1/Å) and directions (radians)."""
        return -np.sin(self.phase(frequency, azimuth))

    def grid(self, box: int, pixel_size_a: float) -> NDArray[np.float32]:
        """Return the CTF on the grid of `numpy.fft.rfft2` of a ``box`` × ``box`` image.

        Shape ``(box, box // 2 + 1)``.

        >>> ctf = Ctf(defocus_u_a=1e4, defocus_v_a=1e4, voltage_kv=300, cs_mm=2.7,
        ...           amplitude_contrast=0.1)
        >>> round(float(ctf.grid(64, 2.0)[0, 0]), 3)
        -0.1
        """
        fy = np.fft.fftfreq(box)[:, None] / pixel_size_a
        fx = np.arange(box // 2 + 1)[None, :] / (box * pixel_size_a)
        return self.value(np.hypot(fy, fx), np.arctan2(fy, fx)).astype(np.float32)

    def ring_count(self, limit: float) -> float:
        """Return how many Thon rings lie below a frequency (1/Å); the last may be a fraction.

        It is the phase χ that the mean CTF runs through on the way, in units of π.
        """
        if limit <= 0.0:
            return 0.0
        steps = np.linspace(0.0, limit, 2048)
        phase = self.phase(steps)
        return float(np.abs(np.diff(phase)).sum() / pi)


def half_turn_deg(angle_deg: float) -> float:
    """Return an axis direction in [0, 180) degrees; a direction and its opposite are one axis.

    >>> half_turn_deg(-10.0), half_turn_deg(180.0)
    (170.0, 0.0)
    """
    turned = angle_deg % 180.0
    return turned if turned < 180.0 else 0.0  # the remainder of -1e-17 rounds to 180


def astigmatic(mean_a: float, vector_a: tuple[float, float]) -> tuple[float, float, float]:
    """Return U, V (Å, U ≥ V) and the angle (degrees) of a mean defocus and astigmatism vector."""
    length = float(np.hypot(*vector_a))
    angle = 0.5 * degrees(float(np.arctan2(vector_a[1], vector_a[0])))
    return mean_a + 0.5 * length, mean_a - 0.5 * length, half_turn_deg(angle)
