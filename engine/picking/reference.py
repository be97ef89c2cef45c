"""What is looked for: round profiles of some size, or templates turned by some angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.form_factor import RIM, hollow, lens
from cryoverdict.engine.picking.picking_field import PickingField

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """A round particle of ``diameter_a``: its form factor ``values`` at ``frequency`` (1/Å).

    Without ``values`` it is a ball with a soft rim, hollow to the fraction ``inside``, seen through
    a lens of ``focus_a2`` where the micrographs' own are unknown.
    """

    diameter_a: float
    inside: float = 0.0
    rim: float = RIM
    focus_a2: float = 0.0
    frequency: _Double | None = None
    values: _Double | None = None

    def scaled(self, factor: float) -> Profile:
        """Return the same particle ``factor`` times as large."""
        frequency = None if self.frequency is None else self.frequency / factor
        return Profile(diameter_a=self.diameter_a * factor, frequency=frequency, values=self.values)

    def at(self, frequency: _Float) -> _Float:
        """Return the form factor at some frequencies; 0 beyond the known ones."""
        if self.frequency is None or self.values is None:
            steps = np.linspace(0.0, float(frequency.max()), 2048)
            shape = hollow(steps, self.diameter_a, self.inside, self.rim)
            shape = shape * lens(steps, self.focus_a2)
            return np.interp(frequency, steps, shape).astype(np.float32)
        return np.interp(frequency, self.frequency, self.values, right=0.0).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turned:
    """A template ``image`` (square, centred, light particle) of a sampling, at one angle."""

    image: _Float
    pixel_size_a: float
    diameter_a: float
    angle_deg: float = 0.0


Reference = Profile | Turned


def spectrum(reference: Reference, field: PickingField) -> _Float | _Complex:
    """Return the transform of a reference centred on pixel (0, 0) of a field's grid."""
    if isinstance(reference, Profile):
        return reference.at(field.frequency)
    from scipy import fft

    half = reach_px(reference, field)
    whole = np.zeros(field.shape, np.float32)
    whole[: 2 * half + 1, : 2 * half + 1] = turned_image(reference, field.image.pixel_size_a, half)
    return np.asarray(fft.rfft2(np.roll(whole, (-half, -half), (0, 1))), np.complex64)


def reach_px(reference: Turned, field: PickingField) -> int:
    """Return how many of a field's pixels a template reaches from its centre, as far as it fits."""
    ratio = field.image.pixel_size_a / reference.pixel_size_a
    wanted = int(np.ceil(0.5 * reference.image.shape[0] / ratio)) + 1
    return min(wanted, (min(field.shape) - 1) // 2)


def turned_image(reference: Turned, pixel_size_a: float, half: int) -> _Float:
    """Return a template turned, ``2 half + 1`` pixels of another size wide, its centre in theirs.

    Coordinates are sampled from the template, so that turning and scaling are one step.
    """
    from scipy import ndimage

    ratio = pixel_size_a / reference.pixel_size_a
    steps = np.arange(-half, half + 1) * ratio
    angle = np.radians(reference.angle_deg)
    dy, dx = np.meshgrid(steps, steps, indexing="ij")
    centre = reference.image.shape[0] // 2
    at = [
        centre + np.cos(angle) * dy - np.sin(angle) * dx,
        centre + np.sin(angle) * dy + np.cos(angle) * dx,
    ]
    image = reference.image
    if ratio > 1.0:
        image = ndimage.gaussian_filter(image, 0.4 * ratio)
    turned = ndimage.map_coordinates(image, at, order=1, mode="constant")
    return np.asarray(turned, np.float32)


def ladder(lowest_a: float, highest_a: float, step: float) -> tuple[float, ...]:
    """Return diameters from lowest to highest whose ratios are at most ``step``."""
    if highest_a <= lowest_a * 1.02:
        return ((lowest_a * highest_a) ** 0.5,)
    count = int(np.ceil(np.log(highest_a / lowest_a) / np.log(step) - 1e-9)) + 1
    return tuple(float(d) for d in np.geomspace(lowest_a, highest_a, max(2, count)))
