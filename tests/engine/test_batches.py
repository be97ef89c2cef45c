"""Batches of micrographs: the same list in parts, read from anywhere, stale when a file changes."""

from __future__ import annotations

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.engine.batches import GOOD, split_judged, write_batches
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.micrograph_list import MicrographList, read_micrograph_list
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import read_star
from cryoverdict.features.write_micrographs import write_micrograph_star

OPTICS = Optics(pixel_size_a=1.5, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)
STAR = """# version 30001
data_optics
loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
left 7 1.5 300 2.7
right 9 1.5 300 2.7
data_micrographs
loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnMyColumn #3
mics/a.mrc 9 0012
mics/b.mrc 7 x
mics/gone.mrc 7 y
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project folder with two micrographs and a list that names a third."""
    (tmp_path / "mics").mkdir()
    for name in ("a", "b"):
        mrcfile.write(tmp_path / "mics" / f"{name}.mrc", np.ones((8, 8), np.float32))
    (tmp_path / "list.star").write_text(STAR)
    monkeypatch.chdir(tmp_path)


def listed() -> MicrographList:
    """Return the list of the project."""
    return read_micrograph_list(["list.star"], Optics())


def test_batches_together_are_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, columns and optics groups stay; read elsewhere, the files are still found."""
    batches = write_batches(listed(), tmp_path / "batches", size=2)
    assert [b.path.name for b in batches] == ["batch_0000.star", "batch_0001.star"]
    assert [b.subjects for b in batches] == [("mics/a.mrc", "mics/b.mrc"), ("mics/gone.mrc",)]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for batch in batches:
        batch.path.rename(elsewhere / batch.path.name)
    monkeypatch.chdir("/")
    found = read_micrograph_list([elsewhere / b.path.name for b in batches], Optics())
    assert found.subjects == ("mics/a.mrc", "mics/b.mrc", "mics/gone.mrc")
    assert [m.path for m in found.micrographs] == [
        tmp_path / "mics" / "a.mrc",
        tmp_path / "mics" / "b.mrc",
    ]
    # The reason names the file's own place, not that of the list, which differs between runners.
    assert found.unreadable == {"mics/gone.mrc": f"file not found: tried {tmp_path}/mics/gone.mrc"}
    write_micrograph_star(elsewhere / "all.star", found, found.subjects, {})
    blocks = read_star(elsewhere / "all.star")
    assert blocks["optics"].column("rlnOpticsGroupName") == ("left", "right")
    assert blocks["micrographs"].column("rlnOpticsGroup") == ("9", "7", "7")
    assert blocks["micrographs"].column("rlnMyColumn") == ("0012", "x", "y")


def test_groups_of_other_lists_stay_apart(tmp_path: Path) -> None:
    """Two sessions may have equal tables: only batches of one list share their groups."""
    (tmp_path / "other").mkdir()
    (tmp_path / "mics").rename(tmp_path / "other" / "mics")
    (tmp_path / "other" / "list.star").write_text(STAR)
    found = read_micrograph_list(["other/list.star", "list.star"], Optics())
    write_micrograph_star(tmp_path / "all.star", found, found.subjects, {})
    assert len(read_star(tmp_path / "all.star")["optics"].rows) == 4


def test_a_batch_changes_when_one_of_its_files_does(tmp_path: Path) -> None:
    """A runner that keeps results looks at the batch, not at the pixels."""
    folder = tmp_path / "batches"

    def state() -> dict[str, tuple[bytes, int]]:
        """Return content and time of change of each batch."""
        write_batches(listed(), folder, size=1)
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}

    before = state()
    assert state() == before
    os.utime("mics/b.mrc", ns=(0, 1))
    after = state()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"batch_0001.star"}
    mrcfile.write("mics/gone.mrc", np.ones((8, 8), np.float32))
    assert {n for n, now in state().items() if after[n] != now} == {"batch_0002.star"}


def test_batches_of_a_longer_list_go(tmp_path: Path) -> None:
    write_batches(listed(), tmp_path / "batches", size=1)
    write_batches(listed(), tmp_path / "batches", size=3)
    assert [p.name for p in (tmp_path / "batches").iterdir()] == ["batch_0000.star"]


def test_options_complete_the_batches(tmp_path: Path) -> None:
    (batch,) = write_batches(read_micrograph_list(["mics"], OPTICS), tmp_path / "batches", size=9)
    found = read_micrograph_list([batch.path], Optics())
    assert [m.optics for m in found.micrographs] == [OPTICS, OPTICS]
    assert found.subjects == ("mics/a.mrc", "mics/b.mrc")


def judged(tmp_path: Path) -> MicrographList:
    """Write a folder of judged micrographs with usable areas and return its list."""
    folder = tmp_path / "judged"
    (folder / "usable_area").mkdir(parents=True)
    found = listed()
    chosen = ("mics/a.mrc", "mics/b.mrc")
    columns = {s: {"cryoverdictUsableArea": f"usable_area/{s[5]}.mrc"} for s in chosen}
    write_micrograph_star(folder / GOOD, found, chosen, columns)
    for name in "ab":
        (folder / "usable_area" / f"{name}.mrc").write_text(name)
        os.utime(folder / "usable_area" / f"{name}.mrc", ns=(0, 5))
    return read_micrograph_list([folder / GOOD], Optics())


def test_a_batch_of_judged_micrographs_needs_nothing_else(tmp_path: Path) -> None:
    found = judged(tmp_path)
    batches = split_judged(tmp_path / "judged", found, tmp_path / "out", size=1)
    assert [b.path.name for b in batches] == ["batch_0000", "batch_0001"]
    for batch, name in zip(batches, "ab", strict=True):
        (area,) = (batch.path / "usable_area").iterdir()
        assert (area.name, area.read_text()) == (f"{name}.mrc", name)
        assert area.stat().st_mtime_ns == 5
        part = read_micrograph_list([batch.path / GOOD], Optics())
        assert part.subjects == (f"mics/{name}.mrc",)


def test_a_usable_area_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    found = judged(tmp_path)
    star = tmp_path / "judged" / GOOD
    star.write_text(star.read_text().replace("usable_area/b.mrc", "../secret.mrc"))
    (tmp_path / "secret.mrc").write_text("not to be copied")
    found = read_micrograph_list([star], Optics())
    with pytest.raises(EngineError, match=r"\.\./secret\.mrc leads out of its folder"):
        split_judged(tmp_path / "judged", found, tmp_path / "far" / "out", size=1)
    assert not list((tmp_path / "far").rglob("secret.mrc"))


def test_a_usable_area_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found = judged(tmp_path)
    (tmp_path / "judged" / "usable_area" / "b.mrc").unlink()
    with pytest.raises(EngineError, match=r"b\.mrc: the map of a usable area is not there"):
        split_judged(tmp_path / "judged", found, tmp_path / "out", size=1)
