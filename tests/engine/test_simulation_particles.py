"""Particles: generated ones, and those of files."""

from __future__ import annotations

import gzip
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.simulation.electron import ICE_V, PROTEIN_V
from cryoverdict.engine.simulation.film import hole_edge, straight_edge
from cryoverdict.engine.simulation.grid import make_grid
from cryoverdict.engine.simulation.orientation import euler_angles_deg
from cryoverdict.engine.simulation.particle import ProjectionBank, random_rotations, splat
from cryoverdict.engine.simulation.particle_files import read_particle
from cryoverdict.engine.simulation.particle_shapes import SHAPES, generated_particle
from cryoverdict.engine.simulation.placement import place_particles
from cryoverdict.features.input_error import InputError


def bank_of(name: str, pixel_size_a: float = 4.0, seed: int = 1) -> ProjectionBank:
    """Return a small bank of a generated particle."""
    return ProjectionBank(
        model=generated_particle(name),
        pixel_size_a=pixel_size_a,
        b_factor_a2=60.0,
        preference=0.0,
        seed=seed,
    )


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_projection_holds_the_whole_excess_potential(name: str) -> None:
    bank = bank_of(name)
    model = bank.model
    image = bank.projection(3)
    assert image.shape == (bank.box, bank.box)
    assert bank.box % 2 == 1
    excess = float((model.potential_va3 - model.displaced_va3).sum())
    assert float(image.sum()) * 4.0**2 == pytest.approx(excess, rel=0.01)
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert np.abs(edge).max() < 0.01 * image.max()
    assert 80.0 < model.diameter_a < 600.0


def test_a_generated_particle_is_always_the_same() -> None:
    again = generated_particle("spike").positions_a
    np.testing.assert_array_equal(generated_particle("spike").positions_a, again)


def test_a_projection_depends_on_its_number_and_seed_alone() -> None:
    one, other = bank_of("tetramer"), bank_of("tetramer")
    one.projection(0)
    np.testing.assert_array_equal(one.projection(5), other.projection(5))
    assert not np.array_equal(one.projection(5), one.projection(6))
    assert not np.array_equal(one.projection(5), bank_of("tetramer", seed=2).projection(5))


def test_the_orientation_of_a_view_is_the_one_it_shows() -> None:
    bank = bank_of("tetramer")
    for number in (3, 3 + bank.count, 3 + 2 * bank.count, 3 + 3 * bank.count):
        turned = bank._project(bank.orientation(number))
        np.testing.assert_allclose(bank.view(number), turned, atol=1e-3 * turned.max())
    assert not np.allclose(bank.view(3), bank.view(3 + bank.count), atol=0.1 * bank.view(3).max())


def test_euler_angles_turn_as_relion_does() -> None:
    def matrix(rot: float, tilt: float, psi: float) -> NDArray[np.float64]:
        """Return the rotation of RELION's angles: about z, the new y, the new z."""
        (ca, cb, cg), (sa, sb, sg) = (f(np.deg2rad([rot, tilt, psi])) for f in (np.cos, np.sin))
        first = np.array([[ca, sa, 0], [-sa, ca, 0], [0, 0, 1]])
        second = np.array([[cb, 0, -sb], [0, 1, 0], [sb, 0, cb]])
        third = np.array([[cg, sg, 0], [-sg, cg, 0], [0, 0, 1]])
        return np.asarray(third @ second @ first)

    random = random_rotations(np.random.default_rng(2), 50, 0.0)
    poles = [matrix(0.0, tilt, psi) for tilt in (0.0, 180.0) for psi in (-170.0, 0.0, 40.0)]
    rotations = np.concatenate([random, poles])
    for rotation, angles in zip(rotations, euler_angles_deg(rotations), strict=True):
        np.testing.assert_allclose(matrix(*angles), rotation, atol=1e-5)


def test_rotations_are_rotations_and_a_preference_favours_two_views() -> None:
    rng = np.random.default_rng(2)
    for preference in (0.0, 1.0):
        turns = random_rotations(rng, 400, preference)
        identity = turns @ turns.transpose(0, 2, 1)
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-5)
        np.testing.assert_allclose(np.linalg.det(turns), 1.0, atol=1e-5)
        along = np.abs(turns[:, 2, 2])
        oblique = float(np.mean((along > 0.5) & (along < 0.8)))
        assert oblique == pytest.approx(0.3 if preference == 0.0 else 0.0, abs=0.06)


def test_splat_keeps_the_weight_and_its_place() -> None:
    at = np.array([[1.25, -2.0], [90.0, 0.0]], dtype=np.float32)
    image = splat(at, np.array([4.0, 7.0], dtype=np.float32), 21)
    expected = np.zeros((21, 21), dtype=np.float32)
    expected[8, 11], expected[8, 12] = 3.0, 1.0
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_particles_keep_their_distance_and_stay_where_they_may() -> None:
    grid = make_grid((500, 500), 4.0)
    allowed = np.zeros(grid.shape, dtype=bool)
    allowed[:, : grid.nx // 2] = True
    places = place_particles(
        np.random.default_rng(1),
        grid,
        count=120,
        distance_px=20.0,
        clustering=0.6,
        overlap=0.0,
        allowed=allowed,
    )
    assert len(places) > 60
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert gaps[~np.eye(len(places), dtype=bool)].min() >= 20.0 - 1e-3
    assert places[:, 1].max() < grid.nx // 2


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.95])
def test_film_takes_the_fraction_that_was_asked_for(fraction: float) -> None:
    grid = make_grid((256, 320), 8.0)
    rng = np.random.default_rng(5)
    for distance in (
        hole_edge(rng, grid, fraction, 3000.0, 0.0),
        straight_edge(rng, grid, fraction, 0.0, 1000.0),
    ):
        assert float((grid.cut(distance) > 0).mean()) == pytest.approx(fraction, abs=0.02)


def test_a_map_becomes_beads_of_protein(tmp_path: Path) -> None:
    z, y, x = np.indices((32, 32, 32))
    ball = (np.sqrt((z - 14) ** 2 + (y - 16) ** 2 + (x - 18) ** 2) < 8).astype(np.float32)
    path = tmp_path / "ball.mrc"
    with mrcfile.new(path) as stream:
        stream.set_data(ball)
        stream.voxel_size = 5.0
    (tmp_path / "ball.mrc.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("ball.mrc", "ball.mrc.gz"):
        model = read_particle(tmp_path / name)
        assert model.diameter_a == pytest.approx(80.0, abs=6.0)
        volume = float(ball.sum()) * 125.0
        assert model.potential_va3.sum() == pytest.approx(volume * PROTEIN_V, rel=0.01)
        assert model.displaced_va3.sum() == pytest.approx(volume * ICE_V, rel=0.01)


def test_an_atomic_model_becomes_beads(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    path = tmp_path / "two.pdb"
    path.write_text(
        "ATOM      1  CA  ALA A   1      10.000   0.000   0.000  1.00 20.00           C\n"
        "ATOM      2  N   ALA A   1     -10.000   0.000   0.000  1.00 20.00           N\n"
        "HETATM    3  O   HOH A   2       0.000  50.000   0.000  1.00 20.00           O\n"
        "END\n"
    )
    model = read_particle(path)
    assert model.diameter_a == pytest.approx(20.0)
    assert model.potential_va3[0] > model.potential_va3[1] > 0.0


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("absent.pdb", None, "no such file"),
        ("model.txt", b"x", "its name ends in none of"),
        ("broken.mrc", b"not a map", "cannot be read as an MRC map"),
        ("empty.pdb", b"END\n", "holds no atoms"),
    ],
)
def test_a_file_that_is_no_particle_is_refused(
    tmp_path: Path, name: str, content: bytes | None, found: str
) -> None:
    pytest.importorskip("gemmi")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=found):
        read_particle(tmp_path / name)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "least_a", "most_a"),
    [
        ("4OYN_apoferritin.pdb.gz", 115.0, 140.0),
        ("6BDF_20S_proteasome.pdb.gz", 150.0, 210.0),
        ("beta_galactosidase.mrc.gz", 140.0, 220.0),
    ],
)
def test_real_models_have_their_size(
    shared_data: Path, name: str, least_a: float, most_a: float
) -> None:
    pytest.importorskip("gemmi")
    assert least_a < read_particle(shared_data / "models" / name).diameter_a < most_a
