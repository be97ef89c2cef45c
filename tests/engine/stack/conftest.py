"""Micrographs of one simulated particle in known directions, and its selected particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.features.ctf import Ctf
from cryoverdict.features.star import StarTable, table_of, write_star

PIXEL_SIZE_A = 4.0
SIDE_PX = 512
BOX_PX = 32
BEAD_SIGMA_PX = 1.5
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodProject:
    """``m0.mrc``, ``m1.mrc`` and ``particles_good.star`` in a folder; the particle's density.

    ``true_px`` ``(n, 2)`` is where each particle really lies, ``rows`` what the list says.
    """

    root: Path
    rows: tuple[Row, ...]
    true_px: NDArray[np.float64]
    density: NDArray[np.float32]
    settings: ExtractionSettings

    @property
    def selected(self) -> Path:
        """The list of good particles."""
        return self.root / "particles_good.star"


def told(rows: list[Row]) -> StarTable:
    """Return rows as a table, numbers with six decimals."""
    return table_of(
        [{k: f"{v:.6f}" if isinstance(v, float) else str(v) for k, v in r.items()} for r in rows]
    )


def turned(points: NDArray[np.float64], angles_deg: tuple[float, ...]) -> NDArray[np.float64]:
    """Return points ``(n, 3)`` turned by RELION's Euler angles (rot, tilt, psi about Z, Y, Z)."""
    matrix = np.eye(3)
    for angle, axis in zip(np.deg2rad(angles_deg), "zyz", strict=True):
        c, s = np.cos(angle), np.sin(angle)
        turn = {
            "z": np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]),
            "y": np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]),
        }[axis]
        matrix = turn @ matrix
    return points @ matrix.T


def blobs(points_px: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return Gaussian blobs at points given along the axes of an array, last axis first."""
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    out = np.zeros(shape)
    for point in points_px:
        distance2 = sum((a - p) ** 2 for a, p in zip(axes, point[::-1], strict=True))
        out += np.exp(-distance2 / (2.0 * BEAD_SIGMA_PX**2))
    return out


@pytest.fixture(scope="session")
def good_source(tmp_path_factory: pytest.TempPathFactory) -> GoodProject:
    """Return a simulated set of 200 particles; tests write elsewhere."""
    root = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    beads = rng.normal(0.0, 1.0, (40, 3)) * np.array([28.0, 18.0, 10.0])
    beads[:8] += np.array([0.0, 25.0, 12.0])
    beads = (beads - beads.mean(axis=0)) / PIXEL_SIZE_A
    rows: list[Row] = []
    true = []
    grid = np.arange(48, SIDE_PX - 40, 44)
    for number in range(2):
        density = np.zeros((SIDE_PX, SIDE_PX))
        focus = 15000.0 + 3000.0 * number
        for k, (column, line) in enumerate((x, y) for y in grid for x in grid):
            x, y = np.array([column, line]) + rng.uniform(-0.5, 0.5, 2)
            rot, psi = rng.uniform(-180.0, 180.0, 2)
            tilt = float(np.degrees(np.arccos(rng.uniform(-1.0, 1.0))))
            seen = turned(beads, (rot, tilt, psi))[:, :2]
            top, left = int(y) - 20, int(x) - 20
            patch = blobs(seen + np.array([x - left, y - top]), (41, 41))
            density[top : top + 41, left : left + 41] += patch
            # A pick off the particle's centre, and the shift that 2D classification found for it.
            px, py = x + rng.uniform(-4.0, 4.0), y + rng.uniform(-4.0, 4.0)
            true.append((x, y))
            rows.append(
                {
                    "rlnCoordinateX": float(px),
                    "rlnCoordinateY": float(py),
                    "rlnAutopickFigureOfMerit": float(rng.uniform(0.1, 0.9)),
                    "rlnImageName": f"{k + 1:06d}@particles/m{number}.mrcs",
                    "rlnMicrographName": f"m{number}.mrc",
                    "rlnOpticsGroup": 1,
                    "rlnDefocusU": focus + 200.0,
                    "rlnDefocusV": focus - 200.0,
                    "rlnDefocusAngle": 30.0,
                    "rlnAngleRot": float(rot),
                    "rlnAngleTilt": tilt,
                    "rlnAnglePsi": float(psi),
                    "rlnOriginXAngst": float((int(px) - x) * PIXEL_SIZE_A),
                    "rlnOriginYAngst": float((int(py) - y) * PIXEL_SIZE_A),
                    "rlnClassNumber": 1 + k % 3,
                    "rlnRandomSubset": 1 + k % 2,
                    "rlnMaxValueProbDistribution": 0.75,
                    "cryoverdictPick": k + 1,
                }
            )
        ctf = Ctf(
            defocus_u_a=focus + 200.0,
            defocus_v_a=focus - 200.0,
            defocus_angle_deg=30.0,
            voltage_kv=300.0,
            cs_mm=2.7,
            amplitude_contrast=0.1,
        )
        seen = np.fft.irfft2(
            np.fft.rfft2(density) * ctf.grid(SIDE_PX, PIXEL_SIZE_A), s=density.shape
        )
        seen = seen + rng.normal(50.0, 0.7 * float(seen.std()), seen.shape)
        with mrcfile.new(root / f"m{number}.mrc") as file:
            file.set_data(seen.astype(np.float32))
            file.voxel_size = PIXEL_SIZE_A
    optics: list[Row] = [
        {
            "rlnOpticsGroupName": "session",
            "rlnOpticsGroup": 1,
            "rlnMicrographOriginalPixelSize": PIXEL_SIZE_A,
            "rlnVoltage": 300.0,
            "rlnSphericalAberration": 2.7,
            "rlnAmplitudeContrast": 0.1,
            "rlnImagePixelSize": 2.0 * PIXEL_SIZE_A,
            "rlnImageSize": BOX_PX // 2,
            "rlnImageDimensionality": 2,
        }
    ]
    write_star(root / "particles_good.star", {"optics": told(optics), "particles": told(rows)})
    centre = np.full(3, BOX_PX // 2)
    return GoodProject(
        root=root,
        rows=tuple(rows),
        true_px=np.array(true),
        density=blobs(beads + centre, (BOX_PX,) * 3).astype(np.float32),
        settings=ExtractionSettings(
            box_px=BOX_PX,
            binned_box_px=BOX_PX // 2,
            background_radius_px=7,
            invert_contrast=True,
            fit_plane=True,
            binned_pixel_size_a=2.0 * PIXEL_SIZE_A,
        ),
    )
