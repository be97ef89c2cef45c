"""The simulated sessions that picking is measured on, and those that it was developed on.

Constants of picking were chosen on `DEVELOPMENT`, particles made by code, but for how much of a
region particles fill where contamination is doubted: there `REPORTED` sessions had a part, too.
`REPORTED` are other particles (atomic models of the shared data folder, and assemblies of them), at
other seeds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.data_set import DataSetSpec
from cryoverdict.engine.simulation.micrograph import _model
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.particle import BeadModel
from cryoverdict.engine.simulation.particle_files import read_particle
from cryoverdict.engine.simulation.particle_shapes import SHAPES, generated_particle

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
# What lies on tolerable micrographs of every session: film, contamination.
BLEMISHES = (("carbon", 1.0), ("ice-flakes", 1.0), ("ice-heap", 0.6))
VOXEL_A = 4.0
_Double = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One simulated session: particle, microscope, focus and crowding.

    ``particle`` is a generated shape, the start of a file name in the shared folder of models, or
    one of `ASSEMBLIES`.
    """

    particle: str
    pixel_a: float
    voltage_kv: float
    focus_a: tuple[float, float]
    coverage: tuple[float, float]
    seed: int
    contrast: float = 0.7
    side: int = 2048

    def spec(self, name: str, count: int, folder: Path) -> DataSetSpec:
        """Return the session's settings; an assembly is written into ``folder``."""
        path = particle_file(self.particle, folder)
        particle = ParticleSpec(name=self.particle, path=path, contrast=self.contrast)
        return DataSetSpec(
            name=name,
            micrographs=count,
            base=MicrographSpec(
                shape=(self.side, self.side),
                pixel_size_a=self.pixel_a,
                voltage_kv=self.voltage_kv,
                detector="k3",
                particle=particle,
                particle_seed=self.seed,
                gain_seed=self.seed,
            ),
            defocus_range_a=self.focus_a,
            coverage_range=self.coverage,
            bad_fraction=0.0,
            blemish_chance=0.4,
            blemish_strength=(0.15, 0.45),
            mix=BLEMISHES,
        )


DEVELOPMENT = {
    "globule": Session(
        particle="globule", pixel_a=1.3, voltage_kv=300.0, focus_a=(9e3, 2.2e4),
        coverage=(0.1, 0.2), seed=101,
    ),
    "barrel": Session(
        particle="barrel", pixel_a=1.6, voltage_kv=300.0, focus_a=(8e3, 1.6e4),
        coverage=(0.15, 0.3), seed=102,
    ),
    "shell": Session(
        particle="shell", pixel_a=1.6, voltage_kv=200.0, focus_a=(1e4, 2.5e4), coverage=(0.3, 0.5),
        seed=103,
    ),
    "spike-like": Session(
        particle="spike", pixel_a=1.7, voltage_kv=300.0, focus_a=(1e4, 2.5e4), coverage=(0.05, 0.1),
        seed=104,
    ),
    "ribosome": Session(
        particle="ribosome", pixel_a=2.2, voltage_kv=200.0, focus_a=(8e3, 2e4), coverage=(0.1, 0.3),
        seed=105,
    ),
    "virus": Session(
        particle="virus", pixel_a=2.8, voltage_kv=300.0, focus_a=(8e3, 2e4), coverage=(0.1, 0.25),
        seed=106,
    ),
    "tetramer": Session(
        particle="tetramer", pixel_a=1.7, voltage_kv=200.0, focus_a=(1.2e4, 3e4),
        coverage=(0.2, 0.4), seed=107, contrast=0.5,
    ),
    "nucleosome-like": Session(
        particle="nucleosome", pixel_a=1.3, voltage_kv=300.0, focus_a=(1e4, 2.5e4),
        coverage=(0.05, 0.15), seed=108,
    ),
    "chaperone": Session(
        particle="chaperone", pixel_a=1.8, voltage_kv=300.0, focus_a=(1.5e4, 3e4),
        coverage=(0.02, 0.05), seed=109,
    ),
    "micelle": Session(
        particle="micelle-receptor", pixel_a=1.4, voltage_kv=300.0, focus_a=(8e3, 1.8e4),
        coverage=(0.2, 0.3), seed=110,
    ),
    "barrel-pair": Session(
        particle="barrel-pair", pixel_a=2.0, voltage_kv=300.0, focus_a=(1e4, 2.5e4),
        coverage=(0.1, 0.2), seed=111,
    ),
    "globule-shell": Session(
        particle="globule-shell", pixel_a=2.5, voltage_kv=300.0, focus_a=(1e4, 2.5e4),
        coverage=(0.1, 0.2), seed=112,
    ),
    "chaperone-cage": Session(
        particle="chaperone-cage", pixel_a=3.0, voltage_kv=300.0, focus_a=(1e4, 2.5e4),
        coverage=(0.1, 0.25), seed=113,
    ),
    "shell-capsid": Session(
        particle="shell-capsid", pixel_a=2.6, voltage_kv=200.0, focus_a=(1e4, 2.5e4),
        coverage=(0.15, 0.3), seed=114,
    ),
    "globule-ball": Session(
        particle="globule-ball", pixel_a=3.0, voltage_kv=300.0, focus_a=(8e3, 2e4),
        coverage=(0.1, 0.3), seed=115,
    ),
}  # fmt: skip

REPORTED = {
    "proteasome-dense": Session(
        particle="6BDF", pixel_a=1.5, voltage_kv=300.0, focus_a=(8e3, 2e4), coverage=(0.3, 0.45),
        seed=921,
    ),
    "proteasome-sparse": Session(
        particle="6BDF", pixel_a=1.5, voltage_kv=200.0, focus_a=(1e4, 3e4), coverage=(0.02, 0.06),
        seed=922,
    ),
    "apoferritin": Session(
        particle="4OYN", pixel_a=1.4, voltage_kv=200.0, focus_a=(8e3, 2e4), coverage=(0.15, 0.4),
        seed=923,
    ),
    "spike": Session(
        particle="6VXX", pixel_a=1.7, voltage_kv=300.0, focus_a=(1e4, 2.5e4), coverage=(0.05, 0.15),
        seed=924,
    ),
    "nucleosome": Session(
        particle="1KX5", pixel_a=1.3, voltage_kv=300.0, focus_a=(1e4, 3e4), coverage=(0.08, 0.2),
        seed=925,
    ),
    "galactosidase": Session(
        particle="beta_galactosidase", pixel_a=1.6, voltage_kv=300.0, focus_a=(1e4, 3e4),
        coverage=(0.1, 0.25), seed=926,
    ),
    "proteasome-pair": Session(
        particle="pair", pixel_a=2.0, voltage_kv=200.0, focus_a=(1e4, 2.5e4), coverage=(0.1, 0.2),
        seed=927,
    ),
    "ferritin-trefoil": Session(
        particle="trefoil", pixel_a=2.0, voltage_kv=300.0, focus_a=(8e3, 2e4),
        coverage=(0.05, 0.15), seed=928,
    ),
    "proteasome-cage": Session(
        particle="cage", pixel_a=3.0, voltage_kv=300.0, focus_a=(1e4, 3e4), coverage=(0.1, 0.25),
        seed=929,
    ),
    "ferritin-capsid": Session(
        particle="capsid", pixel_a=3.0, voltage_kv=300.0, focus_a=(1e4, 3e4), coverage=(0.1, 0.25),
        seed=930,
    ),
}  # fmt: skip


def _icosahedron(radius_a: float) -> _Double:
    """Return the twelve corners of an icosahedron."""
    golden = (1.0 + 5.0**0.5) / 2.0
    corners = np.array([(0.0, a, b * golden) for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    every = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    return np.asarray(every * radius_a / float(np.hypot(1.0, golden)))


def _sphere(count: int, radius_a: float) -> _Double:
    """Return places evenly over a sphere: a spiral whose steps turn by the golden angle."""
    height = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn = np.arange(count) * np.pi * (3.0 - 5.0**0.5)
    ring = np.sqrt(1.0 - np.square(height))
    return np.asarray(
        radius_a * np.stack((ring * np.cos(turn), ring * np.sin(turn), height), axis=1)
    )


def _ball(radius_a: float, step_a: float) -> _Double:
    """Return the places of a square lattice that lie in a ball."""
    steps = np.arange(-radius_a, radius_a + 1.0, step_a)
    places = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return np.asarray(places[np.linalg.norm(places, axis=1) <= radius_a])


# Assemblies: which model or shape, and where its copies lie (Å). The copies of the cages do not
# touch; those of the others do.
ASSEMBLIES: dict[str, tuple[str, _Double]] = {
    "pair": ("6BDF", np.array([(0.0, 0.0, -75.0), (0.0, 0.0, 75.0)])),
    "trefoil": (
        "4OYN",
        70.0 * np.array([(np.cos(a), np.sin(a), 0.0) for a in np.radians([90.0, 210.0, 330.0])]),
    ),
    "cage": ("6BDF", _icosahedron(220.0)),
    "capsid": ("4OYN", _sphere(60, 230.0)),
    "barrel-pair": ("barrel", np.array([(0.0, 0.0, -75.0), (0.0, 0.0, 75.0)])),
    "globule-shell": ("globule", _sphere(160, 180.0)),
    "chaperone-cage": ("chaperone", _icosahedron(175.0)),
    "shell-capsid": ("shell", _sphere(40, 190.0)),
    "globule-ball": ("globule", _ball(240.0, 60.0)),
}


def particle_file(particle: str, folder: Path) -> str | None:
    """Return the file of a particle, ``None`` for a generated one.

    Raises `SystemExit` without the shared data folder.
    """
    if particle in SHAPES:
        return None
    if particle in ASSEMBLIES:
        return str(_assembled(particle, folder))
    file = next(iter(sorted((DATA / "models").glob(f"{particle}*"))), None)
    if file is None:
        sys.exit(f"{DATA}: no model {particle}*; accepted is the shared data folder")
    return str(file)


def _assembled(name: str, folder: Path) -> Path:
    """Write an assembly as a map of what its copies displace of the ice, and return its path."""
    import mrcfile

    path = folder / f"{name}.mrc"
    if path.exists():
        return path
    part, shifts = ASSEMBLIES[name]
    file = particle_file(part, folder)
    model = generated_particle(part) if file is None else read_particle(Path(file))
    places = np.concatenate([model.positions_a + shift for shift in shifts])
    side = int(2.0 * float(np.abs(places).max()) / VOXEL_A) + 8
    cells = np.rint(places / VOXEL_A).astype(np.intp) + side // 2
    volume = np.zeros((side, side, side), np.float32)
    np.add.at(volume, (cells[:, 2], cells[:, 1], cells[:, 0]), 1.0)
    folder.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, overwrite=True) as stream:
        stream.set_data(np.minimum(volume, np.float32(np.percentile(volume[volume > 0], 50.0))))
        stream.voxel_size = VOXEL_A
    return path


def model_of(spec: DataSetSpec) -> BeadModel:
    """Return the particle of a session."""
    return _model(spec.base.particle.name, spec.base.particle.path)


def true_diameter(model: BeadModel) -> float:
    """Return the diameter (Å) of the ball with the radius of gyration of what scatters.

    What scatters is the excess over the ice that a particle stands in for.
    """
    excess = (model.potential_va3 - model.displaced_va3).astype(np.float64)
    square = np.square(model.positions_a.astype(np.float64)).sum(axis=1)
    return float(2.0 * (5.0 / 3.0 * (excess * square).sum() / excess.sum()) ** 0.5)


def bare(spec: DataSetSpec, **changed: float) -> MicrographSpec:
    """Return a session's settings without particles."""
    return replace(spec.base, coverage=0.0, fragments=0.0, **changed)  # type: ignore[arg-type]
