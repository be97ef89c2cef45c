"""Deciding how to pick and picking, on simulated micrographs, with nothing given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.extraction.picked_micrographs import read_picked
from cryoverdict.engine.picking_files.coordinate_star import read_coordinates
from cryoverdict.engine.simulation.data_set import demonstration
from cryoverdict.engine.simulation.data_set_files import write_data_set
from cryoverdict.features.optics import Optics

OPTICS = ("--voltage-kv", "300", "--cs-mm", "2.7", "--amplitude-contrast", "0.1")
SIDE, PIXEL_A = 1024, 1.7
# A folder of micrographs, and the true centres (x, y) by file name.
Session = tuple[Path, dict[str, NDArray[np.float64]]]
# The barrel of the demonstration is 150 Å long and 115 Å wide.
SHORTEST_A, LONGEST_A = 105.0, 165.0


def matches(found: NDArray[np.float64], true: NDArray[np.float64], within_px: float) -> int:
    """Return how many places are matched one to one, nearest pairs first."""
    far = np.hypot(*(found[:, None, :] - true[None, :, :]).transpose(2, 0, 1))
    count = 0
    for pair in np.argsort(far, axis=None):
        i, j = np.unravel_index(pair, far.shape)
        if far[i, j] > within_px:
            break
        far[i, :] = far[:, j] = np.inf
        count += 1
    return count


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Return a folder of three good micrographs, and the true centres (x, y) by file name."""
    folder = tmp_path_factory.mktemp("session")
    spec = demonstration()
    spec = replace(
        spec,
        micrographs=3,
        bad_fraction=0.0,
        blemish_chance=0.0,
        base=replace(spec.base, shape=(SIDE, SIDE), pixel_size_a=PIXEL_A, debris=0.0, specks=0.0),
    )
    written = write_data_set(spec, folder, seed=11)
    centres = {
        path.name: np.asarray(truth.centres_px, np.float64)
        for path, truth in zip(written.micrographs, written.truths, strict=True)
    }
    return folder, centres


def decide(folder: Path, output: Path, threads: int) -> Path:
    """Decide how a folder of micrographs is picked; return the folder of the decision."""
    given = ["--quiet", "--threads", str(threads), "--output", str(output), *OPTICS]
    assert run(["decide-picking", str(folder), *given]) == ExitCode.DONE
    return output


@pytest.fixture(scope="module")
def decided(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a decision that nothing was given for."""
    return decide(session[0], tmp_path_factory.mktemp("decided") / "how", 1)


def test_nothing_given_and_the_particles_are_found(
    session: Session, decided: Path, tmp_path: Path
) -> None:
    folder, centres = session
    one = ["--threads", "1", "--quiet", *OPTICS]
    where = tmp_path / "where"
    settled = json.loads((decided / "picking.json").read_text())["parameters"]
    assert SHORTEST_A < settled["diameter_a"] < LONGEST_A
    assert settled["contrast_sign"] == -1.0
    arguments = ["pick", str(folder), "--parameters", str(decided), "--output", str(where), *one]
    assert run(arguments) == ExitCode.DONE
    picked = read_picked([where], Optics()).picked
    margin = LONGEST_A / 2 / PIXEL_A
    right = found = true = 0
    for micrograph in picked:
        picks = read_coordinates(micrograph.coordinates[0], micrograph.subject)
        here = np.column_stack([picks.x_px, picks.y_px])
        inside = centres[Path(micrograph.subject).name]
        right += matches(here, inside, 0.35 * LONGEST_A / PIXEL_A)
        found += len(here)
        true += int(((inside > margin) & (inside < SIDE - margin)).all(axis=1).sum())
    assert true > 40
    assert right / found > 0.8
    assert right / true > 0.7


def test_the_same_micrographs_give_the_same_bytes_with_any_number_of_threads(
    session: Session, decided: Path, tmp_path: Path
) -> None:
    again = decide(session[0], tmp_path / "elsewhere", 2)
    files = sorted(p.relative_to(decided) for p in decided.rglob("*") if p.is_file())
    assert len(files) > 10
    assert [f for f in files if (decided / f).read_bytes() != (again / f).read_bytes()] == []
