"""The support: carbon and gold film with its holes, torn film, grid bars, and bare vacuum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.electron import (
    CARBON_FREE_PATH_RATIO,
    CARBON_V,
    GOLD_FREE_PATH_RATIO,
    GOLD_V,
    ICE_V,
    ice_free_path_a,
)
from cryoverdict.engine.simulation.grid import FloatArray, Grid, frequencies
from cryoverdict.engine.simulation.random_fields import coloured_noise, rough_field, smooth_field
from cryoverdict.engine.simulation.scene import Scene

CARBON_ATOMS_PER_A3 = 0.1
CARBON_ATOM_VA3 = CARBON_V / CARBON_ATOMS_PER_A3


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A film of ``carbon`` or ``gold``.

    In Å: its thickness, the ridge along its rim, over how much the rim runs out, and the size of
    its grain.
    """

    kind: str
    thickness_a: float
    rim_a: float
    taper_a: float
    grain_a: float = 50.0


def _coarse_axes(grid: Grid, count: int = 96) -> tuple[FloatArray, FloatArray]:
    """Return coarse coordinates (Å, from the micrograph's centre) to find areas with."""
    y = np.linspace(-0.5, 0.5, count, dtype=np.float32)[:, None] * grid.out_ny * grid.pixel_size_a
    x = np.linspace(-0.5, 0.5, count, dtype=np.float32)[None, :] * grid.out_nx * grid.pixel_size_a
    return y, x


def _axes(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Return the coordinates of the grid's pixels in Å from the micrograph's centre."""
    y = np.arange(grid.ny, dtype=np.float32)[:, None] - grid.margin_y - grid.out_ny / 2
    x = np.arange(grid.nx, dtype=np.float32)[None, :] - grid.margin_x - grid.out_nx / 2
    return (y * grid.pixel_size_a).astype(np.float32), (x * grid.pixel_size_a).astype(np.float32)


def hole_edge(
    rng: np.random.Generator, grid: Grid, fraction: float, radius_a: float, roughness_a: float
) -> FloatArray:
    """Return the distance (Å) into the film; positive on film, which takes ``fraction``.

    The hole is a circle of ``radius_a`` (greater where the picture needs a greater one); the
    direction is random, so that film comes from any side or corner. The rim is rough over 20 to
    1,500 Å.
    """
    angle = rng.uniform(0.0, 2.0 * math.pi)
    dy, dx = math.sin(angle), math.cos(angle)
    cy, cx = _coarse_axes(grid)

    def share(shift: float, radius: float) -> float:
        return float(np.mean(np.hypot(cy + dy * shift, cx + dx * shift) > radius))

    # A hole in the middle of the picture must leave no more film than is wanted.
    radius = radius_a
    while share(0.0, radius) > fraction:
        radius *= 1.15
    # The further off the hole's centre, the more film; bisect.
    near, far = 0.0, radius + 2.0 * max(grid.ny, grid.nx) * grid.pixel_size_a
    for _ in range(26):
        middle = 0.5 * (near + far)
        near, far = (middle, far) if share(middle, radius) < fraction else (near, middle)
    y, x = _axes(grid)
    shift = 0.5 * (near + far)
    distance: FloatArray = np.hypot(
        y + np.float32(dy * shift), x + np.float32(dx * shift)
    ) - np.float32(radius)
    if roughness_a > 0.0:
        rough = rough_field(rng, grid, 1500.0, octaves=6, falloff=0.55)
        distance += np.float32(roughness_a) * rough
    return distance


def straight_edge(
    rng: np.random.Generator, grid: Grid, fraction: float, roughness_a: float, scale_a: float
) -> FloatArray:
    """Return the distance (Å) past a ragged straight border beyond which ``fraction`` lies."""
    angle = rng.uniform(0.0, 2.0 * math.pi)
    dy, dx = math.sin(angle), math.cos(angle)
    cy, cx = _coarse_axes(grid)
    along = cy * dy + cx * dx
    offset = float(np.quantile(along, 1.0 - np.clip(fraction, 0.0, 1.0)))
    y, x = _axes(grid)
    distance: FloatArray = y * np.float32(dy) + x * np.float32(dx) - np.float32(offset)
    if roughness_a > 0.0:
        rough = rough_field(rng, grid, scale_a, octaves=6, falloff=0.6)
        distance += np.float32(roughness_a) * rough
    return distance


def _step(distance_a: FloatArray, width_a: float) -> FloatArray:
    """Return a smooth step from 0 (outside) to 1 (inside) over ``width_a``."""
    t = np.clip(distance_a / np.float32(width_a) + np.float32(0.5), 0.0, 1.0)
    step: FloatArray = t * t * (3.0 - 2.0 * t)
    return step


def carbon_amplitude(grid: Grid, sigma: float, film: Film) -> FloatArray:
    """Return the Fourier amplitude (rad) of the grain of a carbon film for `coloured_noise`.

    Atoms in nearly random places; evaporated films have more power at long waves, their grain.
    """
    f = frequencies(grid.ny, grid.nx, grid.pixel_size_a)
    power = 0.3 + 4.0 / (1.0 + f.k2 * np.float32(film.grain_a**2))
    power *= np.exp(f.k2 * np.float32(-0.5 * 12.0))
    power *= np.float32(CARBON_ATOMS_PER_A3 * film.thickness_a * (sigma * CARBON_ATOM_VA3) ** 2)
    amplitude: FloatArray = np.sqrt(power) / np.float32(grid.pixel_size_a)
    return amplitude


def lay_film(
    scene: Scene, rng: np.random.Generator, distance_a: FloatArray, film: Film
) -> NDArray[np.bool_]:
    """Lay a film where ``distance_a`` is positive, ice staying on it; return where it lies.

    The rim is thicker (``rim_a`` more over about 60 Å), which makes the dark line with the bright
    fringe that micrographs show.
    """
    on = _step(distance_a, film.taper_a)
    thickness = np.float32(film.thickness_a) * on
    if film.rim_a > 0.0:
        ridge = np.exp(-(((distance_a - np.float32(30.0)) / np.float32(30.0)) ** 2))
        uneven = np.clip(1.0 + 0.7 * smooth_field(rng, scene.grid, 400.0), 0.0, 3.0)
        thickness += np.float32(film.rim_a) * ridge * on * uneven
    path = ice_free_path_a(scene.voltage_kv)
    where: NDArray[np.bool_] = distance_a > 0
    if film.kind == "gold":
        volts, path = GOLD_V, path * GOLD_FREE_PATH_RATIO
        grains = np.clip(
            1.0 + 0.12 * rough_field(rng, scene.grid, 500.0, octaves=3, falloff=0.8), 0.5, 2.0
        )
        thickness *= grains
    else:
        volts, path = CARBON_V, path * CARBON_FREE_PATH_RATIO
        amplitude = carbon_amplitude(scene.grid, scene.sigma, film)
        scene.phase += coloured_noise(rng, scene.grid, amplitude) * on
    scene.bulk += thickness * np.float32(scene.sigma * volts)
    scene.loss += thickness / np.float32(path)
    return where


def tear(
    scene: Scene,
    rng: np.random.Generator,
    distance_a: FloatArray,
    *,
    curl_a: float,
    taper_a: float,
) -> NDArray[np.bool_]:
    """Take everything away where ``distance_a`` is positive; return where.

    What is left runs out over ``taper_a``; its border keeps a curl of ``curl_a`` of extra
    thickness, which is dark with bright fringes.
    Must be called after everything that can be torn is painted.
    """
    kept = 1.0 - _step(distance_a, taper_a)
    scene.phase *= kept
    scene.bulk *= kept
    for _, slab in scene.slabs:
        slab *= kept
    scene.loss *= kept
    scene.thickness_a *= kept
    if curl_a > 0.0:
        uneven = np.clip(0.6 + smooth_field(rng, scene.grid, 500.0), 0.0, 3.0)
        ridge = np.exp(-(((distance_a + np.float32(45.0)) / np.float32(40.0)) ** 2)) * uneven
        scene.bulk += ridge * np.float32(curl_a * scene.sigma * ICE_V)
        scene.loss += ridge * np.float32(curl_a / ice_free_path_a(scene.voltage_kv))
    torn: NDArray[np.bool_] = distance_a > 0
    return torn


def shadow(
    scene: Scene, distance_a: FloatArray, *, depth: float, blur_a: float
) -> NDArray[np.bool_]:
    """Darken where ``distance_a`` is positive by an opaque body out of focus (bar or aperture)."""
    scene.loss += np.float32(depth) * _step(distance_a, blur_a)
    dark: NDArray[np.bool_] = distance_a > -0.3 * blur_a
    return dark
