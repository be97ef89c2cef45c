"""Batches of picks: each folder is a picking folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.pick_batches import split_picked
from cryoverdict.engine.picked_batches import take_picks
from cryoverdict.features.star import read_star

AUTOPICK = """
data_coordinate_files
loop_
_rlnMicrographName #1
_rlnMicrographCoordinates #2
mics/a.mrc coordinates/a_autopick.star
mics/b.mrc coordinates/b_autopick.star
mics/c.mrc coordinates/c_autopick.star
"""
MICROGRAPHS = """
data_optics
loop_
_rlnOpticsGroup #1
_rlnVoltage #2
1 300
data_micrographs
loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
mics/a.mrc 1
mics/b.mrc 1
mics/c.mrc 1
"""


@pytest.fixture
def picked(tmp_path: Path) -> Path:
    folder = tmp_path / "picked"
    (folder / "coordinates").mkdir(parents=True)
    (folder / "autopick.star").write_text(AUTOPICK)
    (folder / "micrographs.star").write_text(MICROGRAPHS)
    for name in "abc":
        (folder / "coordinates" / f"{name}_autopick.star").write_text(name)
    return folder


def test_each_batch_holds_its_part_of_everything(picked: Path, tmp_path: Path) -> None:
    batches = split_picked(picked, tmp_path / "out", size=2)
    assert [b.name for b in batches] == ["batch_0000", "batch_0001"]
    for batch, names in zip(batches, ("ab", "c"), strict=True):
        listed = read_star(batch / "autopick.star")["coordinate_files"]
        beside = read_star(batch / "micrographs.star")
        wanted = tuple(f"mics/{name}.mrc" for name in names)
        assert listed.column("rlnMicrographName") == wanted
        assert beside["micrographs"].column("rlnMicrographName") == wanted
        assert beside["optics"].rows == (("1", "300"),)
        assert sorted(p.read_text() for p in (batch / "coordinates").iterdir()) == list(names)


def test_a_set_without_picks_is_one_empty_batch(picked: Path, tmp_path: Path) -> None:
    (picked / "autopick.star").write_text(AUTOPICK[: AUTOPICK.index("mics")])
    (batch,) = split_picked(picked, tmp_path / "out", size=2)
    assert read_star(batch / "autopick.star")["coordinate_files"].rows == ()


def test_another_folder_is_refused(picked: Path, tmp_path: Path) -> None:
    (picked / "coordinates" / "b_autopick.star").unlink()
    with pytest.raises(EngineError, match="the coordinates are not there; pick again"):
        split_picked(picked, tmp_path / "out", size=2)
    (picked / "micrographs.star").unlink()
    with pytest.raises(EngineError, match="accepted is a folder that `pick` wrote"):
        split_picked(picked, tmp_path / "out", size=2)


def test_the_kept_picks_of_batches_are_taken_over(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "picked").mkdir(parents=True)
        (tmp_path / name / "picked" / f"{name}.npz").write_text(name)
    folders = [tmp_path / "one", tmp_path / "two"]
    assert take_picks(folders, tmp_path / "all") == 2
    assert take_picks(folders, tmp_path / "all") == 2
    kept = {p.name: p.read_text() for p in (tmp_path / "all" / "picked").iterdir()}
    assert kept == {"one.npz": "one", "two.npz": "two"}


def test_coordinates_that_lead_out_of_the_folder_are_refused(picked: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.star").write_text("not to be copied")
    climbing = AUTOPICK.replace("coordinates/b_autopick.star", "../secret.star")
    (picked / "autopick.star").write_text(climbing)
    with pytest.raises(EngineError, match=r"autopick\.star: \.\./secret\.star leads out"):
        split_picked(picked, tmp_path / "far" / "out", size=2)
    assert not list((tmp_path / "far").rglob("secret.star"))
