"""Closed outlines and thickness profiles of the bodies that lie on the ice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A star-shaped curve: radius (px) as a function of angle, r·(1 + Σ aₘ cos(mθ + φₘ)).

    ``facets`` > 0 makes it a rounded polygon of so many sides instead of a round body.
    """

    radius_px: float
    elongation: float
    turn: float
    amplitudes: tuple[float, ...]
    phases: tuple[float, ...]
    facets: int = 0

    @property
    def reach(self) -> float:
        """A radius (px) that holds the whole body."""
        return self.radius_px * self.elongation * (1.15 + sum(abs(a) for a in self.amplitudes))


def random_outline(
    rng: np.random.Generator,
    radius_px: float,
    *,
    roundness: float,
    facets: int = 0,
) -> Outline:
    """Return a random outline; ``roundness`` 1 is a near circle, 0 a crumpled patch."""
    spread = 0.05 + (1.0 - roundness) * 0.5
    orders = np.arange(2, 7)
    amplitudes = rng.normal(0.0, spread, orders.size) / (orders - 0.5) ** 1.2
    return Outline(
        radius_px=radius_px,
        elongation=float(1.02 + (1.0 - roundness) * abs(rng.normal(0.1, 0.8))),
        turn=float(rng.uniform(0.0, 2.0 * math.pi)),
        amplitudes=tuple(float(a) for a in np.clip(amplitudes, -0.35, 0.35)),
        phases=tuple(float(p) for p in rng.uniform(0.0, 2.0 * math.pi, orders.size)),
        facets=facets,
    )


def relative_radius(
    outline: Outline, y: float, x: float, window: tuple[slice, slice]
) -> FloatArray:
    """Return, over ``window``, the distance from (y, x) as a fraction of the outline's radius."""
    dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(y)
    dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(x)
    c, s = np.float32(math.cos(outline.turn)), np.float32(math.sin(outline.turn))
    u = (c * dx + s * dy) / np.float32(outline.elongation)
    v = c * dy - s * dx
    angle = np.arctan2(v, u)
    radius = np.ones_like(angle)
    for step, (a, p) in enumerate(zip(outline.amplitudes, outline.phases, strict=True)):
        radius += np.float32(a) * np.cos(np.float32(step + 2) * angle + np.float32(p))
    if outline.facets:
        sector = 2.0 * math.pi / outline.facets
        folded = np.mod(angle, np.float32(sector)) - np.float32(sector / 2)
        straight = np.float32(1.06 * math.cos(sector / 2)) / np.cos(folded)
        # Corners of crystals in the beam are rounded.
        radius *= np.float32(0.3) + np.float32(0.7) * np.minimum(straight, 1.04)
    relative = np.hypot(u, v) / (np.maximum(radius, 0.15) * np.float32(outline.radius_px))
    out: FloatArray = relative.astype(np.float32, copy=False)
    return out


def lay_body(
    scene: Scene,
    outline: Outline,
    at: tuple[float, float],
    *,
    height_a: float,
    flatness: float,
    softness: float = 1.0,
    volts: float,
    path_a: float,
    texture: FloatArray | None = None,
) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """Add one body of ``height_a`` at ``at`` (y, x) px; return its window and where it lies.

    Profile: height·(1 − ρⁿ)ˢ with n = 2 (a dome) to 12 (a slab) by ``flatness``; s, ``softness``,
    is 0.5 for the steep sides of a sphere and above 1 for a border that runs out.
    ``texture`` (a whole field, relative) varies the height. None when it lies outside the picture.
    """
    window = scene.window(at[0], at[1], outline.reach)
    if window is None:
        return None
    rho = relative_radius(outline, at[0], at[1], window)
    power = np.float32(2.0 + 10.0 * flatness)
    profile = np.clip(1.0 - rho**power, 0.0, None) ** np.float32(softness)
    if texture is not None:
        profile *= np.clip(1.0 + texture[window], 0.2, None)
    scene.bulk[window] += profile * np.float32(height_a * scene.sigma * volts)
    scene.loss[window] += profile * np.float32(height_a / path_a)
    inside: NDArray[np.bool_] = rho < 1.03
    return window, inside
