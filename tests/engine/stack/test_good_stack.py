"""The final stack: centred, accounted for, and the same in the STAR and the .cs file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pyarrow.parquet as pq
import pytest

from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.extraction.stack_file import StackWriter
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.stack import good_stack
from cryoverdict.engine.stack.good_stack import write_stack
from cryoverdict.engine.stack.selected_particles import read_selected
from cryoverdict.engine.stack.stack_part import StackPart, StackTask, cut_part
from cryoverdict.engine.stack.stack_settings import stack_settings
from cryoverdict.features.cryosparc import read_cs
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, read_star, write_star

if TYPE_CHECKING:
    from tests.engine.stack.conftest import GoodProject


def column(folder: Path, label: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a column of the written list as numbers."""
    values = read_star(folder / "good_particles.star")["particles"].column(label)
    assert values is not None
    return np.array(values, dtype=np.float64)


def test_coordinate_less_origin_is_the_particle(good_source: GoodProject, tmp_path: Path) -> None:
    done = write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path)
    assert (done.recut, done.box, done.pixel_size_a) == (True, 32, 4.0)
    assert dict(done.fates) == {"kept": 200}
    for axis, label in enumerate("XY"):
        cut_at = np.trunc(column(tmp_path, f"rlnCoordinate{label}"))
        left = column(tmp_path, f"rlnOrigin{label}Angst") / 4.0
        np.testing.assert_allclose(cut_at - left, good_source.true_px[:, axis], atol=1e-5)
        assert np.abs(left).max() <= 0.5 + 1e-6
    images = mrcfile.read(tmp_path / "good_particles.mrcs")
    mean = images.mean(axis=0)
    steps = np.arange(32) - 16
    near = (steps[:, None] ** 2 + steps[None, :] ** 2) < 8**2
    weight = np.where(near, mean - mean[near].min(), 0.0)
    centre = [float((weight * s).sum() / weight.sum()) for s in (steps[None, :], steps[:, None])]
    np.testing.assert_allclose(centre, 0.0, atol=0.35)


def test_all_columns_stay_and_the_scale_is_new(good_source: GoodProject, tmp_path: Path) -> None:
    write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path)
    old = read_star(good_source.selected)["particles"]
    new = read_star(tmp_path / "good_particles.star")["particles"]
    assert new.columns == old.columns
    changed = {"rlnCoordinateX", "rlnCoordinateY", "rlnOriginXAngst", "rlnOriginYAngst"}
    for label in set(old.columns) - changed - {"rlnImageName"}:
        assert new.column(label) == old.column(label)
    stack = open_stack(tmp_path / "good_particles.star")
    assert (len(stack), stack.box, stack.pixel_size_a) == (200, 32, 4.0)


def test_a_coarser_stack_has_the_even_box_next_to_the_wish(
    good_source: GoodProject, tmp_path: Path
) -> None:
    selected = read_selected([good_source.selected])
    done = write_stack(selected, good_source.settings, tmp_path, box_px=48, pixel_size_a=6.1)
    assert (done.box, done.pixel_size_a) == (32, 6.0)
    # The outermost of the grid lie 48 px from the edge, less their shift.
    assert done.fates["kept"] + done.fates.get("edge", 0) == 200
    with pytest.raises(EngineError, match="accepted is the micrographs' 4"):
        write_stack(selected, good_source.settings, tmp_path, pixel_size_a=3.0)


def test_background_radius_keeps_its_angstroms_or_gives_way(good_source: GoodProject) -> None:
    assert stack_settings(good_source.settings, 4.0).background_radius_px == 14
    assert stack_settings(good_source.settings, 4.0, box_px=24).background_radius_px == 9


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (float("nan"), "is nan Å; accepted is the micrographs' 4 Å or more"),
        (float("inf"), "is inf Å; accepted is the micrographs' 4 Å or more"),
        (1e9, "leaves 0 px of the box of"),
    ],
)
def test_a_pixel_size_that_leaves_no_box_is_refused(
    good_source: GoodProject, wish: float, words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        stack_settings(good_source.settings, 4.0, pixel_size_a=wish)


def test_no_good_particle_is_told(good_source: GoodProject, tmp_path: Path) -> None:
    blocks = read_star(good_source.selected)
    empty = StarTable(columns=blocks["particles"].columns, rows=())
    path = tmp_path / "particles_good.star"
    write_star(path, {**blocks, "particles": empty})
    with pytest.raises(EngineError, match="no particle was good") as caught:
        write_stack(read_selected([path]), good_source.settings, tmp_path / "out")
    assert str(caught.value).startswith(f"{path}: ")


def test_same_bytes_for_other_threads_and_another_place(
    good_source: GoodProject, tmp_path: Path
) -> None:
    selected = read_selected([good_source.selected])
    settings = replace(good_source.settings, dust_sigma=3.0)
    (tmp_path / "far").mkdir()
    write_stack(selected, settings, tmp_path / "one", threads=1)
    write_stack(selected, settings, tmp_path / "far" / "two", threads=2)
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert names == [
        "good_particles.cs",
        "good_particles.mrcs",
        "good_particles.star",
        "ledger.json",
        "particle_bins.parquet",
    ]
    for name in names:
        other = (tmp_path / "far" / "two" / name).read_bytes()
        assert (tmp_path / "one" / name).read_bytes() == other, name


def test_a_full_disk_is_noticed_before_hours_of_work(
    good_source: GoodProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(free=200 * 32 * 32 * 4)  # the header does not fit
    monkeypatch.setattr("shutil.disk_usage", lambda _: room)
    selected = read_selected([good_source.selected])
    with pytest.raises(EngineError, match=r"200 images of 32 px need 0\.0 GB"):
        write_stack(selected, good_source.settings, tmp_path)
    room.free += 1024
    assert write_stack(selected, good_source.settings, tmp_path).fates == {"kept": 200}


class Killed(Exception):
    """Stands for the end of a process."""


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    good_source: GoodProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = read_selected([good_source.selected])
    settings = good_source.settings
    write_stack(selected, settings, tmp_path / "whole")
    cut: list[str] = []
    real = cut_part

    def cut_one_and_die(task: StackTask) -> StackPart:
        if cut:
            raise Killed
        cut.append(task.name)
        return real(task)

    monkeypatch.setattr(good_stack, "cut_part", cut_one_and_die)
    with pytest.raises(Killed):
        write_stack(selected, settings, tmp_path / "killed")
    assert not (tmp_path / "killed" / "good_particles.mrcs").exists()
    with (tmp_path / "killed" / "good_particles.mrcs.part").open("ab") as stream:
        stream.write(b"half an image")

    def cut_the_rest(task: StackTask) -> StackPart:
        cut.append(task.name)
        return real(task)

    monkeypatch.setattr(good_stack, "cut_part", cut_the_rest)
    write_stack(selected, settings, tmp_path / "killed")
    assert cut == ["m0.mrc", "m1.mrc"]
    names = sorted(p.name for p in (tmp_path / "whole").iterdir())
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == names
    for name in names:
        other = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == other, name


def test_a_run_with_other_settings_takes_nothing_over(
    good_source: GoodProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = read_selected([good_source.selected])
    real = cut_part
    cut: list[str] = []

    def cut_and_die(task: StackTask) -> StackPart:
        cut.append(task.name)
        if len(cut) == 2:
            raise Killed
        return real(task)

    monkeypatch.setattr(good_stack, "cut_part", cut_and_die)
    with pytest.raises(Killed):
        write_stack(selected, good_source.settings, tmp_path / "out")
    other = replace(good_source.settings, invert_contrast=False)
    write_stack(selected, other, tmp_path / "out")
    assert cut == ["m0.mrc", "m1.mrc", "m0.mrc", "m1.mrc"]
    light, dark = (mrcfile.read(tmp_path / "out" / "good_particles.mrcs")[k] for k in (0, 150))
    for image in (light, dark):
        assert image[12:20, 12:20].mean() < 0.0


def changed(project: GoodProject, folder: Path, **cells: dict[int, str]) -> Path:
    """Write the list beside the micrographs' links with some cells changed; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("m0.mrc", "m1.mrc"):
        (folder / name).symlink_to(project.root / name)
    blocks = read_star(project.selected)
    table = blocks["particles"]
    rows = [list(row) for row in table.rows]
    for label, values in cells.items():
        for i, text in values.items():
            rows[i][table.columns.index(label)] = text
    new = StarTable(columns=table.columns, rows=tuple(tuple(r) for r in rows))
    write_star(folder / "particles_good.star", {**blocks, "particles": new})
    return folder / "particles_good.star"


def test_two_picks_that_became_one_particle_are_one(
    good_source: GoodProject, tmp_path: Path
) -> None:
    x, y = good_source.true_px[1]
    here = {
        "rlnCoordinateX": {0: f"{int(x)}"},
        "rlnCoordinateY": {0: f"{int(y)}"},
        "rlnOriginXAngst": {0: "0", 5: "4000"},
        "rlnOriginYAngst": {0: "0"},
        "rlnAutopickFigureOfMerit": {0: "2.0"},
    }
    star = changed(good_source, tmp_path / "in", **here)
    settings = replace(good_source.settings, duplicate_distance_a=40.0)
    done = write_stack(read_selected([star]), settings, tmp_path / "out")
    assert dict(done.fates) == {"kept": 198, "edge": 1, "duplicate": 1}
    assert read_ledger(tmp_path / "out" / "ledger.json") == done.ledger
    table = pq.read_table(tmp_path / "out" / "particle_bins.parquet").to_pylist()
    gone = [(r["number"], r["reason"].split(":")[0]) for r in table if r["bin"] != "kept"]
    assert gone == [(2, "duplicate"), (6, "edge")]


def test_cryosparc_records_say_the_same(good_source: GoodProject, tmp_path: Path) -> None:
    write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path)
    records = read_cs(tmp_path / "good_particles.cs")
    assert len(records) == 200
    assert len(np.unique(records["uid"])) == 200
    assert set(records["blob/path"]) == {b"good_particles.mrcs"}
    np.testing.assert_array_equal(records["blob/idx"], np.arange(200))
    assert records["blob/psize_A"][0] == np.float32(4.0)
    assert records["blob/sign"][0] == 1.0
    x = column(tmp_path, "rlnCoordinateX")
    shown = records["location/center_x_frac"] * records["location/micrograph_shape"][:, 1]
    np.testing.assert_allclose(shown, x, atol=1e-3)
    origin = column(tmp_path, "rlnOriginYAngst") / 4.0
    np.testing.assert_allclose(records["alignments2D/shift"][:, 1], origin, atol=1e-6)
    psi = column(tmp_path, "rlnAnglePsi")
    np.testing.assert_allclose(
        np.cos(records["alignments2D/pose"]), np.cos(np.deg2rad(psi)), atol=1e-6
    )
    np.testing.assert_array_equal(
        records["alignments2D/class"], column(tmp_path, "rlnClassNumber") - 1
    )
    np.testing.assert_allclose(records["ctf/df1_A"], column(tmp_path, "rlnDefocusU"))
    np.testing.assert_allclose(np.rad2deg(records["ctf/df_angle_rad"]), 30.0, rtol=1e-6)


def test_uids_are_those_given_or_stay_the_same_for_the_same_pick(
    good_source: GoodProject, tmp_path: Path
) -> None:
    selected = read_selected([good_source.selected])
    write_stack(selected, good_source.settings, tmp_path / "one")
    write_stack(selected, good_source.settings, tmp_path / "two", box_px=24)
    one, two = (read_cs(tmp_path / n / "good_particles.cs")["uid"] for n in ("one", "two"))
    np.testing.assert_array_equal(one, two)
    blocks = read_star(good_source.selected)
    table = blocks["particles"]
    given = [str(10**19 + i) for i in range(200)]
    rows = tuple((*row, uid) for row, uid in zip(table.rows, given, strict=True))
    more = StarTable(columns=(*table.columns, "cryosparcUid"), rows=rows)
    star = changed(good_source, tmp_path / "in")
    write_star(star, {**blocks, "particles": more})
    write_stack(read_selected([star]), good_source.settings, tmp_path / "three")
    uids = read_cs(tmp_path / "three" / "good_particles.cs")["uid"]
    assert [str(uid) for uid in uids] == given


@pytest.mark.real_data
def test_fields_have_the_types_of_a_real_file(
    good_source: GoodProject, tmp_path: Path, shared_data: Path
) -> None:
    write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path)
    mine = read_cs(tmp_path / "good_particles.cs").dtype
    theirs = read_cs(shared_data / "cs" / "cryosparc_J2_particles_exported.cs").dtype
    assert theirs.names is not None
    for name in theirs.names:
        if theirs[name].kind != "S":
            assert mine[name] == theirs[name], name


def test_cryosparc_tools_loads_the_file(good_source: GoodProject, tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset")
    write_stack(read_selected([good_source.selected]), good_source.settings, tmp_path)
    loaded = dataset.Dataset.load(str(tmp_path / "good_particles.cs"))
    assert len(loaded) == 200
    assert loaded["blob/path"][3] == "good_particles.mrcs"
    assert {"blob", "ctf", "alignments2D", "location"} <= set(loaded.prefixes())


def test_without_micrographs_the_images_are_copied_and_it_says_so(
    good_source: GoodProject, tmp_path: Path
) -> None:
    source = tmp_path / "elsewhere"
    (source / "particles").mkdir(parents=True)
    images = np.random.default_rng(0).standard_normal((200, 16, 16)).astype(np.float32)
    for name, part in (("m0", images[:100]), ("m1", images[100:])):
        path = source / "particles" / f"{name}.mrcs"
        with StackWriter(path, 16, 8.0, float16=False) as stack:
            stack.write(part)
    star = source / "particles_good.star"
    text = good_source.selected.read_text().replace(" m0.mrc ", " lost/m0.mrc ")
    star.write_text(text.replace(" m1.mrc ", " lost/m1.mrc "))
    selected = read_selected([source])
    done = write_stack(selected, good_source.settings, tmp_path / "out")
    assert (done.recut, done.box, done.pixel_size_a) == (False, 16, 8.0)
    assert "copied as they are" in done.notes[0]
    assert [note.split(":")[0] for note in done.notes[1:]] == [
        "good_particles.cs has no location fields"
    ]
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "out" / "good_particles.mrcs"), images)
    old = read_star(star)["particles"]
    new = read_star(tmp_path / "out" / "good_particles.star")["particles"]
    assert new.column("rlnOriginXAngst") == old.column("rlnOriginXAngst")
    assert new.column("rlnCoordinateX") == old.column("rlnCoordinateX")
    records = read_cs(tmp_path / "out" / "good_particles.cs")
    assert "location/center_x_frac" not in (records.dtype.names or ())
    with pytest.raises(EngineError, match="cannot be changed"):
        write_stack(selected, good_source.settings, tmp_path / "out", box_px=48)


def test_a_single_lost_micrograph_is_an_error_of_its_particles(
    good_source: GoodProject, tmp_path: Path
) -> None:
    star = changed(good_source, tmp_path / "in")
    (tmp_path / "in" / "m0.mrc").unlink()
    done = write_stack(read_selected([star]), good_source.settings, tmp_path / "out")
    assert dict(done.fates) == {"kept": 100, "unreadable": 100}
    assert done.ledger.bins == {"kept": 100, "rejected": 0, "error": 100}
    assert list(done.errors) == ["m0.mrc"]
    assert column(tmp_path / "out", "rlnDefocusU").tolist() == [18200.0] * 100


def test_two_lists_share_groups_that_say_the_same(good_source: GoodProject, tmp_path: Path) -> None:
    other = changed(good_source, tmp_path / "in")
    text = other.read_text().replace("300.000000", "200.000000")
    other.write_text(text)
    twin = changed(good_source, tmp_path / "twin")
    selected = read_selected([good_source.selected, other, twin])
    assert len(selected) == 600
    assert selected.optics.column("rlnVoltage") == ("300.000000", "200.000000")
    names = selected.optics.column("rlnOpticsGroupName")
    assert names == ("session", "session_2")
    groups = selected.words("rlnOpticsGroup")
    assert (groups[0], groups[250], groups[450]) == ("1", "2", "1")


def test_what_lists_no_particles_is_refused(good_source: GoodProject, tmp_path: Path) -> None:
    path = tmp_path / "x.star"
    write_star(path, {"optics": read_star(good_source.selected)["optics"]})
    with pytest.raises(InputError, match="lists no particles"):
        read_selected([path])
    write_star(path, {"particles": read_star(good_source.selected)["particles"]})
    with pytest.raises(InputError, match="no optics groups"):
        read_selected([path])
