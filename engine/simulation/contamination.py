"""What falls on or into the ice: ice balls, ethane, aggregates, vesicles, bubbles, threads."""

from __future__ import annotations

import math

import numpy as np

from cryoverdict.engine.simulation.electron import ICE_V, ice_free_path_a
from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.outline import (
    Outline,
    lay_body,
    random_outline,
    relative_radius,
)
from cryoverdict.engine.simulation.particle import ProjectionBank
from cryoverdict.engine.simulation.random_fields import smooth_field
from cryoverdict.engine.simulation.scene import Scene

# Painters stop after so many bodies, whatever area was asked for.
MOST_BODIES = 400
# Pixels that all pieces of the aggregates of one picture may touch together: bounds the time.
MOST_STAMPED_PX = 60_000_000


def _anywhere(rng: np.random.Generator, scene: Scene) -> tuple[float, float]:
    """Return a random place (y, x) in the micrograph, in grid pixels."""
    g = scene.grid
    return (
        float(g.margin_y + rng.uniform(0, g.out_ny)),
        float(g.margin_x + rng.uniform(0, g.out_nx)),
    )


def scatter_ice_flakes(
    scene: Scene, rng: np.random.Generator, area: float, *, radius_a: float, roundness: float
) -> None:
    """Scatter flat flakes of ice or ethane until they cover ``area`` (fraction).

    Radii are log-normal round ``radius_a``; each body is even in grey with a thin rim, as the
    pale patches of 200 to 1,000 Å in humid-room grids are.
    """
    path = ice_free_path_a(scene.voltage_kv)
    for _ in range(MOST_BODIES):
        if scene.fraction("contamination") >= area:
            return
        r = scene.grid.px(float(np.clip(rng.lognormal(math.log(radius_a), 0.4), 60.0, 1600.0)))
        outline = random_outline(
            rng, r, roundness=float(np.clip(rng.normal(roundness, 0.15), 0, 1))
        )
        height = float(np.clip(rng.lognormal(math.log(200.0), 0.5), 40.0, 900.0))
        made = lay_body(
            scene,
            outline,
            _anywhere(rng, scene),
            height_a=height,
            flatness=float(rng.uniform(0.0, 0.6)),
            softness=float(rng.uniform(0.8, 2.5)),
            volts=ICE_V,
            path_a=path,
        )
        if made is not None:
            scene.mark("contamination", made[1], made[0])


def pile_ice_balls(scene: Scene, rng: np.random.Generator, area: float, *, radius_a: float) -> None:
    """Grow chains and heaps of round crystallites, see-through where thin, to cover ``area``."""
    path = ice_free_path_a(scene.voltage_kv)
    place = _anywhere(rng, scene)
    heading = rng.uniform(0.0, 2.0 * math.pi)
    # Most heaps are rounded ethane or frost; some are facetted crystals with bend contours.
    crystals = rng.random() < 0.3
    for number in range(MOST_BODIES):
        if scene.fraction("contamination") >= area:
            return
        r_a = float(np.clip(rng.lognormal(math.log(radius_a), 0.3), 80.0, 2500.0))
        r = scene.grid.px(r_a)
        if number % 40 == 39 or scene.window(place[0], place[1], r) is None:
            place, heading = _anywhere(rng, scene), rng.uniform(0.0, 2.0 * math.pi)
        facets = 6 if crystals and rng.random() < 0.5 else 0
        outline = random_outline(rng, r, roundness=float(rng.uniform(0.6, 0.95)), facets=facets)
        made = lay_body(
            scene,
            outline,
            place,
            height_a=float(rng.uniform(0.6, 1.6)) * r_a,
            flatness=float(rng.uniform(0.0, 0.5)),
            softness=float(rng.uniform(0.7, 2.0)),
            volts=ICE_V,
            path_a=path,
        )
        if made is not None:
            scene.mark("contamination", made[1], made[0])
            if crystals and rng.random() < 0.4:
                _bend_contours(scene, rng, made[0], outline, place)
        heading += rng.normal(0.0, 1.0)
        step = r * rng.uniform(0.9, 1.7)
        place = (place[0] + step * math.sin(heading), place[1] + step * math.cos(heading))


def drop_ice_ball(scene: Scene, rng: np.random.Generator, area: float) -> None:
    """Drop one great crystal that takes ``area`` of the picture and stops nearly every electron."""
    total = scene.grid.out_ny * scene.grid.out_nx
    # Half of it may lie outside the picture.
    radius = math.sqrt(area * total / math.pi) * 1.15
    outline = random_outline(
        rng,
        radius,
        roundness=float(rng.uniform(0.8, 0.97)),
        facets=int(rng.choice([0, 0, 0, 0, 6, 7])),
    )
    place = _anywhere(rng, scene)
    height = 2.0 * radius * scene.grid.pixel_size_a * float(rng.uniform(0.6, 1.2))
    made = lay_body(
        scene,
        outline,
        place,
        height_a=min(height, 12000.0),
        flatness=float(rng.uniform(0.0, 0.6)),
        softness=float(rng.uniform(0.4, 0.8)),
        volts=ICE_V,
        path_a=ice_free_path_a(scene.voltage_kv),
    )
    if made is not None:
        scene.mark("contamination", made[1], made[0])
        _bend_contours(scene, rng, made[0], outline, place)


def _bend_contours(
    scene: Scene,
    rng: np.random.Generator,
    window: tuple[slice, slice],
    outline: Outline,
    place: tuple[float, float],
) -> None:
    """Give a crystal the dark, slightly bent bands of planes in Bragg position.

    Bands of one family run side by side; there are one or two families.
    """
    rho = relative_radius(outline, place[0], place[1], window)
    inside = np.clip(1.0 - rho**6, 0.0, 1.0)
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(place[0])
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(place[1])
    scale = np.float32(1.0 / outline.radius_px)
    for _ in range(int(rng.integers(1, 3))):
        a = rng.uniform(0.0, math.pi)
        c, s = np.float32(math.cos(a)), np.float32(math.sin(a))
        u, v = (c * x + s * y) * scale, (c * y - s * x) * scale
        bent = u + np.float32(rng.normal(0.0, 0.2)) * v * v
        start, gap = rng.uniform(-0.9, 0.5), rng.uniform(0.05, 0.3)
        for number in range(int(rng.integers(1, 6))):
            at = np.float32(start + number * gap * rng.uniform(0.7, 1.3))
            width = np.float32(rng.uniform(0.015, 0.09))
            depth = np.float32(rng.uniform(0.03, 0.35))
            scene.loss[window] += depth * np.exp(-(((bent - at) / width) ** 2)) * inside


def grow_aggregates(
    scene: Scene, rng: np.random.Generator, area: float, bank: ProjectionBank, *, spread_a: float
) -> None:
    """Pile up particles and their broken pieces in clumps and networks that cover ``area``."""
    g = scene.grid
    each = math.pi * (0.5 * g.px(bank.model.mean_diameter_a)) ** 2
    wanted = area * g.out_ny * g.out_nx
    place = _anywhere(rng, scene)
    sigma = np.float32(scene.sigma)
    left = MOST_STAMPED_PX
    for clump in range(60):
        if scene.fraction("contamination") >= area or clump * each > 40 * wanted:
            return
        size = float(np.clip(rng.lognormal(math.log(spread_a), 0.6), 80.0, 6000.0))
        missing = max(0.02, area - scene.fraction("contamination"))
        radius = min(g.px(size), math.sqrt(1.2 * missing * g.out_ny * g.out_nx / math.pi))
        members = int(np.clip(2.2 * math.pi * radius**2 / each * rng.uniform(0.4, 1.4), 3, 1500))
        members = min(members, left // bank.box**2 + 3)
        left = max(0, left - members * bank.box**2)
        outline = random_outline(rng, radius, roundness=float(rng.uniform(0.0, 0.6)))
        made = scene.window(place[0], place[1], outline.reach)
        if made is not None:
            rho = relative_radius(outline, place[0], place[1], made)
            scene.mark("contamination", rho < 1.05, made)
            inner = np.argwhere(rho < rng.uniform(0.75, 1.0))
            if inner.size:
                chosen = inner[rng.integers(0, len(inner), members)]
                for iy, ix in chosen:
                    number = int(rng.integers(0, bank.count))
                    scale = sigma * np.float32(rng.uniform(0.5, 1.6))
                    stamp(
                        scene.phase, bank, number, (iy + made[0].start, ix + made[1].start), scale
                    )
        heading = rng.uniform(0.0, 2.0 * math.pi)
        far = radius * rng.uniform(1.0, 2.0)
        place = (place[0] + far * math.sin(heading), place[1] + far * math.cos(heading))
        if scene.window(place[0], place[1], 1.0) is None or rng.random() < 0.3:
            place = _anywhere(rng, scene)


def stamp(
    phase: FloatArray,
    bank: ProjectionBank,
    number: int,
    at: tuple[float, float],
    scale: np.float32,
) -> tuple[float, float]:
    """Add view ``number`` to ``phase`` at the whole pixel nearest to ``at`` (y, x).

    ``scale`` is σ times the contrast. Returns where its centre came to lie, in grid pixels.
    """
    image = bank.view(number)
    half = bank.box // 2
    cy, cx = round(at[0]), round(at[1])
    top, left = cy - half, cx - half
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(phase.shape[0], top + bank.box), min(phase.shape[1], left + bank.box)
    if y1 > y0 and x1 > x0:
        part = image[y0 - top : y1 - top, x0 - left : x1 - left]
        phase[y0:y1, x0:x1] += part * scale
    return float(cy), float(cx)


def blow_vesicles(scene: Scene, rng: np.random.Generator, area: float, *, radius_a: float) -> None:
    """Add spherical membrane vesicles, each a projected bilayer of two dark lines."""
    for _ in range(MOST_BODIES):
        if scene.fraction("contamination") >= area:
            return
        r_a = float(np.clip(rng.lognormal(math.log(radius_a), 0.35), 90.0, 2500.0))
        outline = random_outline(rng, scene.grid.px(r_a), roundness=float(rng.uniform(0.8, 1.0)))
        y, x = _anywhere(rng, scene)
        window = scene.window(y, x, 1.15 * outline.reach)
        if window is None:
            continue
        rho = relative_radius(outline, y, x, window)
        layers = 2 if rng.random() < 0.15 else 1
        for layer in range(layers):
            shell = _bilayer_projection(r_a * (1.0 - 0.35 * layer))
            at = rho * np.float32(r_a)
            scene.phase[window] += np.interp(at, shell[0], shell[1]).astype(
                np.float32
            ) * np.float32(scene.sigma)
        scene.mark("contamination", rho < 1.0 + 30.0 / r_a, window)


def _bilayer_projection(radius_a: float) -> tuple[np.ndarray, np.ndarray]:
    """Return radii (Å) and the projected excess potential (V Å) of a spherical bilayer.

    Head groups 1.9 V over ice in two shells 38 Å apart, chains 0.5 V below it between them.
    """
    at = np.linspace(0.0, radius_a + 45.0, 400)
    z = np.linspace(0.0, radius_a + 45.0, 500)
    r = np.hypot(at[:, None], z[None, :]) - radius_a
    heads = 1.9 * (np.exp(-(((r - 19) / 6) ** 2)) + np.exp(-(((r + 19) / 6) ** 2)))
    chains = -0.5 * np.exp(-((r / 13) ** 2))
    return at, 2.0 * (heads + chains).sum(axis=1) * (z[1] - z[0])


def boil_bubbles(scene: Scene, rng: np.random.Generator, area: float) -> None:
    """Add the bubbles of gas that too much dose makes: bright, round, in foaming groups."""
    g = scene.grid
    for _ in range(40):
        if scene.fraction("contamination") >= area:
            return
        y, x = _anywhere(rng, scene)
        group = g.px(float(rng.uniform(150.0, 500.0)))
        for _ in range(int(rng.integers(4, 24))):
            r_a = float(np.clip(rng.lognormal(math.log(28.0), 0.4), 10.0, 110.0))
            outline = random_outline(rng, max(1.2, g.px(r_a)), roundness=0.95)
            at = (y + rng.normal(0.0, 0.5 * group), x + rng.normal(0.0, 0.5 * group))
            lay_body(
                scene,
                outline,
                at,
                height_a=-1.5 * r_a,
                flatness=0.0,
                volts=ICE_V,
                path_a=ice_free_path_a(scene.voltage_kv),
            )
        disc = random_outline(rng, group, roundness=0.7)
        window = scene.window(y, x, disc.reach)
        if window is not None:
            scene.mark("contamination", relative_radius(disc, y, x, window) < 1.0, window)


def strew_specks(scene: Scene, rng: np.random.Generator, count: int) -> None:
    """Strew small dark specks (ice seeds, gold, dirt) of 20 to 90 Å: every micrograph has some."""
    texture = smooth_field(rng, scene.grid, 60.0) * np.float32(0.3)
    for _ in range(count):
        r_a = float(np.clip(rng.lognormal(math.log(38.0), 0.45), 15.0, 150.0))
        outline = random_outline(
            rng, max(1.0, scene.grid.px(r_a)), roundness=float(rng.uniform(0.6, 1.0))
        )
        made = lay_body(
            scene,
            outline,
            _anywhere(rng, scene),
            height_a=float(rng.uniform(0.5, 1.8)) * r_a,
            flatness=float(rng.uniform(0.0, 0.2)),
            softness=float(rng.uniform(0.8, 3.0)),
            volts=ICE_V * float(rng.uniform(0.8, 1.5)),
            path_a=ice_free_path_a(scene.voltage_kv) * float(rng.lognormal(-1.4, 0.6)),
            texture=texture,
        )
        if made is not None:
            scene.mark("contamination", made[1], made[0])


def spin_threads(
    scene: Scene, rng: np.random.Generator, count: int, *, volts_a: float = 55.0
) -> None:
    """Draw thin threads (pili, DNA, denatured chain) of ``volts_a`` (V Å) projected potential."""
    for _ in range(count):
        y, x = _anywhere(rng, scene)
        length = scene.grid.px(float(rng.uniform(300.0, 2500.0)))
        heading, width = (
            rng.uniform(0.0, 2.0 * math.pi),
            max(1.0, scene.grid.px(rng.uniform(8, 25))),
        )
        steps = int(length / width) + 1
        turn = rng.normal(0.0, 0.02)
        for _ in range(steps):
            window = scene.window(y, x, 2.5 * width)
            if window is not None:
                dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - y
                dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - x
                spot = np.exp(-(dy * dy + dx * dx) / (width * width))
                scene.phase[window] += (scene.sigma * 0.57 * volts_a * spot).astype(np.float32)
            y, x = y + width * math.sin(heading), x + width * math.cos(heading)
            turn = 0.95 * turn + rng.normal(0.0, 0.01)
            heading += turn
