"""Micrographs and picks to extract from, and RELION to compare with."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.features.star import StarTable, table_of, write_star

# Inside, with a fraction, dusty, and over each edge; RELION cuts the fraction off.
POINTS = (
    (60.0, 50.0),
    (200.7, 150.2),
    (150.0, 150.0),
    (10.9, 20.3),
    (395.2, 290.9),
    (100.5, -3.7),
    (-5.5, 100.5),
    (150.0, 299.0),
)
PIXEL_SIZE_A = 1.5
PARAMETERS = {
    "box_px": 64.0,
    "binned_box_px": 32.0,
    "binned_pixel_size_a": 3.0,
    "background_radius_px": 12.0,
    "invert_contrast": 1.0,
    "fit_plane": 1.0,
    "dust_sigma": 5.0,
    "float16": 0.0,
    "duplicate_distance_a": 0.0,
    "classes": 50.0,
}


def star_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> StarTable:
    """Return a table of values written plainly."""
    return table_of([dict(zip(columns, map(str, row), strict=True)) for row in rows], columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickProject:
    """A folder with ``mics/``, ``mics.star``, ``pick/`` and ``classification.json``."""

    root: Path
    points: tuple[tuple[float, float], ...] = POINTS

    def pixels(self, name: str) -> NDArray[np.float32]:
        """Return a micrograph's pixels."""
        return np.asarray(mrcfile.read(self.root / "mics" / f"{name}.mrc"))

    def write_points(self, points: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Write the coordinates of each micrograph; the first has the best score."""
        columns = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit", "rlnClassNumber")
        for name, xy in points.items():
            rows = [(x, y, 0.5 - 0.01 * i, 1) for i, (x, y) in enumerate(xy)]
            table = star_table(columns, rows)
            write_star(self.root / f"pick/coordinates/{name}_autopick.star", {"": table})
            shutil.copy(self.root / f"pick/coordinates/{name}_autopick.star", self.root / "mics")
        listed = [(f"mics/{n}.mrc", f"coordinates/{n}_autopick.star") for n in points]
        names = ("rlnMicrographName", "rlnMicrographCoordinates")
        write_star(
            self.root / "pick/autopick.star", {"coordinate_files": star_table(names, listed)}
        )

    def write_micrographs(self, *, ctf: bool = True) -> None:
        """Write the list of micrographs, with or without a CTF."""
        optics = star_table(
            (
                "rlnOpticsGroupName",
                "rlnOpticsGroup",
                "rlnMicrographOriginalPixelSize",
                "rlnMicrographPixelSize",
                "rlnVoltage",
                "rlnSphericalAberration",
                "rlnAmplitudeContrast",
            ),
            [("session", 1, PIXEL_SIZE_A, PIXEL_SIZE_A, 300, 2.7, 0.1)],
        )
        columns = ["rlnMicrographName", "rlnOpticsGroup"]
        rows: list[tuple[object, ...]] = [("mics/a.mrc", 1), ("mics/b.mrc", 1)]
        if ctf:
            columns += ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfMaxResolution"]
            rows = [(*rows[0], 10000, 9000, 30, 4.0), (*rows[1], 12000, 11000, 40, 5.0)]
        blocks = {"optics": optics, "micrographs": star_table(columns, rows)}
        for path in ("mics.star", "pick/micrographs.star"):
            write_star(self.root / path, blocks)

    def write_parameters(self, **changes: float) -> Path:
        """Write a ``classification.json``."""
        path = self.root / "classification.json"
        record = {"kind": "classification", "parameters": PARAMETERS | changes}
        path.write_text(json.dumps(record))
        return path

    def settings(self, **changes: float) -> ExtractionSettings:
        """Return the settings of the project's parameters, some of them changed."""
        return ExtractionSettings.from_settings(PARAMETERS | changes)


def draw_micrograph(path: Path, shape: tuple[int, int], seed: int) -> None:
    """Write noise on a ramp, with a light and a dark speck of dust."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(100.0, 10.0, shape) + np.linspace(0.0, 30.0, shape[1])[None, :]
    pixels[50, 60] = 400.0
    pixels[150:152, 200] = -200.0
    with mrcfile.new(path) as file:
        file.set_data(pixels.astype(np.float32))
        file.voxel_size = PIXEL_SIZE_A


@pytest.fixture
def pick_project(tmp_path: Path) -> PickProject:
    """Return two micrographs of 400 x 300 and 300 x 400 px and their picks."""
    project = PickProject(root=tmp_path / "project")
    (project.root / "mics").mkdir(parents=True)
    (project.root / "pick" / "coordinates").mkdir(parents=True)
    draw_micrograph(project.root / "mics" / "a.mrc", (300, 400), 1)
    draw_micrograph(project.root / "mics" / "b.mrc", (400, 300), 2)
    project.write_points({"a": POINTS, "b": [(y, x) for x, y in POINTS]})
    project.write_micrographs()
    project.write_parameters()
    return project


RunProgram = Callable[..., str]


@pytest.fixture
def relion() -> RunProgram:
    """Return a function that runs a RELION program in a folder; skip where there is none."""
    if shutil.which("relion_preprocess") is None:
        pytest.skip("RELION is not installed")

    def run(folder: Path, program: str, *arguments: object) -> str:
        """Run it and return all it said; its complaints fail the test."""
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-2000:]
        assert "ERROR" not in said, said[-2000:]
        return said

    return run
