"""Pictures of one subject as files and data."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cryoverdict.reports.pictures import (
    AREA_COLOURS,
    PagePictures,
    describe_area,
    describe_profile,
    write_pictures,
)
from cryoverdict.reports.report_error import ReportError

KINDS = ("usable", "film", "contamination")


def test_area_gives_fractions_and_colours_of_what_is_there() -> None:
    area = np.zeros((10, 20), np.uint8)
    area[:, :5] = 1
    area[0, 10] = 7
    assert describe_area(area, KINDS)["kinds"] == [
        {"name": "usable", "fraction": 149 / 200, "colour": None},
        {"name": "film", "fraction": 50 / 200, "colour": AREA_COLOURS[0]},
        {"name": "kind 7", "fraction": 1 / 200, "colour": AREA_COLOURS[6]},
    ]


def test_overlay_is_clear_where_usable_and_coloured_elsewhere() -> None:
    area = np.array([[0, 1], [2, 0]], np.uint8)
    address = describe_area(area, KINDS)["image"]
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    assert pixels[0, 0, 3] == pixels[1, 1, 3] == 0
    assert [bytes(pixels[0, 1, :3]).hex(), bytes(pixels[1, 0, :3]).hex()] == [
        colour[1:] for colour in AREA_COLOURS[:2]
    ]
    assert 0 < pixels[0, 1, 3] < 255


def test_a_large_area_keeps_its_fractions() -> None:
    area = np.zeros((1000, 1400), np.uint8)
    area[1, 1] = 2
    said = describe_area(area, KINDS)
    assert said["kinds"][1]["fraction"] == 1 / 1_400_000
    data = base64.b64decode(said["image"].partition(",")[2])
    assert max(Image.open(io.BytesIO(data)).size) <= 256


@pytest.mark.parametrize(
    ("name", "unit"), [("frequency_per_a", "1/A"), ("frequency_per_px", "1/px")]
)
def test_profile_says_its_unit(name: str, unit: str) -> None:
    profile = {name: np.array([0.1, 0.2]), "power": np.array([3.0, np.nan])}
    assert describe_profile(profile) == {
        "unit": unit,
        "frequency": [0.1, 0.2],
        "power": [3.0, None],
    }


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"power": np.ones(2)}, r"has \['power'\]; accepted is one with frequency_per_a"),
        ({"frequency_per_a": np.ones(3), "fit": np.ones(2)}, "fit has 2 values at 3 frequencies"),
    ],
)
def test_a_profile_that_is_none_is_refused(
    profile: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]], message: str
) -> None:
    with pytest.raises(ReportError, match=message):
        describe_profile(profile)


def test_files_hold_the_pictures(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    pictures = PagePictures(thumbnail=ramp, spectrum=ramp[:, ::-1].copy(), ctf="defocus 1.2 µm")
    said = write_pictures(tmp_path / "000" / "07", pictures, KINDS)
    assert said == {"thumbnail": [64, 48], "spectrum": [64, 48], "ctf": "defocus 1.2 µm"}
    for name, wanted in (("07.jpg", ramp), ("07_spectrum.jpg", ramp[:, ::-1])):
        read = np.asarray(Image.open(tmp_path / "000" / name)).astype(int)
        assert np.abs(read - wanted).max() < 12


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), np.uint8)],
)
def test_what_is_no_grey_picture_is_refused(tmp_path: Path, pixels: object) -> None:
    pictures = PagePictures(thumbnail=pixels)  # type: ignore[arg-type]
    with pytest.raises(ReportError, match=r"thumbnail: is .*; accepted is uint8"):
        write_pictures(tmp_path / "00", pictures, KINDS)


def test_stored_arrays_become_pictures() -> None:
    arrays: dict[str, NDArray[Any]] = {
        "thumbnail": np.ones((2, 2), np.uint8),
        "profile_power": np.ones(3, np.float32),
        "ctf": np.array("defocus 1 µm"),
        "something_else": np.ones(1),
    }
    made = PagePictures.of(arrays)
    assert made.thumbnail is arrays["thumbnail"]
    assert dict(made.profile) == {"power": arrays["profile_power"]}
    assert (made.ctf, made.spectrum, made.area) == ("defocus 1 µm", None, None)
