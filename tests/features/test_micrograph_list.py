"""Lists of micrographs: whatever people have, every entry once, none dropped, none invented."""

from __future__ import annotations

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour
from cryoverdict.features.micrograph import GivenCtf, GivenMotion, Micrograph
from cryoverdict.features.micrograph_list import (
    MicrographList,
    check_pixel_size,
    read_micrograph_list,
)
from cryoverdict.features.optics import Optics

K3 = Optics(pixel_size_a=0.885, voltage_kv=200, cs_mm=1.4, amplitude_contrast=0.1)
OPTICS_BLOCK = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
_rlnMicrographPixelSize #7
opticsGroup1 1 0.4425 200.000000 1.400000 0.100000 0.885000
opticsGroup2 2 0.4425 300.000000 2.700000 0.070000 1.100000

# version 30001

"""
CTF_BLOCK = """data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfPowerSpectrum #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_rlnCtfFigureOfMerit #7
_rlnCtfMaxResolution #8
_rlnPhaseShift #9
_rlnAccumMotionTotal #10
_rlnAccumMotionEarly #11
_rlnAccumMotionLate #12
Movies/a.mrc 1 Movies/a_PS.mrc 10865.0 10571.5 79.13 0.132 4.84 29.1 14.5 2.4 12.1
Movies/b.mrc 2 None -nan inf 3.0 -0 -1 nan nan nan nan
Movies/c.mrc 2 None 0.0 0.0 0.0 -0 10 0 3.0 nan 1.0
"""
FLAT = """# RELION; version 3.0-beta-2

data_

loop_
_rlnMicrographName #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnDefocusAngle #4
_rlnVoltage #5
_rlnSphericalAberration #6
_rlnAmplitudeContrast #7
_rlnMagnification #8
_rlnDetectorPixelSize #9
_rlnCtfFigureOfMerit #10
Movies/a.mrc 7496.08 6598.49 29.16 300.0 2.7 0.1 35714.2857 5.0 0.126666
Movies/b.mrc 7375.06 6490.69 26.78 300.0 2.7 0.1 10000.000000 1.4 0.165578
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with three micrographs; the current folder is elsewhere."""
    for name in ("a.mrc", "b.mrc", "c.mrc", "a_PS.mrc"):
        place(tmp_path / "project" / "Movies" / name)
    (tmp_path / "project" / "CtfFind" / "job003").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "project"


def place(path: Path) -> Path:
    """Put a small image file somewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mrcfile.write(path, np.arange(6400, dtype="f4").reshape(80, 80), overwrite=True)
    return path


def write(path: Path, text: str) -> Path:
    """Write a list."""
    path.write_text(text)
    return path


def read(*inputs: str | Path, optics: Optics | None = None) -> MicrographList:
    """Read a list with no options given."""
    return read_micrograph_list(inputs, optics or Optics())


def names(found: MicrographList) -> list[str]:
    """Return the subjects that can be read."""
    return [m.subject for m in found.micrographs]


def test_star_with_optics_groups(project: Path) -> None:
    """Catches values of the wrong group, failed fits taken for numbers, a lost project folder."""
    star = write(project / "CtfFind/job003/micrographs_ctf.star", OPTICS_BLOCK + CTF_BLOCK)
    found = read(star)
    assert found.unreadable == {}
    assert found.notes == ()
    (source,) = found.sources
    assert (source.flavour, source.path) == (Flavour.RELION_OPTICS, star)
    assert found.micrographs == (
        Micrograph(
            subject="Movies/a.mrc",
            path=project / "Movies/a.mrc",
            optics=K3,
            given_ctf=GivenCtf(
                defocus_u_a=10865.0,
                defocus_v_a=10571.5,
                defocus_angle_deg=79.13,
                phase_shift_deg=29.1,
                fit_score=0.132,
                resolution_a=4.84,
            ),
            given_motion=GivenMotion(total_a=14.5, early_a=2.4, late_a=12.1),
            power_spectrum=project / "Movies/a_PS.mrc",
            row=0,
        ),
        Micrograph(
            subject="Movies/b.mrc",
            path=project / "Movies/b.mrc",
            optics=Optics(pixel_size_a=1.1, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.07),
            row=1,
        ),
        Micrograph(
            subject="Movies/c.mrc",
            path=project / "Movies/c.mrc",
            optics=Optics(pixel_size_a=1.1, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.07),
            given_motion=GivenMotion(total_a=3.0, early_a=None, late_a=1.0),
            row=2,
        ),
    )
    assert found.subjects == ("Movies/a.mrc", "Movies/b.mrc", "Movies/c.mrc")
    assert found.entry("Movies/b.mrc").group == "2"


def test_flat_star(project: Path) -> None:
    star = write(project / "micrographs_ctf.star", FLAT)
    found = read(star)
    assert found.sources[0].flavour is Flavour.RELION_FLAT
    sizes = [m.optics.pixel_size_a for m in found.micrographs]
    assert sizes == pytest.approx([1.4, 1.4])
    assert found.micrographs[0].optics.voltage_kv == 300.0
    assert found.micrographs[1].given_ctf == GivenCtf(
        defocus_u_a=7375.06, defocus_v_a=6490.69, defocus_angle_deg=26.78, fit_score=0.165578
    )


def test_the_current_folder_comes_before_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    star = write(project / "m.star", OPTICS_BLOCK + CTF_BLOCK)
    monkeypatch.chdir(place(project / "copy/Movies/a.mrc").parents[1])
    paths = [m.path for m in read(star).micrographs]
    assert paths == [Path("Movies/a.mrc"), project / "Movies/b.mrc", project / "Movies/c.mrc"]


def test_entries_that_lead_nowhere_are_kept_with_the_reason(project: Path) -> None:
    """Catches entries dropped in silence, and reads from devices and pipes."""
    os.mkfifo(project / "pipe.mrc")
    rows = 'Movies/a.mrc\nMovies/gone.mrc\n/dev/zero\npipe.mrc\nMovies\na\0b.mrc\n""\n'
    rows += f"../project/Movies/b.mrc\n{project}/Movies/c.mrc\nMovies/a.mrc/x.mrc\n{'x' * 300}\n"
    star = project / "m.star"
    star.write_bytes(b"data_\nloop_\n_rlnMicrographName\n" + rows.encode())
    found = read(star)
    assert names(found) == ["Movies/a.mrc", "../project/Movies/b.mrc", f"{project}/Movies/c.mrc"]
    reasons = dict(found.unreadable)
    assert reasons.pop("Movies/gone.mrc") == (
        "file not found: tried Movies/gone.mrc from the current folder, from "
        f"{project} and from the folders above it"
    )
    assert reasons.pop("/dev/zero") == "not a regular file"
    assert reasons.pop("pipe.mrc") == "not a regular file"
    assert reasons.pop("Movies") == "not a regular file"
    assert "null" in reasons.pop("a\\x00b.mrc")
    assert reasons.pop("") == "the list gives no file name"
    assert reasons.pop("Movies/a.mrc/x.mrc").startswith("file not found")
    assert "too long" in reasons.pop("x" * 300)
    assert reasons == {}
    assert len(found.subjects) == 11


@pytest.mark.parametrize("name", ["pipe.star", "pipe.cs"])
def test_a_list_that_is_a_pipe_is_not_waited_for(project: Path, name: str) -> None:
    os.mkfifo(project / name)
    with pytest.raises(InputError, match="not a regular file"):
        read(project / name)


def test_a_list_of_missing_files_is_no_exception(project: Path) -> None:
    star = write(project / "m.star", "data_\nloop_\n_rlnMicrographName\nx.mrc\n")
    found = read(star)
    assert found.micrographs == ()
    assert list(found.unreadable) == ["x.mrc"]


def test_the_same_file_is_judged_once(project: Path) -> None:
    """However it is named: twice in a list, by a link, or by list and path."""
    (project / "link.mrc").symlink_to(project / "Movies/c.mrc")
    row = "Movies/a.mrc 1 None 1 1 1 1 1 1 1 1 1\n"
    star = write(project / "m.star", OPTICS_BLOCK + CTF_BLOCK + row)
    found = read(star, project / "link.mrc", str(project / "Movies/b.mrc"))
    assert names(found) == ["Movies/a.mrc", "Movies/b.mrc", "Movies/c.mrc"]
    assert found.micrographs[0].optics == K3
    assert found.notes == (
        f"given twice and judged once: Movies/a.mrc, {project}/link.mrc, {project}/Movies/b.mrc",
    )


def test_equal_names_of_different_files_stay_apart(project: Path, tmp_path: Path) -> None:
    place(tmp_path / "second/Movies/a.mrc")
    text = "data_\nloop_\n_rlnMicrographName\nMovies/a.mrc\n"
    found = read(write(project / "m.star", text), write(tmp_path / "second/m.star", text))
    other = str(tmp_path / "second/Movies/a.mrc")
    assert names(found) == ["Movies/a.mrc", other]
    assert other in found.notes[0]
    assert dict(found.origin) == {"Movies/a.mrc": (0, 0), other: (1, 0)}


def test_folders_patterns_and_files(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches unsorted folders, power spectra judged as micrographs, and hidden files."""
    monkeypatch.chdir(project)
    place(Path("Movies/._a.mrc"))
    write(Path("Movies/a.txt"), "")
    (Path("Movies/deeper") / "x.mrc").parent.mkdir()
    place(Path("Movies/deeper/x.mrc"))
    expected = ["Movies/a.mrc", "Movies/b.mrc", "Movies/c.mrc"]
    for given in (
        ["Movies"],
        ["Movies/*.mrc"],
        sorted(map(str, Path("Movies").glob("[a-c]*.mrc"))),
    ):
        found = read(*given)
        assert names(found) == expected
        assert found.notes == ("power spectra by their names, passed over: Movies/a_PS.mrc",)
        assert found.sources[0].flavour is Flavour.FILES
        assert found.micrographs[0].row is None
    assert names(read("Movies/a_PS.mrc")) == ["Movies/a_PS.mrc"]
    assert names(read("Movies/**/x.mrc", "Movies/a.mrc")) == [
        "Movies/deeper/x.mrc",
        "Movies/a.mrc",
    ]
    found = read("Movies/a*")
    assert found.notes[0] == "matched by Movies/a* but no image or list: Movies/a.txt"
    place(Path("odd[1].mrc"))
    assert names(read("odd[1].mrc")) == ["odd[1].mrc"]


def test_options_complete_and_never_contradict(project: Path) -> None:
    star = write(project / "m.star", FLAT.replace("_rlnAmplitudeContrast", "_rlnOther"))
    found = read(star, optics=Optics(pixel_size_a=1.405, amplitude_contrast=0.07))
    assert found.micrographs[0].optics.pixel_size_a == pytest.approx(1.4)
    assert found.micrographs[0].optics.amplitude_contrast == 0.07
    with pytest.raises(InputError) as caught:
        read(star, optics=Optics(pixel_size_a=1.43))
    assert str(caught.value) == (
        f"{star}: line 16 gives pixel_size_a 1.4, the option --pixel-size-a 1.43; "
        "leave the option out or correct the list"
    )
    star = write(project / "n.star", OPTICS_BLOCK + CTF_BLOCK)
    with pytest.raises(InputError, match="optics group 2 gives voltage_kv 300, the option"):
        read(star, optics=Optics(voltage_kv=200))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.885000", "0", "optics group 1: pixel_size_a is 0; accepted is 0.05 to 100"),
        ("0.885000", "-0.885", "optics group 1: pixel_size_a is -0.885;"),
        ("0.885000", "88500", "optics group 1: pixel_size_a is 88500;"),
        ("300.000000", "300000", "optics group 2: voltage_kv is 300000;"),
        ("0.885000", "inf", "optics group 1: rlnMicrographPixelSize is inf; accepted is a finite"),
        ("0.885000", "-Infinity", "optics group 1: rlnMicrographPixelSize is -Infinity;"),
        ("0.885000", "1e999", "optics group 1: rlnMicrographPixelSize is 1e999;"),
        ("300.000000", "inf", "optics group 2: rlnVoltage is inf;"),
        ("0.070000", "seven", "optics group 2: rlnAmplitudeContrast is 'seven'; accepted is a"),
        ("Movies/b.mrc 2", "Movies/b.mrc 3", "line 35: rlnOpticsGroup is 3; accepted are the"),
        ("10865.0", "deep", "line 34: rlnDefocusU is 'deep'; accepted is a number"),
        ("opticsGroup2 2", "opticsGroup2 1", "defines an optics group twice (1, 1)"),
    ],
)
def test_absurd_lists_name_the_place(project: Path, old: str, new: str, words: str) -> None:
    text = OPTICS_BLOCK + CTF_BLOCK
    assert old in text
    star = write(project / "m.star", text.replace(old, new))
    with pytest.raises(InputError) as caught:
        read(star)
    assert str(caught.value).startswith(f"{star}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nothing", ["nan", "NaN", "None"])
def test_a_pixel_size_that_is_left_open_is_unknown_and_noted(project: Path, nothing: str) -> None:
    star = write(project / "m.star", OPTICS_BLOCK.replace("0.885000", nothing) + CTF_BLOCK)
    found = read(star)
    assert found.micrographs[0].optics.pixel_size_a is None
    told = "rlnMicrographPixelSize is nan in optics group 1, so unknown"
    assert any(told in note for note in found.notes) == (nothing != "None")
    given = read(star, optics=Optics(pixel_size_a=1.1))
    assert given.micrographs[0].optics.pixel_size_a == 1.1
    assert not any("is nan" in note for note in given.notes)


def test_all_faults_of_a_list_are_told_at_once(project: Path) -> None:
    text = OPTICS_BLOCK.replace("0.885000", "0") + CTF_BLOCK.replace("10571.5", "x")
    text = text.replace("Movies/c.mrc 2", "Movies/c.mrc 9")
    with pytest.raises(InputError, match=r"group 1: pixel.*; line 36: rlnOpticsGroup is 9"):
        read(write(project / "m.star", text))
    flat = FLAT.replace(" 10000.000000 ", " 0 ")
    with pytest.raises(InputError, match=r"line 17: rlnMagnification is 0"):
        read(write(project / "n.star", flat))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("rlnImageName", "this file lists particles (data_micrographs with rlnMicrographName"),
        ("rlnCoordinateX", "this file lists particle coordinates"),
        ("rlnMicrographMovieName", "this file lists movies, which have to be motion-corrected"),
    ],
)
def test_lists_of_other_things_say_what_they_hold(project: Path, label: str, words: str) -> None:
    text = CTF_BLOCK.replace("rlnCtfPowerSpectrum", label)
    with pytest.raises(InputError) as caught:
        read(write(project / "m.star", text))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["nothing*.mrc"],
        ["gone.mrc"],
        ["empty"],
        ["list.star"],
        ["a\0.mrc"],
    ],
)
def test_nothing_to_judge_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "list.star", "data_micrographs\nloop_\n_rlnMicrographName\n\n")
    with pytest.raises(InputError, match=r"nothing matched|nothing to judge|not a file name"):
        read(*given)


def test_unreadable_names_can_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a line break or foreign bytes must not break a table, a page or a terminal."""
    monkeypatch.chdir(tmp_path)
    place(tmp_path / "a\nb.mrc")
    place(tmp_path / os.fsdecode(b"\xe4.mrc"))
    found = read(".")
    assert sorted(names(found)) == ["./\\udce4.mrc", "./a\\nb.mrc"]
    assert all(m.path.is_file() for m in found.micrographs)


@pytest.mark.parametrize(
    ("listed", "header", "expected"),
    [
        (0.885, None, 0.885),
        (0.885, 1.0, 0.885),
        (0.885, 0.89, 0.885),
        (None, 0.89, 0.89),
        (None, 1.0, None),
        (None, None, None),
    ],
)
def test_header_and_list_agree_on_the_pixel_size(
    listed: float | None, header: float | None, expected: float | None
) -> None:
    micrograph = Micrograph(
        subject="a", path=Path("a.mrc"), optics=Optics(pixel_size_a=listed, voltage_kv=300)
    )
    image = Image(pixels=np.zeros((64, 64), np.float32), pixel_size_a=header)
    assert check_pixel_size(micrograph, image) == Optics(pixel_size_a=expected, voltage_kv=300)


@pytest.mark.parametrize(
    ("listed", "header", "words"),
    [
        (0.885, 0.91, "its header says 0.91 Å a pixel, the list or the option 0.885 Å"),
        (0.885, 1.01, "its header says 1.01 Å"),
        (None, -1.2, "in its header pixel_size_a is -1.2; accepted is 0.05 to 100"),
        (0.885, 4e7, "in its header pixel_size_a is 4e+07"),
    ],
)
def test_a_contradictory_header_is_an_error(
    listed: float | None, header: float, words: str
) -> None:
    micrograph = Micrograph(
        subject="a", path=Path("a.mrc"), optics=Optics(pixel_size_a=listed, voltage_kv=300)
    )
    image = Image(pixels=np.zeros((64, 64), np.float32), pixel_size_a=header)
    with pytest.raises(InputError) as caught:
        check_pixel_size(micrograph, image)
    assert words in str(caught.value)
    assert "--force_header_angpix" in str(caught.value)


@pytest.mark.real_data
def test_real_lists(shared_data: Path) -> None:
    folder = shared_data / "star"
    found = read(folder / "relion31_corrected_micrographs.star")
    assert len(found.unreadable) == 24
    entry = found.sources[0].entries[0]
    assert entry.given_motion == GivenMotion(total_a=14.467891, early_a=2.368204, late_a=12.099687)
    assert entry.power_spectrum == "MotionCorr/job002/Movies/20170629_00021_frameImage_PS.mrc"
    assert entry.optics == K3
    failed = read(folder / "failed_fits_micrographs_ctf.star").sources[0].entries[0].given_ctf
    assert failed is not None
    assert (failed.fit_score, failed.resolution_a) == (-0.45785, 25.0)
    phase = read(folder / "phase_plate_micrographs_ctf.star").sources[0].entries[0]
    assert phase.optics.pixel_size_a == 1.4
    assert phase.given_ctf is not None
    assert phase.given_ctf.phase_shift_deg == 29.129999
    with pytest.raises(InputError, match="lists class averages"):
        read(folder / "relion31_run_it025_model.star")
    pictures = read(shared_data / "micrographs" / "quality")
    assert len(pictures.micrographs) == 24
    assert pictures.micrographs[0].optics == Optics()
