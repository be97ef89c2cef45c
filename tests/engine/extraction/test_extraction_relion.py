"""Pixel by pixel the same as `relion_preprocess`, run on the spot."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.extraction.background import Draw
from cryoverdict.engine.extraction.cut_particles import cut_particles
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.window import centre_pixels

if TYPE_CHECKING:
    from tests.engine.extraction.conftest import PickProject, RunProgram

pytestmark = pytest.mark.relion

BASE = ExtractionSettings(
    box_px=64,
    binned_box_px=64,
    background_radius_px=24,
    invert_contrast=False,
    fit_plane=True,
    edge="fill",
)
BINNED = replace(BASE, binned_box_px=32, background_radius_px=12)


class SystemNoise:
    """Normal numbers as RELION draws them: the C library's `rand`, polar method, single floats."""

    MOST = 2147483647

    def __init__(self) -> None:
        """Begin where a program begins that sets no seed."""
        self.library = ctypes.CDLL(None)
        self.library.srand(1)
        self.second: np.float32 | None = None

    def uniform(self) -> np.float32:
        """Return a number from -1 to 1."""
        share = np.float32(self.library.rand()) / np.float32(self.MOST)
        return np.float32(-1.0 + float(share) * 2.0)

    def normal(self) -> np.float32:
        """Return a number of the standard normal distribution; two come of each draw."""
        if self.second is not None:
            second, self.second = self.second, None
            return second
        square = 0.0
        while not 0.0 < square < 1.0:
            first, other = self.uniform(), self.uniform()
            square = float(np.float32(float(first) ** 2 + float(other) ** 2))
        factor = np.float32(np.sqrt(-2.0 * np.log(square) / square))
        self.second = other * factor
        return first * factor

    def draw(self, mean: float, deviation: float, n: int) -> NDArray[np.float64]:
        """Return numbers of a mean and a deviation."""
        scale = [np.float32(deviation) * self.normal() for _ in range(n)]
        return np.array([np.float32(mean) + s for s in scale], dtype=np.float64)


def cut(
    project: PickProject,
    name: str,
    settings: ExtractionSettings,
    draws: Callable[[int], Draw] | None = None,
) -> NDArray[np.float32]:
    """Return our images of one micrograph."""
    points = np.array(project.points)[:, :: 1 if name == "a" else -1]
    x, y = centre_pixels(points).T
    parts = cut_particles(project.pixels(name), x, y, settings, draws=draws)
    return np.concatenate([images for images, _ in parts])


@pytest.mark.parametrize(
    ("options", "settings", "tolerance"),
    [
        ("", replace(BASE, normalise=False), 0.0),
        ("--scale 32", replace(BINNED, normalise=False), 2e-5),
        ("--norm --no_ramp --bg_radius 24", replace(BASE, fit_plane=False), 5e-6),
        ("--norm --bg_radius 24", BASE, 5e-6),
        (
            "--scale 32 --norm --bg_radius 12 --invert_contrast",
            replace(BINNED, invert_contrast=True),
            5e-6,
        ),
        (
            "--norm --bg_radius 24 --white_dust 5 --black_dust 5",
            replace(BASE, dust_sigma=5.0),
            5e-6,
        ),
        (
            "--scale 32 --norm --bg_radius 12 --white_dust 2.5 --black_dust 2.5 --invert_contrast",
            replace(BINNED, dust_sigma=2.5, invert_contrast=True),
            5e-6,
        ),
    ],
)
def test_images_are_those_of_relion(
    pick_project: PickProject,
    relion: RunProgram,
    options: str,
    settings: ExtractionSettings,
    tolerance: float,
) -> None:
    root = pick_project.root
    (root / "P").mkdir()
    call = "--i mics.star --coord_dir ./ --coord_suffix _autopick.star --extract --extract_size 64"
    places = "--part_dir P/ --part_star P/particles.star"
    relion(root, "relion_preprocess", *call.split(), *places.split(), *options.split())
    noise = SystemNoise()
    for name in ("a", "b"):
        theirs = mrcfile.read(root / f"P/mics/{name}.mrcs")
        mine = cut(pick_project, name, settings, draws=lambda _: noise.draw)
        assert theirs.shape == mine.shape
        np.testing.assert_allclose(mine, theirs, rtol=0.0, atol=tolerance)


def test_relion_reads_the_list_and_scales_the_stack_again(
    pick_project: PickProject, relion: RunProgram
) -> None:
    """It keeps every column, ours among them, and the pixel values."""
    from cryoverdict.engine.extraction.extraction import extract_all
    from cryoverdict.engine.extraction.picked_micrographs import read_picked
    from cryoverdict.features.optics import Optics
    from cryoverdict.features.star import read_star

    out = pick_project.root / "out"
    out.mkdir()
    picked = read_picked([pick_project.root / "pick"], Optics())
    extract_all(picked, pick_project.settings(), out, threads=1)
    relion(out, "relion_star_handler", "--i", "particles.star", "--o", "copy.star")
    mine, theirs = (read_star(out / n)["particles"] for n in ("particles.star", "copy.star"))
    assert set(mine.columns) == set(theirs.columns)
    for label in ("rlnImageName", "cryoverdictPick"):
        assert mine.column(label) == theirs.column(label)
    relion(out, "relion_stack_create", "--i", "particles.star", "--o", "joined")
    joined = mrcfile.read(out / "joined.mrcs")
    own = np.concatenate([mrcfile.read(out / f"particles/{n}.mrcs") for n in "ab"])
    np.testing.assert_array_equal(joined, own)
