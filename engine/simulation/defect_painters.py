"""The mechanisms that are painted: each fills the area that has the severity asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cryoverdict.engine.simulation import contamination as dirt
from cryoverdict.engine.simulation import film as support
from cryoverdict.engine.simulation.crystalline_ice import crystallise
from cryoverdict.engine.simulation.particle import ProjectionBank
from cryoverdict.engine.simulation.scene import Scene
from cryoverdict.engine.simulation.severity import quantity

# Optical depth of a strong grain below which crystals do not show in a binned image; where the
# pixels hold no ring, nobody would call such a micrograph crystalline.
LEAST_SEEN_CONTRAST = 0.05


class Moment(IntEnum):
    """When a painter paints: under the particles, over them, or last (what takes away)."""

    UNDER = 0
    OVER = 1
    LAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """A painter and the moment at which it paints."""

    moment: Moment
    paint: Callable[[Scene, float, np.random.Generator, ProjectionBank], None]


def _hole_radius(rng: np.random.Generator) -> float:
    """Return the radius of a hole in Å: foils with holes of 0.6, 1.2 and 2 µm are common."""
    return float(rng.choice([3000.0, 6000.0, 6000.0, 10000.0]) * rng.uniform(0.9, 1.1))


def _taper(rng: np.random.Generator) -> float:
    """Return over how many Å a torn border runs out: some are sharp, most are drawn thin."""
    return float(rng.lognormal(np.log(60.0), 0.6))


def _carbon(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Lay carbon film over part of the picture, or all of it, with the edge of its hole."""
    del bank
    area = quantity("film_area", strength)
    grid = scene.grid
    rough = float(rng.lognormal(np.log(12.0), 0.7))
    if area > 0.93:
        distance = np.full(grid.shape, 1e4, dtype=np.float32)
    else:
        distance = support.hole_edge(rng, grid, area, _hole_radius(rng), rough)
    film = support.Film(
        kind="carbon",
        thickness_a=float(rng.uniform(90.0, 260.0)),
        rim_a=float(rng.choice([0.0, 20.0, 50.0, 120.0])),
        taper_a=float(rng.uniform(20.0, 120.0)),
        grain_a=float(rng.uniform(30.0, 75.0)),
    )
    scene.mark("film", support.lay_film(scene, rng, distance, film))


def _gold(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Lay gold foil over part of the picture: nearly black, with a bright fringe."""
    del bank
    area = quantity("film_area", strength)
    distance = support.hole_edge(rng, scene.grid, area, _hole_radius(rng), 30.0)
    film = support.Film(
        kind="gold",
        thickness_a=float(rng.uniform(300.0, 500.0)),
        rim_a=float(rng.uniform(0.0, 100.0)),
        taper_a=float(rng.uniform(20.0, 90.0)),
    )
    scene.mark("film", support.lay_film(scene, rng, distance, film))


def _bar(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Let a grid bar shadow one side."""
    del bank
    area = quantity("film_area", strength)
    distance = support.straight_edge(rng, scene.grid, area, 60.0, 3000.0)
    dark = support.shadow(
        scene, distance, depth=float(rng.uniform(1.5, 5.0)), blur_a=float(rng.uniform(150.0, 900.0))
    )
    scene.mark("film", dark)


def _beam(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Let the beam's or an aperture's round border cut a corner off."""
    del bank
    area = quantity("broken_area", strength)
    distance = support.hole_edge(rng, scene.grid, area, float(rng.uniform(2500, 8000)), 0.0)
    dark = support.shadow(
        scene, distance, depth=float(rng.uniform(2.0, 6.0)), blur_a=float(rng.uniform(60.0, 400.0))
    )
    scene.mark("broken_exposure", dark)


def _vacuum(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Take the ice away: over part of the hole with a torn border, or all of it."""
    del bank
    area = quantity("vacuum_area", strength)
    if area > 0.93 or strength >= 0.9:
        slabs = [phase for _, phase in scene.slabs]
        for array in (scene.phase, scene.bulk, scene.loss, scene.thickness_a, *slabs):
            array[...] = 0.0
        scene.mark("empty_no_ice", np.ones(scene.grid.shape, dtype=np.bool_))
        return
    distance = support.straight_edge(
        rng, scene.grid, area, float(rng.uniform(40.0, 250.0)), float(rng.uniform(800.0, 3000.0))
    )
    torn = support.tear(
        scene, rng, distance, curl_a=float(rng.uniform(0.0, 200.0)), taper_a=_taper(rng)
    )
    scene.mark("empty_no_ice", torn)


def _torn(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Leave a hole without ice, and of its support only a torn piece at the side."""
    if strength < 0.4:
        # So little vacuum is a tear in the ice, not a hole without any.
        _vacuum(scene, strength, rng, bank)
        return
    area = quantity("vacuum_area", strength)
    share = float(np.clip(1.0 - area, 0.03, 0.6))
    distance = support.hole_edge(
        rng, scene.grid, share, _hole_radius(rng), float(rng.uniform(10, 80))
    )
    film = support.Film(
        kind="gold" if rng.random() < 0.45 else "carbon",
        thickness_a=float(rng.uniform(150.0, 500.0)),
        rim_a=float(rng.uniform(0.0, 150.0)),
        taper_a=float(rng.uniform(20.0, 90.0)),
    )
    scene.mark("film", support.lay_film(scene, rng, distance, film))
    torn = support.tear(
        scene, rng, -distance, curl_a=float(rng.uniform(0.0, 120.0)), taper_a=_taper(rng)
    )
    scene.mark("empty_no_ice", torn)
    del bank


def _flakes(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Scatter pale flakes of ice or ethane."""
    del bank
    area = quantity("contaminated_area", strength)
    dirt.scatter_ice_flakes(
        scene,
        rng,
        area,
        radius_a=float(rng.uniform(130.0, 420.0)),
        roundness=float(rng.uniform(0.2, 0.9)),
    )


def _heap(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Heap up see-through ice balls in chains."""
    del bank
    area = quantity("contaminated_area", strength)
    dirt.pile_ice_balls(scene, rng, area, radius_a=float(rng.uniform(150.0, 400.0)))


def _ball(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Drop one big, dark ice crystal."""
    del bank
    dirt.drop_ice_ball(scene, rng, quantity("contaminated_area", strength))


def _aggregates(
    scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank
) -> None:
    """Let particles clump."""
    area = quantity("contaminated_area", strength)
    dirt.grow_aggregates(scene, rng, area, bank, spread_a=float(rng.uniform(250.0, 700.0)))


def _vesicles(
    scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank
) -> None:
    """Add membrane vesicles."""
    del bank
    area = quantity("contaminated_area", strength)
    dirt.blow_vesicles(scene, rng, area, radius_a=float(rng.uniform(250.0, 700.0)))


def _bubbles(scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank) -> None:
    """Burn the specimen until it bubbles."""
    del bank
    dirt.boil_bubbles(scene, rng, quantity("contaminated_area", strength))


def _crystals(
    scene: Scene, strength: float, rng: np.random.Generator, bank: ProjectionBank
) -> None:
    """Crystallise the ice, all over or in islands; strong cases are mottled all over."""
    del bank
    area = quantity("crystalline_area", strength)
    if strength > 0.5 and rng.random() < 0.7:
        area = 1.0
    crystallise(
        scene,
        rng,
        area,
        contrast=max(
            LEAST_SEEN_CONTRAST, float(rng.lognormal(np.log(0.08), 0.45) * (0.4 + strength))
        ),
        grain_a=float(rng.lognormal(np.log(95.0), 0.35)),
        ghost_a=float(rng.uniform(80.0, 300.0)),
        cubic=bool(rng.random() < 0.4),
    )


PAINTERS: dict[str, tuple[str, Painter]] = {
    "carbon": ("film", Painter(moment=Moment.UNDER, paint=_carbon)),
    "gold": ("film", Painter(moment=Moment.LAST, paint=_gold)),
    "grid-bar": ("film", Painter(moment=Moment.LAST, paint=_bar)),
    "beam-edge": ("broken_exposure", Painter(moment=Moment.LAST, paint=_beam)),
    "no-ice": ("empty_no_ice", Painter(moment=Moment.LAST, paint=_vacuum)),
    "torn-film": ("empty_no_ice", Painter(moment=Moment.LAST, paint=_torn)),
    "ice-flakes": ("contamination", Painter(moment=Moment.OVER, paint=_flakes)),
    "ice-heap": ("contamination", Painter(moment=Moment.OVER, paint=_heap)),
    "ice-ball": ("contamination", Painter(moment=Moment.OVER, paint=_ball)),
    "aggregates": ("contamination", Painter(moment=Moment.OVER, paint=_aggregates)),
    "vesicles": ("contamination", Painter(moment=Moment.UNDER, paint=_vesicles)),
    "bubbling": ("contamination", Painter(moment=Moment.OVER, paint=_bubbles)),
    "crystalline-ice": ("crystalline_ice", Painter(moment=Moment.UNDER, paint=_crystals)),
}
