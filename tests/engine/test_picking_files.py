"""Picks as files: what is written comes back, and what other pickers wrote means the same."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.engine.extraction.picked_micrographs import read_picked
from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.box_file import read_boxes, write_boxes
from cryoverdict.engine.picking_files.coordinate_star import read_coordinates, write_coordinates
from cryoverdict.engine.picking_files.cryosparc_picks import read_cryosparc
from cryoverdict.engine.picking_files.given_picks import read_given_picks
from cryoverdict.engine.picking_files.pick_folder import write_pick_folder
from cryoverdict.engine.picking_files.pick_names import pick_stems
from cryoverdict.engine.picking_files.pick_table import read_pick_table, write_pick_table
from cryoverdict.engine.picking_files.picking_list import data_set_name, read_picking_list
from cryoverdict.engine.picking_files.template_file import (
    lists_none,
    read_templates,
    write_templates,
)
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import read_micrograph_list
from cryoverdict.features.optics import Optics

OPTICS = Optics(pixel_size_a=2.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


def some_picks(subject: str, *, count: int = 3) -> Picks:
    """Return picks with plain numbers, best first, and some that were dropped."""
    k = np.arange(count, dtype=float)
    return Picks(
        subject=subject,
        x_px=100.25 + 10 * k,
        y_px=50.5 + k,
        score=9.0 - k,
        diameter_a=150.0 + k,
        dropped={
            "film": DroppedPicks(x_px=np.array([7.0]), y_px=np.array([8.0]), score=np.array([5.0]))
        },
    )


def same(one: Picks, other: Picks) -> bool:
    """Say whether two sets of picks are the same."""
    return all(
        np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True)
        for n in ("x_px", "y_px", "score", "diameter_a")
    )


@pytest.fixture
def mics(tmp_path: Path) -> Path:
    """Return a folder with two small micrographs of 80 rows and 128 columns."""
    folder = tmp_path / "mics"
    folder.mkdir()
    for k, name in enumerate(("a.mrc", "b.mrc")):
        pixels = np.random.default_rng(k).normal(0, 1, (80, 128)).astype(np.float32)
        mrcfile.write(folder / name, pixels, voxel_size=2.0)
    return folder


def test_coordinates_come_back_best_first(tmp_path: Path) -> None:
    picks = some_picks("a.mrc")
    write_coordinates(tmp_path / "a.star", picks)
    assert same(read_coordinates(tmp_path / "a.star", "a.mrc"), picks)


def test_coordinates_of_an_older_program_have_unknown_scores(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(
        "data_\n\nloop_\n_rlnCoordinateY #1\n_rlnCoordinateX #2\n3 4\n5 6.5\n"
    )
    picks = read_coordinates(tmp_path / "a.star", "a")
    assert picks.x_px.tolist() == [4.0, 6.5]
    assert picks.y_px.tolist() == [3.0, 5.0]
    assert np.isnan(picks.score).all()


def test_a_coordinate_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n3 x\n")
    with pytest.raises(InputError, match=r"line 6: rlnCoordinateY is 'x'"):
        read_coordinates(tmp_path / "a.star", "a")


def test_nothing_picked_is_an_empty_file_that_reads_as_nothing(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "a.star", some_picks("a", count=0))
    assert len(read_coordinates(tmp_path / "a.star", "a")) == 0


def test_the_table_holds_kept_and_dropped_and_comes_back(tmp_path: Path) -> None:
    picks = {"a": some_picks("a"), "b": some_picks("b", count=0), "c": some_picks("c", count=1)}
    write_pick_table(tmp_path / "picks.parquet", picks.values())
    back = read_pick_table(tmp_path / "picks.parquet")
    assert list(back) == ["a", "b", "c"]
    assert all(same(back[s], picks[s]) for s in picks)
    assert back["b"].dropped["film"].x_px.tolist() == [7.0]
    again = tmp_path / "again.parquet"
    write_pick_table(again, picks.values())
    assert again.read_bytes() == (tmp_path / "picks.parquet").read_bytes()


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picks.parquet").write_text("no")
    with pytest.raises(InputError, match="accepted is the picks"):
        read_pick_table(tmp_path / "picks.parquet")


def test_boxes_have_the_corner_of_the_smallest_coordinates(tmp_path: Path) -> None:
    write_boxes(tmp_path / "a.box", some_picks("a", count=1), 20)
    assert (tmp_path / "a.box").read_text() == "90\t40\t20\t20\n"
    back = read_boxes(tmp_path / "a.box", "a")
    assert (back.x_px.tolist(), back.y_px.tolist()) == ([100.0], [50.0])


def test_cryolo_boxes_are_read_at_their_centres(tmp_path: Path) -> None:
    (tmp_path / "a.cbox").write_text(
        "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n"
        "_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n_Height #5\n_Depth #6\n_EstWidth #7\n"
        "_Confidence #8\n10 20 <NA> 30 40 <NA> 25 0.4\n50 60 <NA> 30 40 <NA> 25 0.9\n"
        "\ndata_cryolo_include\n\nloop_\n_slice_index #1\n"
    )
    (tmp_path / "b.box").write_text("10 20 30 40\n")
    found = read_given_picks([tmp_path / "a.cbox", tmp_path / "b.box"], ["m/a.mrc", "m/b.mrc"])
    a, b = found.picks["m/a.mrc"], found.picks["m/b.mrc"]
    assert (a.x_px.tolist(), a.y_px.tolist()) == ([65.0, 25.0], [80.0, 40.0])
    assert a.score.tolist() == [0.9, 0.4]
    assert (b.x_px.tolist(), b.y_px.tolist()) == ([25.0], [40.0])


def test_topaz_tables_belong_to_micrographs_by_their_stem(tmp_path: Path) -> None:
    (tmp_path / "picks.txt").write_text(
        "image_name\tx_coord\ty_coord\tscore\na.frames\t5\t6\t-1.5\na.frames\t7\t8\t2\nz\t1\t1\t1\n"
    )
    found = read_given_picks([tmp_path / "picks.txt"], ["x/a.frames.mrc", "x/b.mrc"])
    picks = found.picks["x/a.frames.mrc"]
    assert picks.score.tolist() == [2.0, -1.5]
    assert picks.y_px.tolist() == [8.0, 6.0]
    assert found.unmatched == ("z",)


def cs_file(path: Path) -> Path:
    """Write a cryoSPARC particle file: three picks in two micrographs of 100 rows, 200 columns."""
    fields = [
        ("uid", "<u8"),
        ("location/micrograph_path", "S60"),
        ("location/micrograph_shape", "<u4", (2,)),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
        ("pick_stats/ncc_score", "<f4"),
    ]
    name = b">J2/motion/000090334788266266069_a_patch.mrc"
    other = b">J2/motion/000090334788266266070_b_patch.mrc"
    records = np.array(
        [
            (1, name, (100, 200), 0.25, 0.125, 0.5),
            (2, other, (100, 200), 0.5, 0.5, 0.25),
            (3, name, (100, 200), 0.75, 0.5, 0.75),
        ],
        fields,
    )
    with path.open("wb") as file:
        np.save(file, records)
    return path


def test_cryosparc_counts_rows_as_stored_and_on_request_from_the_last(tmp_path: Path) -> None:
    path = cs_file(tmp_path / "particles.cs")
    found = read_given_picks([path], ["mics/a_patch.mrc", "mics/b_patch.mrc"])
    picks = found.picks["mics/a_patch.mrc"]
    assert picks.x_px.tolist() == [150.0, 50.0]
    assert picks.y_px.tolist() == [50.0, 12.5]
    assert picks.score.tolist() == [0.75, 0.5]
    flipped = read_cryosparc(path, flipped_y=True)
    assert next(iter(flipped.values())).y_px.tolist() == [49.0, 86.5]


@pytest.mark.real_data
def test_real_cryosparc_files_without_locations_say_where_to_look(shared_data: Path) -> None:
    for path in sorted((shared_data / "cs").glob("*.cs")):
        with pytest.raises(InputError, match="often the passthrough file of the job"):
            read_cryosparc(path)


@pytest.mark.real_data
def test_real_particles_are_picks_of_their_micrographs(shared_data: Path) -> None:
    star = shared_data / "particles" / "particles.star"
    names = [f"mics/201706{n}_frameImage.mrc" for n in ("29_00021", "29_00030")]
    found = read_given_picks([star], names)
    assert set(found.picks) == set(names)
    first = found.picks[names[0]]
    assert len(first) > 100
    assert 0 < first.x_px.min() < first.x_px.max() < 3838
    assert len(found.unmatched) == 8


def test_a_relion_project_folder_and_its_list_give_the_same(tmp_path: Path, mics: Path) -> None:
    job = tmp_path / "AutoPick"
    (job / "mics").mkdir(parents=True)
    write_coordinates(job / "mics" / "a_autopick.star", some_picks("a"))
    (job / "coords_suffix_autopick.star").write_text("AutoPick/micrographs.star\n")
    (job / "job.star").write_text("data_job\n\n_rlnJobTypeLabel relion.autopick\n")
    inside = read_given_picks([job], ["mics/a.mrc", "mics/b.mrc"])
    (job / "autopick.star").write_text(
        "data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
        "mics/a.mrc AutoPick/mics/a_autopick.star\n"
    )
    listed = read_given_picks([job], ["mics/a.mrc", "mics/b.mrc"])
    assert same(inside.picks["mics/a.mrc"], some_picks("a"))
    assert same(listed.picks["mics/a.mrc"], some_picks("a"))


def test_picks_of_other_micrographs_are_refused(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "z_autopick.star", some_picks("z"))
    with pytest.raises(InputError, match="no picks for any micrograph of the list"):
        read_given_picks([tmp_path / "z_autopick.star"], ["a.mrc"])


def test_equal_names_in_two_folders_have_files_of_their_own() -> None:
    stems = pick_stems(["one/a.mrc", "two/A.mrc", "two/B.mrc"])
    assert stems["two/B.mrc"] == "B"
    assert len(set(stems.values())) == 3
    assert stems["one/a.mrc"].startswith("a_")
    assert pick_stems(["two/B.mrc", "two/A.mrc", "one/a.mrc"]) == stems


def test_a_folder_of_picks_is_read_by_the_next_step(
    tmp_path: Path, mics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = read_micrograph_list(["mics"], OPTICS)
    picks = {s: some_picks(s, count=k + 1) for k, s in enumerate(listed.subjects)}
    out = tmp_path / "out"
    old = out / "coordinates" / "gone_autopick.star"
    old.parent.mkdir(parents=True)
    old.write_text("")
    write_pick_folder(out, listed, listed.subjects, picks.__getitem__, optics={})
    assert not old.exists()
    back = read_picked([out], Optics()).picked
    assert [one.subject for one in back] == ["mics/a.mrc", "mics/b.mrc"]
    assert back[0].micrograph.optics == OPTICS
    assert all(same(read_coordinates(p.coordinates[0], p.subject), picks[p.subject]) for p in back)


def test_two_folders_of_picks_are_one_list(
    tmp_path: Path, mics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        listed = read_micrograph_list([f"mics/{name}.mrc"], OPTICS)
        write_pick_folder(tmp_path / name, listed, listed.subjects, some_picks, optics={})
    back = read_picked(["a", "b/autopick.star"], Optics()).picked
    assert [one.coordinates[0].parent.parent.name for one in back] == ["a", "b"]


def judged(tmp_path: Path, area: str) -> Path:
    """Write a folder as decide-micrographs leaves it, with the column of the usable area."""
    folder = tmp_path / "judged"
    (folder / "usable_area").mkdir(parents=True)
    mrcfile.write(folder / "usable_area" / "x.mrc", np.zeros((20, 32), np.int8))
    (folder / "micrographs_good.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 2.0\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n_rlnDefocusU #3\n"
        "_rlnDefocusV #4\n_rlnDefocusAngle #5\n_cryoverdictUsableArea #6\n"
        f"mics/a.mrc 1 15000 14000 10 {area}\nmics/b.mrc 1 15000 14000 10 none\n"
    )
    return folder


def test_a_folder_stands_for_its_list_and_the_area_lies_beside_it(
    tmp_path: Path, mics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = judged(tmp_path, "usable_area/x.mrc")
    monkeypatch.chdir(mics)  # names count from the folder above the list too
    listed = read_picking_list([folder], Optics())
    a, b = listed.subjects
    assert a.usable_area == folder / "usable_area" / "x.mrc"
    assert b.usable_area is None
    assert a.micrograph.given_ctf is not None
    assert a.micrograph.given_ctf.defocus_u_a == 15000


def test_a_named_area_that_is_not_there_is_an_error(tmp_path: Path, mics: Path) -> None:
    with pytest.raises(InputError, match="the map of its usable area, usable_area"):
        read_picking_list([judged(tmp_path, "usable_area/y.mrc")], Optics())


def test_templates_come_back_with_weights_and_pixel_size(tmp_path: Path) -> None:
    images = np.random.default_rng(1).normal(0, 1, (3, 16, 16)).astype(np.float32)
    templates = Templates(images=images, pixel_size_a=3.54, weights=np.array([0.5, 0.3, 0.2]))
    assert write_templates(tmp_path, templates) == "templates.mrcs"
    first = (tmp_path / "templates.mrcs").read_bytes()
    back = read_templates(tmp_path / "templates.mrcs")
    assert np.array_equal(back.images, images)
    assert back.pixel_size_a == pytest.approx(3.54, rel=1e-6)
    assert back.weights == pytest.approx([0.5, 0.3, 0.2])
    write_templates(tmp_path, templates)
    assert (tmp_path / "templates.mrcs").read_bytes() == first


def test_class_averages_are_taken_in_the_order_of_their_list(tmp_path: Path) -> None:
    images = np.stack([np.full((8, 8), k, np.float32) for k in range(4)])
    images[:, 4, 4] = 9.0
    with mrcfile.new(tmp_path / "run.mrcs") as file:
        file.set_data(images)
        file.set_image_stack()
        file.voxel_size = 4.0
    (tmp_path / "good.star").write_text(
        "data_\n\nloop_\n_rlnReferenceImage #1\n_rlnClassDistribution #2\n"
        "000003@run.mrcs 0.3\n000001@run.mrcs 0.1\n"
    )
    found = read_templates(tmp_path / "good.star")
    assert found.images[:, 0, 0].tolist() == [2.0, 0.0]
    assert found.weights == pytest.approx([0.75, 0.25])
    assert found.pixel_size_a == 4.0


def test_a_data_set_whose_name_is_no_text_has_a_name_that_is() -> None:
    name = data_set_name(["mics/a\udcff.mrc", "b.mrc"])
    assert name == "a\\udcff.mrc, b.mrc"
    assert name.encode()


def test_images_of_one_grey_value_are_no_templates(tmp_path: Path) -> None:
    images = np.zeros((3, 8, 8), np.float32)
    path = tmp_path / "t.mrcs"
    mrcfile.write(path, images, voxel_size=4.0)
    with pytest.raises(InputError, match="every image is of one grey value"):
        read_templates(path)
    images[1, 4, 4] = 1.0
    mrcfile.write(path, images, voxel_size=4.0, overwrite=True)
    templates = read_templates(path)
    assert templates.images.tolist() == images[1:2].tolist()
    assert templates.weights.tolist() == [1.0]
    mrcfile.write(path, images, voxel_size=1e6, overwrite=True)
    with pytest.raises(InputError, match=r"the pixel size is 1e\+06 Å; accepted is 0.05 to 100"):
        read_templates(path)


def test_a_list_of_class_averages_with_none_in_it_is_told_from_one_with_some(
    tmp_path: Path,
) -> None:
    none, some = tmp_path / "none.star", tmp_path / "some.star"
    head = "data_\n\nloop_\n_rlnReferenceImage #1\n"
    none.write_text(head)
    some.write_text(head + "000001@classes.mrcs\n")
    assert lists_none(none)
    assert not lists_none(some)
    assert not lists_none(tmp_path / "templates.mrcs")
