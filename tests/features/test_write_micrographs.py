"""Writing lists with verdicts: input columns kept, RELION reads it, cryoSPARC knows its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import MicrographList, read_micrograph_list
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable, read_star
from cryoverdict.features.write_micrographs import write_exposures_cs, write_micrograph_star

FULL = Optics(pixel_size_a=1.1, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)
NAMES = ("mics/a.mrc", "mics/b c.mrc", "mics/c.mrc")
VERDICT: dict[str, dict[str, object]] = {
    "mics/a.mrc": {
        "cryoverdictOutcome": "keep",
        "cryoverdictProbability": 0.97,
        "cryoverdictGrade": "great",
        "cryoverdictDefects": [],
    },
    "mics/b c.mrc": {
        "cryoverdictOutcome": "reject",
        "cryoverdictProbability": np.float64(0.8),
        "cryoverdictGrade": None,
        "cryoverdictDefects": ["crystalline_ice", "drift"],
    },
    "mics/c.mrc": {
        "cryoverdictOutcome": "reject",
        "cryoverdictProbability": None,
        "cryoverdictGrade": None,
        "cryoverdictDefects": ["thick ice"],
    },
}
VERDICT_ROWS = {
    "mics/a.mrc": ("keep", "0.970000", "great", "none"),
    "mics/b c.mrc": ("reject", "0.800000", "none", "crystalline_ice,drift"),
    "mics/c.mrc": ("reject", "nan", "none", "thick_ice"),
}
STAR_31 = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMtfFileName #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnMicrographPixelSize #6
left 1 mtf.star 200.000000 1.400000 0.885000
right 3 "my mtf.star" 3.00e+02 2.700000 1.100000

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfImage #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_siteNote #7
mics/a.mrc 3 CtfFind/a.ctf:mrc 10865.006836 10571.461914 -42.66101 0012
"mics/b c.mrc" 1 "x y" 4.180408e-04 nan -0 "said o'neil#2"
mics/c.mrc 1 None 1 2 3 x
"""
STAR_30 = """data_

loop_
_rlnMicrographName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
_rlnMagnification #5
_rlnDetectorPixelSize #6
mics/a.mrc 300.0 2.7 0.1 10000.000000 1.1
"mics/b c.mrc" 300.0 2.7 0.1 10000.000000 1.1
mics/c.mrc 200.0 1.4 0.1 10000.000000 0.885
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which holds three micrographs and their lists."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(NAMES):
        Path(name).parent.mkdir(exist_ok=True)
        mrcfile.write(name, np.arange(6400, dtype="f4").reshape(80, 80) + i)
    Path("new.star").write_text(STAR_31)
    Path("flat.star").write_text(STAR_30)
    fields = [("uid", "<u8"), ("micrograph_blob/path", "S30"), ("micrograph_blob/psize_A", "<f4")]
    fields += [("mscope_params/accel_kv", "<f4"), ("mscope_params/cs_mm", "<f4")]
    fields += [(f"ctf/{name}", "<f4") for name in ("df1_A", "df2_A", "df_angle_rad")]
    rows = [
        (2**64 - 1 - i, b">" + n.encode(), 1.1, 300, 2.7, 12000, 11000, 0.5)
        for i, n in enumerate(NAMES)
    ]
    with Path("exposures.cs").open("wb") as file:
        np.save(file, np.array(rows, dtype=fields))
    return tmp_path


def read(given: str, optics: Optics | None = None) -> MicrographList:
    """Read one input."""
    return read_micrograph_list([given], optics or Optics())


def records(name: str) -> NDArray[Any]:
    """Return the records of a .cs file."""
    with Path(name).open("rb") as file:
        array: NDArray[Any] = np.load(file)
    return array


def written(
    found: MicrographList,
    *subjects: str,
    optics: dict[str, Optics] | None = None,
    verdict: dict[str, dict[str, object]] | None = None,
) -> dict[str, StarTable]:
    """Write some subjects and return the blocks of the file."""
    write_micrograph_star(
        Path("out.star"), found, subjects, VERDICT if verdict is None else verdict, optics
    )
    return read_star(Path("out.star"))


def test_star_31_comes_back_with_every_value_as_it_was() -> None:
    """Catches lost columns, retyped values, renumbered groups and a lost order."""
    found = read("new.star")
    blocks = written(found, "mics/b c.mrc", "mics/a.mrc")
    before = read_star(Path("new.star"))
    assert blocks["optics"] == before["optics"]
    table, old = blocks["micrographs"], before["micrographs"]
    assert table.columns == (*old.columns, *VERDICT["mics/a.mrc"])
    assert table.rows == tuple(
        (*row, *VERDICT_ROWS[name]) for name, row in zip(NAMES[:2], old.rows, strict=False)
    )


def test_a_second_verdict_replaces_the_first() -> None:
    found = read("new.star")
    written(found, *NAMES)
    shutil.copy("out.star", "again.star")
    changed: dict[str, dict[str, object]] = {name: {"cryoverdictOutcome": "keep"} for name in NAMES}
    table = written(read("again.star"), *NAMES, verdict=changed)["micrographs"]
    assert table.column("cryoverdictOutcome") == ("keep", "keep", "keep")
    assert table.columns.count("cryoverdictOutcome") == 1
    assert table.column("cryoverdictGrade") == ("great", "none", "none")


def test_flat_star_gains_optics_groups_and_keeps_its_columns() -> None:
    blocks = written(read("flat.star"), *NAMES)
    assert blocks["optics"].columns == (
        "rlnOpticsGroupName",
        "rlnOpticsGroup",
        "rlnMicrographPixelSize",
        "rlnVoltage",
        "rlnSphericalAberration",
        "rlnAmplitudeContrast",
    )
    assert blocks["optics"].rows == (
        ("opticsGroup1", "1", "1.100000", "300.000000", "2.700000", "0.100000"),
        ("opticsGroup2", "2", "0.885000", "200.000000", "1.400000", "0.100000"),
    )
    table, old = blocks["micrographs"], read_star(Path("flat.star"))[""]
    assert table.columns[:7] == (*old.columns, "rlnOpticsGroup")
    groups = ("1", "1", "2")
    assert [row[:7] for row in table.rows] == [
        (*row, group) for row, group in zip(old.rows, groups, strict=True)
    ]


def test_good_and_rejected_have_the_same_groups() -> None:
    found = read("flat.star")
    good, rejected = written(found, "mics/a.mrc"), written(found, "mics/c.mrc")
    assert good["optics"] == rejected["optics"]
    assert rejected["micrographs"].column("rlnOpticsGroup") == ("2",)


def test_cryosparc_keeps_path_uid_and_ctf() -> None:
    blocks = written(read("exposures.cs", Optics(amplitude_contrast=0.07)), "mics/c.mrc")
    row = dict(zip(blocks["micrographs"].columns, blocks["micrographs"].rows[0], strict=True))
    assert row["rlnMicrographName"] == "mics/c.mrc"
    assert row["cryosparcUid"] == str(2**64 - 3)
    assert (row["rlnDefocusU"], row["rlnDefocusV"]) == ("12000.000000", "11000.000000")
    assert row["rlnDefocusAngle"] == "28.647900"
    assert blocks["optics"].rows == (
        ("opticsGroup1", "1", "1.100000", "300.000000", "2.700000", "0.070000"),
    )


def test_headers_give_groups_the_list_could_not_know() -> None:
    """Micrographs of two pixel sizes, read from their headers, are two groups."""
    measured = {NAMES[0]: FULL, NAMES[1]: FULL}
    blocks = written(read("mics"), *NAMES, optics=measured)
    assert blocks["micrographs"].column("rlnOpticsGroup") == ("1", "1", "2")
    assert blocks["optics"].rows == (
        ("opticsGroup1", "1", "1.100000", "300.000000", "2.700000", "0.100000"),
        ("opticsGroup2", "2", "nan", "nan", "nan", "nan"),
    )


def test_a_group_of_the_input_is_completed_and_split_where_it_must() -> None:
    text = STAR_31.replace("_rlnMicrographPixelSize #6\n", "").replace(" 0.885000", "")
    Path("new.star").write_text(text.replace(" 1.100000", ""))
    measured = {
        NAMES[0]: Optics(pixel_size_a=1.1, voltage_kv=300, cs_mm=2.7),
        NAMES[1]: Optics(pixel_size_a=0.885, voltage_kv=200, cs_mm=1.4),
        NAMES[2]: Optics(pixel_size_a=0.9, voltage_kv=200, cs_mm=1.4),
    }
    blocks = written(read("new.star"), *NAMES, optics=measured)
    assert blocks["micrographs"].column("rlnOpticsGroup") == ("3", "1", "4")
    assert blocks["optics"].rows == (
        ("left", "1", "mtf.star", "200.000000", "1.400000", "0.885000"),
        ("right", "3", "my mtf.star", "3.00e+02", "2.700000", "1.100000"),
        ("left_4", "4", "mtf.star", "200.000000", "1.400000", "0.900000"),
    )


def test_lists_mixed_are_one_valid_file() -> None:
    """Every row has every column, and the groups of two files do not collide."""
    shutil.copytree("mics", "other/mics")
    Path("other/flat.star").write_text(STAR_30)
    found = read_micrograph_list(["new.star", "other/mics/a.mrc"], Optics())
    blocks = written(found, *found.subjects)
    assert blocks["micrographs"].column("rlnOpticsGroup") == ("3", "1", "1", "4")
    assert blocks["micrographs"].rows[3][:7] == (
        "other/mics/a.mrc",
        "4",
        "none",
        "nan",
        "nan",
        "nan",
        "none",
    )
    for project in ("one", "two"):
        shutil.copytree("mics", f"{project}/mics")
        shutil.copy("new.star", project)
    shutil.rmtree("mics")
    found = read_micrograph_list(["one/new.star", "two/new.star"], Optics())
    blocks = written(found, *found.subjects)
    assert blocks["optics"].column("rlnOpticsGroup") == ("1", "2", "3", "4")
    assert blocks["optics"].column("rlnOpticsGroupName") == ("left", "right", "left_3", "right_4")
    assert blocks["micrographs"].column("rlnOpticsGroup") == ("2", "1", "1", "4", "3", "3")


def test_entries_without_a_file_can_be_written_too() -> None:
    os.remove(NAMES[2])  # noqa: PTH107
    found = read("new.star")
    assert list(found.unreadable) == [NAMES[2]]
    assert written(found, NAMES[2])["micrographs"].rows[0][:2] == ("mics/c.mrc", "1")


def test_an_unknown_subject_is_refused() -> None:
    with pytest.raises(InputError, match=r"mics/z\.mrc: is not in the list"):
        written(read("new.star"), "mics/z.mrc")
    assert not Path("out.star").exists()
    bad: dict[str, dict[str, object]] = {NAMES[0]: {"x": {"a": 1}}}
    with pytest.raises(InputError, match="a verdict of type dict"):
        written(read("new.star"), NAMES[0], verdict=bad)


def test_writing_twice_gives_the_same_bytes_and_no_leftovers() -> None:
    found = read("new.star")
    written(found, *NAMES)
    first = Path("out.star").read_bytes()
    written(found, *reversed(NAMES))
    assert Path("out.star").read_bytes() == first
    assert not list(Path().glob("*.part"))


def test_exposures_are_filtered_unchanged() -> None:
    found = read("exposures.cs")
    write_exposures_cs(Path("good.cs"), found, ["mics/c.mrc", "mics/a.mrc"])
    before, after = records("exposures.cs"), records("good.cs")
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(after, before[[0, 2]])
    write_exposures_cs(Path("good.cs"), found, [])
    after = records("good.cs")
    assert (after.dtype, after.shape) == (before.dtype, (0,))
    with pytest.raises(InputError, match=r"mics/a\.mrc comes from no cryoSPARC list"):
        write_exposures_cs(Path("good.cs"), read("new.star"), ["mics/a.mrc"])


@pytest.mark.relion
@pytest.mark.parametrize("chosen", [NAMES, NAMES[1:2], ()])
@pytest.mark.parametrize(
    ("given", "optics"),
    [
        ("mics", FULL),
        ("mics", Optics()),
        ("mics", Optics(pixel_size_a=1.1)),
        ("flat.star", Optics()),
        ("new.star", Optics()),
        ("exposures.cs", Optics()),
    ],
)
def test_relion_reads_what_is_written(given: str, optics: Optics, chosen: tuple[str, ...]) -> None:
    """RELION itself reads the file, keeps the rows, our columns and the numbers it knows."""
    if shutil.which("relion_star_handler") is None:
        pytest.skip("RELION is not installed")
    ours = written(read(given, optics), *chosen)
    done = subprocess.run(
        ["relion_star_handler", "--i", "out.star", "--o", "back.star"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "could not read optics" not in done.stderr
    back = read_star(Path("back.star"))
    assert sorted(back["optics"].columns) == sorted(ours["optics"].columns)
    if not chosen:
        assert list(back) == ["optics"]
        return
    table = back["micrographs"]
    assert sorted(table.columns) == sorted(ours["micrographs"].columns)
    assert table.column("rlnMicrographName") == chosen
    for label in [*VERDICT[NAMES[0]], *(["_siteNote"[1:]] if given == "new.star" else [])]:
        assert table.column(label) == ours["micrographs"].column(label)
    for label in set(table.columns) & {"rlnDefocusU", "rlnDefocusAngle", "rlnVoltage"}:
        for mine, theirs in zip(
            ours["micrographs"].column(label) or (), table.column(label) or (), strict=True
        ):
            assert float(theirs) == pytest.approx(float(mine), rel=1e-6)
