"""Apoferritin cut out of real micrographs is a ring, and its CTF is found on the way."""

from __future__ import annotations

import csv
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.engine.extraction.extraction import extract_all
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.picked_micrographs import read_picked
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import read_star, table_of, write_star

pytestmark = pytest.mark.real_data
SETTINGS = ExtractionSettings(
    box_px=160,
    binned_box_px=80,
    background_radius_px=30,
    invert_contrast=True,
    fit_plane=True,
    dust_sigma=5.0,
)
OPTICS = Optics(pixel_size_a=1.5, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


def test_apoferritin_is_a_ring(shared_data: Path, tmp_path: Path) -> None:
    micrograph = min((shared_data / "micrographs" / "apoferritin").glob("*.png"))
    with micrograph.with_suffix(".csv").open() as stream:
        rows = [
            {"rlnCoordinateX": r["x"], "rlnCoordinateY": r["y"]} for r in csv.DictReader(stream)
        ]
    write_star(tmp_path / "picks.star", {"": table_of(rows)})
    listed = {
        "rlnMicrographName": str(micrograph),
        "rlnMicrographCoordinates": "picks.star",
    }
    write_star(tmp_path / "autopick.star", {"coordinate_files": table_of([listed])})
    (tmp_path / "out").mkdir()
    picked = read_picked([tmp_path / "autopick.star"], OPTICS)
    done = extract_all(picked, SETTINGS, tmp_path / "out", threads=1)
    assert sum(done.fates.values()) == len(rows)
    (path,) = (tmp_path / "out" / "particles").glob("*.mrcs")
    mean = np.asarray(mrcfile.read(path)).mean(axis=0)
    steps = np.arange(80) - 40
    radius = np.sqrt(steps[:, None] ** 2 + steps[None, :] ** 2).round().astype(int)
    profile = np.bincount(radius.ravel(), mean.ravel()) / np.bincount(radius.ravel())
    brightest_a = 3.0 * int(profile[:30].argmax())
    # A hollow ball of 120 Å, its shell 80 to 120 Å wide.
    assert 40.0 <= brightest_a <= 60.0
    assert profile[:4].mean() < 0.6 * profile.max()
    particles = read_star(tmp_path / "out" / "particles.star")["particles"]
    defocus = np.array(particles.column("rlnDefocusU"), dtype=np.float64)
    assert 15000.0 < defocus[0] < 30000.0
    assert (defocus == defocus[0]).all()
