"""RELION cuts the same stack, and reconstructs and refines from ours without complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.stack.good_stack import write_stack
from cryoverdict.engine.stack.selected_particles import read_selected
from cryoverdict.features.star import StarTable, read_star, write_star

if TYPE_CHECKING:
    from tests.engine.stack.conftest import GoodProject

pytestmark = pytest.mark.relion


def relion(folder: Path, program: str, arguments: str) -> None:
    """Run a program of RELION; its complaints fail the test."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [program, *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert "ERROR" not in said, said[-2000:]
    # Columns of our own it keeps, and says so.
    warned = [line for line in said.splitlines() if "WARNING" in line]
    assert [line for line in warned if "(but maintain)" not in line] == []


def likeness(map_path: Path, density: NDArray[np.float32]) -> float:
    """Return the correlation of a map with the true density, inside the box's sphere."""
    found = np.asarray(mrcfile.read(map_path))
    steps = np.arange(len(density)) - len(density) // 2
    inside = steps[:, None, None] ** 2 + steps[:, None] ** 2 + steps**2 < 14**2
    return float(np.corrcoef(found[inside], density[inside])[0, 1])


@pytest.fixture
def stack(good_source: GoodProject, tmp_path: Path) -> Path:
    """Return the folder of a written stack."""
    write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path / "stack")
    return tmp_path / "stack"


def test_relion_recentres_and_cuts_the_same(
    good_source: GoodProject, stack: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(good_source.root, project)
    optics = read_star(good_source.selected)["optics"]
    place = optics.columns.index("rlnImagePixelSize")
    columns = tuple(
        "rlnMicrographPixelSize" if c == "rlnImagePixelSize" else c for c in optics.columns
    )
    rows = tuple((*r[:place], "4.0", *r[place + 1 :]) for r in optics.rows)
    names = StarTable(
        columns=("rlnMicrographName", "rlnOpticsGroup"), rows=(("m0.mrc", "1"), ("m1.mrc", "1"))
    )
    mics = {"optics": StarTable(columns=columns, rows=rows), "micrographs": names}
    write_star(project / "mics.star", mics)
    (project / "P").mkdir()
    relion(
        project,
        "relion_preprocess",
        "--i mics.star --reextract_data_star particles_good.star --recenter --extract "
        "--extract_size 32 --norm --bg_radius 14 --invert_contrast --part_dir P/ "
        "--part_star P/particles.star",
    )
    theirs = np.concatenate([mrcfile.read(project / f"P/m{n}.mrcs") for n in (0, 1)])
    mine = mrcfile.read(stack / "good_particles.mrcs")
    np.testing.assert_allclose(mine, theirs, rtol=0.0, atol=5e-6)
    said = read_star(project / "P/particles.star")["particles"]
    own = read_star(stack / "good_particles.star")["particles"]
    for label in ("rlnCoordinateX", "rlnCoordinateY", "rlnOriginXAngst", "rlnOriginYAngst"):
        a, b = (np.array(t.column(label), dtype=np.float64) for t in (said, own))
        np.testing.assert_allclose(b, a, atol=2e-5)


def test_relion_reconstructs_the_particle(good_source: GoodProject, stack: Path) -> None:
    relion(stack, "relion_reconstruct", "--i good_particles.star --o map.mrc --ctf")
    # Centres, angles, contrast and CTF all have to be right for this; .987 when written.
    assert likeness(stack / "map.mrc", good_source.density) > 0.97


def test_relion_refines_the_stack(good_source: GoodProject, stack: Path) -> None:
    from scipy.ndimage import gaussian_filter

    with mrcfile.new(stack / "reference.mrc") as file:
        file.set_data(gaussian_filter(good_source.density, 4.0))
        file.voxel_size = 4.0
    (stack / "R").mkdir()
    relion(
        stack,
        "relion_refine",
        "--i good_particles.star --o R/run --ref reference.mrc --firstiter_cc --ini_high 40 --ctf "
        "--iter 2 --tau2_fudge 4 --particle_diameter 110 --K 1 --flatten_solvent --zero_mask "
        "--oversampling 1 --healpix_order 1 --offset_range 3 --offset_step 2 --sym C1 --norm "
        "--scale --j 1 --pool 30 --preread_images --random_seed 1",
    )
    assert likeness(stack / "R" / "run_it002_class001.mrc", good_source.density) > 0.7
    data = read_star(stack / "R" / "run_it002_data.star")["particles"]
    assert len(data.rows) == 200
