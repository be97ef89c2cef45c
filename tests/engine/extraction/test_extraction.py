"""Extraction as a step: every pick accounted for, the same bytes however it was run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pyarrow.parquet as pq
import pytest

from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.engine.extraction.extraction import Extraction, extract_all
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.picked_micrographs import read_picked
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import read_star

if TYPE_CHECKING:
    from tests.engine.extraction.conftest import PickProject


def run(
    project: PickProject,
    output: Path,
    *,
    threads: int = 1,
    edge: str = "particle",
    **changes: float,
) -> Extraction:
    """Extract the project's picks."""
    from dataclasses import replace

    settings: ExtractionSettings = replace(project.settings(**changes), edge=edge)  # type: ignore[arg-type]
    picked = read_picked([project.root / "pick"], Optics())
    output.mkdir(parents=True, exist_ok=True)
    return extract_all(picked, settings, output, threads=threads)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all results in a folder."""
    names = ["particles.star", "ledger.json", "particle_bins.parquet"]
    paths = [folder / n for n in names] + sorted((folder / "particles").iterdir())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


def test_every_pick_is_in_one_bin_by_reason(pick_project: PickProject) -> None:
    points = [(60.0, 60.0), (66.0, 60.0), (5.0, 60.0), (float("nan"), 1.0), (200.0, 200.0)]
    pick_project.write_points({"a": points, "b": [(60.0, 60.0)]})
    out = pick_project.root / "out"
    done = run(pick_project, out, duplicate_distance_a=12.0)
    assert dict(done.fates) == {"kept": 3, "edge": 1, "duplicate": 1, "not_a_number": 1}
    ledger = read_ledger(out / "ledger.json")
    assert ledger == done.ledger
    assert ledger.bins == {"kept": 3, "rejected": 2, "error": 1}
    table = pq.read_table(out / "particle_bins.parquet").to_pylist()
    found = [(r["micrograph"], r["number"], r["bin"], r["reason"].split(":")[0]) for r in table]
    assert found == [
        ("mics/a.mrc", 1, "kept", ""),
        ("mics/a.mrc", 2, "rejected", "duplicate"),
        ("mics/a.mrc", 3, "rejected", "edge"),
        ("mics/a.mrc", 4, "error", "not_a_number"),
        ("mics/a.mrc", 5, "kept", ""),
        ("mics/b.mrc", 1, "kept", ""),
    ]
    listed = read_star(out / "particles.star")["particles"]
    assert listed.column("cryoverdictPick") == ("1", "5", "1")
    assert listed.column("rlnImageName") == (
        "000001@particles/a.mrcs",
        "000002@particles/a.mrcs",
        "000001@particles/b.mrcs",
    )


def test_the_list_opens_for_classification_with_ctf_and_scale(pick_project: PickProject) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    stack = open_stack(out / "particles.star")
    assert (len(stack), stack.box, stack.pixel_size_a) == (6, 32, 3.0)
    assert stack.defocus_a is not None
    np.testing.assert_array_equal(stack.defocus_a[[0, 3]], [[10000, 9000], [12000, 11000]])
    images = stack.read(np.arange(6))
    corner = images[:, :3, :3]
    assert abs(float(corner.mean())) < 0.3
    optics = read_star(out / "particles.star")["optics"]
    assert optics.column("rlnMicrographOriginalPixelSize") == ("1.5",)
    assert optics.column("rlnImageSize") == ("32",)


def test_same_bytes_for_other_threads_and_another_place(pick_project: PickProject) -> None:
    run(pick_project, pick_project.root / "one", threads=1)
    run(pick_project, pick_project.root / "far" / "two", threads=2)
    assert contents(pick_project.root / "one") == contents(pick_project.root / "far" / "two")


def test_a_killed_run_cuts_only_what_is_missing(pick_project: PickProject) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    whole = contents(out)
    old = (out / "particles" / "b.mrcs").stat().st_mtime_ns
    with (out / "particles" / "a.mrcs").open("r+b") as stream:
        stream.truncate(3000)  # as a full disk leaves it
    (out / "particles.star").unlink()
    done = run(pick_project, out)
    assert done.reused == 1
    assert (out / "particles" / "b.mrcs").stat().st_mtime_ns == old
    assert contents(out) == whole


@pytest.mark.parametrize("damage", [b"PK\x03\x04 no archive", b"", b"\x93NUMPY"])
def test_a_damaged_record_is_made_anew(pick_project: PickProject, damage: bytes) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    whole = contents(out)
    sorted((out / "extracted").iterdir())[0].write_bytes(damage)
    assert run(pick_project, out).reused == 1
    assert contents(out) == whole


def test_other_settings_picks_or_pixels_are_cut_anew(pick_project: PickProject) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    assert run(pick_project, out).reused == 2
    assert run(pick_project, out, invert_contrast=0.0).reused == 0
    pick_project.write_points({"a": [(100.0, 100.0)], "b": [(60.0, 60.0)]})
    assert run(pick_project, out, invert_contrast=0.0).reused == 0
    path = pick_project.root / "mics" / "a.mrc"
    content = bytearray(path.read_bytes())
    content[-4:] = content[-8:-4]
    path.write_bytes(content)
    assert run(pick_project, out, invert_contrast=0.0).reused == 1


def test_a_micrograph_no_longer_picked_leaves_nothing(pick_project: PickProject) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    (out / "particles" / "mine.mrcs").write_bytes(b"not ours")
    pick_project.write_points({"a": [(100.0, 100.0)]})
    run(pick_project, out)
    assert sorted(p.name for p in (out / "particles").iterdir()) == ["a.mrcs", "mine.mrcs"]
    assert len(list((out / "extracted").iterdir())) == 1


def test_a_lost_micrograph_loses_its_picks_by_name(pick_project: PickProject) -> None:
    (pick_project.root / "mics" / "a.mrc").write_bytes(b"broken" * 400)
    out = pick_project.root / "out"
    done = run(pick_project, out)
    assert dict(done.fates) == {"kept": 3, "edge": 5, "unreadable": 8}
    assert list(done.errors) == ["mics/a.mrc"]
    assert not (out / "particles" / "a.mrcs").exists()
    (pick_project.root / "mics" / "b.mrc").unlink()
    (pick_project.root / "pick" / "coordinates" / "a_autopick.star").write_text("nonsense")
    done = run(pick_project, out)
    # Of a.mrc nobody knows how many picks there were: the micrograph itself is the item.
    assert [(e.item, e.bin) for e in done.ledger.entries] == [("mics/a.mrc", "error")]
    assert done.ledger.bins == {"kept": 0, "rejected": 0, "error": 1 + 8}


def test_another_pixel_size_than_decided_is_refused(pick_project: PickProject) -> None:
    done = run(pick_project, pick_project.root / "out", binned_pixel_size_a=2.0)
    assert done.fates["other_scale"] == 6
    assert "decided for 1 Å" in done.errors["mics/a.mrc"]


def test_half_precision_says_the_same(pick_project: PickProject) -> None:
    run(pick_project, pick_project.root / "single")
    run(pick_project, pick_project.root / "half", float16=1.0)
    with mrcfile.open(pick_project.root / "half/particles/a.mrcs") as file:
        assert int(file.header.mode) == 12
        half = np.asarray(file.data, dtype=np.float32)
    single = mrcfile.read(pick_project.root / "single/particles/a.mrcs")
    np.testing.assert_array_equal(half, single.astype(np.float16).astype(np.float32))


def test_the_stack_is_a_valid_mrc_file_that_knows_its_values(pick_project: PickProject) -> None:
    out = pick_project.root / "out"
    run(pick_project, out)
    path = out / "particles" / "a.mrcs"
    assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        data, header = np.asarray(file.data, dtype=np.float64), file.header
        assert file.is_image_stack()
        assert float(file.voxel_size.x) == pytest.approx(3.0)
        assert float(header.dmin) == pytest.approx(data.min())
        assert float(header.dmax) == pytest.approx(data.max())
        assert float(header.dmean) == pytest.approx(data.mean(), abs=1e-6)
        assert float(header.rms) == pytest.approx(data.std())


def test_two_lists_with_the_same_file_name_keep_apart(pick_project: PickProject) -> None:
    root = pick_project.root
    (root / "other" / "mics").mkdir(parents=True)
    shutil.copytree(root / "pick", root / "other" / "pick")
    shutil.copy(root / "mics" / "b.mrc", root / "other" / "mics" / "a.mrc")
    for name in ("autopick.star", "micrographs.star"):
        path = root / "other" / "pick" / name
        path.write_text(path.read_text().replace("mics/", str(root / "other/mics") + "/"))
    picked = read_picked([root / "pick", root / "other/pick/autopick.star"], Optics())
    assert len({p.stem for p in picked.picked}) == 3
    assert picked.picked[1].stem == "b"
    assert list(picked.errors) == [str(root / "other/mics/b.mrc")]


def test_one_name_in_two_lists_may_be_two_files(pick_project: PickProject) -> None:
    """Batches of two sessions often name their micrographs alike, each from its own folder."""
    root = pick_project.root
    shutil.copytree(root / "pick", root / "other" / "pick")
    (root / "other" / "mics").mkdir()
    for name, twin in (("a", "b"), ("b", "a")):
        shutil.copy(root / f"mics/{twin}.mrc", root / f"other/mics/{name}.mrc")
    picked = read_picked([root / "pick", root / "other/pick"], Optics())
    assert not picked.errors
    found = [(p.micrograph.path, p.coordinates[0]) for p in picked.picked]
    assert found == [
        (base / f"mics/{name}.mrc", base / f"pick/coordinates/{name}_autopick.star")
        for base in (root, root / "other")
        for name in "ab"
    ]
    assert len({p.stem for p in picked.picked}) == 4
    (root / "out").mkdir()
    extract_all(picked, pick_project.settings(), root / "out", threads=1)
    names = read_star(root / "out/particles.star")["particles"].column("rlnMicrographName")
    assert list(dict.fromkeys(names or ())) == [str(p.micrograph.path) for p in picked.picked]


def test_the_same_micrograph_in_two_lists_has_the_picks_of_both(pick_project: PickProject) -> None:
    root = pick_project.root
    shutil.copytree(root / "pick", root / "more")
    pick_project.write_points({"a": [(100.0, 100.0)]})
    picked = read_picked([root / "pick", root / "more"], Optics())
    settings = pick_project.settings(duplicate_distance_a=3.0)
    (root / "out").mkdir()
    done = extract_all(picked, settings, root / "out", threads=1)
    assert [p.subject for p in picked.picked] == ["mics/a.mrc", "mics/b.mrc"]
    assert done.fates["kept"] == 7


def test_a_missing_ctf_is_noted_or_fitted(pick_project: PickProject) -> None:
    pick_project.write_micrographs(ctf=False)
    done = run(pick_project, pick_project.root / "out")
    listed = read_star(pick_project.root / "out/particles.star")["particles"]
    # Noise has no rings: no CTF is better than an invented one.
    assert "rlnDefocusU" not in listed.columns
    assert any("without a CTF: no Thon rings" in note for note in done.notes)


def test_what_is_no_pick_list_is_refused(pick_project: PickProject) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_picked([pick_project.root / "mics"], Optics())
    with pytest.raises(InputError, match="accepted is a pick list"):
        read_picked([pick_project.root / "mics.star"], Optics())
