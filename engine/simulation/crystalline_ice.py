"""Ice that has crystallised: lattice fringes, spots and rings, and the mottle of binned images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.grid import FloatArray, frequencies
from cryoverdict.engine.simulation.random_fields import coloured_noise, rough_field, smooth_field
from cryoverdict.engine.simulation.scene import Scene

# Strongest spacings in Å with their relative strength: hexagonal ice 3.90, 3.67, 3.44, 2.67, 2.25;
# cubic ice 3.67, 2.25, 1.92.
HEXAGONAL = ((3.90, 1.0), (3.67, 0.7), (3.44, 0.6), (2.67, 0.25), (2.25, 0.35))
CUBIC = ((3.67, 1.0), (2.25, 0.4), (1.92, 0.2))
MOST_GRAINS = 1200


def crystallise(
    scene: Scene,
    rng: np.random.Generator,
    area: float,
    *,
    contrast: float,
    grain_a: float,
    ghost_a: float,
    cubic: bool,
) -> None:
    """Turn ``area`` (fraction) of the ice into crystals with grains of about ``grain_a``.

    ``contrast`` is the optical depth of a strongly diffracting grain. What such a grain diffracts
    arrives elsewhere: its dark patch has a bright ghost ``ghost_a`` away (defocus times Bragg
    angle, 100 to 300 Å). Many grains, most of them weak, give binned images their mottle.
    """
    where = crystal_area(scene, rng, area)
    weight = where.astype(np.float32)
    _grains(scene, rng, weight, contrast, grain_a, ghost_a)
    _grit(scene, rng, weight, contrast, grain_a)
    spacings = CUBIC if cubic else HEXAGONAL
    _fringes(scene, rng, where, grain_a, spacings, contrast)
    _ring(scene, rng, weight, spacings, contrast)
    scene.mark("crystalline_ice", where)


def crystal_area(scene: Scene, rng: np.random.Generator, area: float) -> NDArray[np.bool_]:
    """Return where the ice is crystalline: all of it, or islands with smooth borders."""
    if area >= 0.98:
        return np.ones(scene.grid.shape, dtype=np.bool_)
    field = rough_field(rng, scene.grid, 2500.0, octaves=5, falloff=0.6)
    cut = float(np.quantile(scene.grid.cut(field)[::8, ::8], 1.0 - area))
    where: NDArray[np.bool_] = field > cut
    return where


def _grains(
    scene: Scene,
    rng: np.random.Generator,
    weight: FloatArray,
    contrast: float,
    grain_a: float,
    ghost_a: float,
) -> None:
    """Add soft dark patches with their bright ghosts; a few of them carry stripes."""
    grid = scene.grid
    radius = max(1.5, grid.px(grain_a))
    covered = float(weight[::8, ::8].mean()) * grid.ny * grid.nx
    count = int(np.clip(0.7 * covered / (math.pi * radius**2), 2, MOST_GRAINS))
    shift = grid.px(ghost_a)
    for _ in range(count):
        y, x = rng.uniform(0, grid.ny), rng.uniform(0, grid.nx)
        if weight[min(int(y), grid.ny - 1), min(int(x), grid.nx - 1)] == 0.0:
            continue
        size = radius * float(rng.lognormal(-0.1, 0.45))
        depth = contrast * float(min(2.5, rng.lognormal(-1.1, 0.9)))
        angle, stretch = rng.uniform(0.0, math.pi), float(rng.lognormal(0.0, 0.3))
        c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        stripe = (
            2.0 * math.pi / (size * float(rng.uniform(0.35, 0.8))) if rng.random() < 0.15 else 0.0
        )
        away = float(rng.uniform(0.0, 2.0 * math.pi))
        ghosts = int(rng.integers(0, 3))
        places = [(0.0, 1.0)] + [(math.pi * g + away, -0.7 / max(1, ghosts)) for g in range(ghosts)]
        for turn, sign in places:
            gy = y + (shift * math.sin(turn) if sign < 0 else 0.0)
            gx = x + (shift * math.cos(turn) if sign < 0 else 0.0)
            window = scene.window(gy, gx, 2.2 * size)
            if window is None:
                continue
            dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(
                gy
            )
            dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(
                gx
            )
            u, v = (c * dx + s * dy) / np.float32(stretch), c * dy - s * dx
            patch = np.exp(-(((u * u + v * v) / np.float32(size**2)) ** 1.5))
            if stripe > 0.0:
                patch *= np.float32(0.65) + np.float32(0.35) * np.cos(np.float32(stripe) * u)
            scene.loss[window] += np.float32(sign * depth) * patch * weight[window]


def _grit(
    scene: Scene, rng: np.random.Generator, weight: FloatArray, contrast: float, grain_a: float
) -> None:
    """Add the fine unevenness of a polycrystalline layer: power falling with frequency.

    Mostly absorption (diffraction contrast), which no CTF dampens at low resolution.
    """
    grid = scene.grid
    k2 = frequencies(grid.ny, grid.nx, grid.pixel_size_a).k2
    corner = np.float32((1.0 / (8.0 * grain_a)) ** 2)
    amplitude = np.exp(k2 * np.float32(-(16.0**2))) * (k2 + corner) ** np.float32(-0.42)
    amplitude[0, 0] = 0.0
    texture = coloured_noise(rng, grid, amplitude)
    texture *= np.float32(0.45 * contrast / max(1e-6, float(texture[::8, ::8].std())))
    uneven = np.clip(0.8 + 0.5 * smooth_field(rng, grid, 6.0 * grain_a), 0.1, 2.5)
    texture *= uneven * weight
    scene.loss += texture
    scene.phase += np.float32(0.7) * texture


def _fringes(
    scene: Scene,
    rng: np.random.Generator,
    where: NDArray[np.bool_],
    grain_a: float,
    spacings: tuple[tuple[float, float], ...],
    contrast: float,
) -> None:
    """Add lattice fringes, each in a grain of its own, where the pixels can hold them."""
    grid = scene.grid
    usable = [s for s in spacings if s[0] > 2.02 * grid.pixel_size_a]
    if not usable:
        return
    # Small grains give patchy rings; a few broad crystals give sharp spots.
    broad = rng.random() < 0.5
    radius = max(6.0, grid.px(grain_a * float(rng.uniform(3.0, 9.0) if broad else 1.0)))
    covered = float(where[::8, ::8].mean()) * grid.ny * grid.nx
    count = int(np.clip(0.5 * covered / (math.pi * radius**2), 1, 250))
    weights = np.array([w for _, w in usable])
    for _ in range(count):
        y, x = rng.uniform(0, grid.ny), rng.uniform(0, grid.nx)
        if not where[min(int(y), grid.ny - 1), min(int(x), grid.nx - 1)]:
            continue
        window = scene.window(y, x, 1.6 * radius)
        if window is None:
            continue
        spacing = usable[int(rng.choice(len(usable), p=weights / weights.sum()))][0]
        k = 2.0 * math.pi * grid.pixel_size_a / (spacing * rng.normal(1.0, 0.004))
        a = rng.uniform(0.0, math.pi)
        dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(y)
        dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(x)
        wave = np.cos(np.float32(k * math.cos(a)) * dx + np.float32(k * math.sin(a)) * dy)
        bump = np.exp(-(((dy * dy + dx * dx) / np.float32(radius**2)) ** 2))
        strength = np.float32(contrast * rng.uniform(0.3, 2.5))
        scene.phase[window] += strength * bump * wave * where[window]


def _ring(
    scene: Scene,
    rng: np.random.Generator,
    weight: FloatArray,
    spacings: tuple[tuple[float, float], ...],
    contrast: float,
) -> None:
    """Add the powder ring of many small crystals as narrow-band noise."""
    grid = scene.grid
    usable = [s for s in spacings if s[0] > 2.02 * grid.pixel_size_a]
    if not usable:
        return
    k = np.sqrt(frequencies(grid.ny, grid.nx, grid.pixel_size_a).k2)
    amplitude = np.zeros_like(k)
    for spacing, share in usable:
        amplitude += np.float32(share) * np.exp(
            -(((k - np.float32(1.0 / spacing)) / np.float32(0.0035)) ** 2)
        )
    # A powder of 400 Å of ice, from barely seen to far above all else near its rings.
    amplitude *= np.float32(14.0 * contrast * rng.lognormal(0.0, 0.5) / grid.pixel_size_a)
    scene.phase += coloured_noise(rng, grid, amplitude) * weight
