"""The commands `extract` and `write-stack`, one after the other, as a workflow calls them."""

from __future__ import annotations

import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.features.cryosparc import read_cs
from cryoverdict.features.star import read_star, table_of, write_star

PARAMETERS = {
    "box_px": 48.0,
    "binned_box_px": 24.0,
    "binned_pixel_size_a": 4.0,
    "background_radius_px": 9.0,
    "invert_contrast": 1.0,
    "fit_plane": 1.0,
    "dust_sigma": 5.0,
    "float16": 0.0,
    "duplicate_distance_a": 20.0,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with two micrographs, their picks, and settled parameters."""
    (tmp_path / "pick" / "coordinates").mkdir(parents=True)
    rng = np.random.default_rng(4)
    names = [str(tmp_path / f"m{k}.mrc") for k in range(2)]
    for name in names:
        with mrcfile.new(name) as file:
            file.set_data(rng.normal(50.0, 5.0, (300, 400)).astype(np.float32))
            file.voxel_size = 2.0
    points = [(60, 60), (120, 200), (300, 100), (5, 5)]
    for k in range(2):
        rows = [{"rlnCoordinateX": str(x), "rlnCoordinateY": str(y)} for x, y in points]
        write_star(tmp_path / f"pick/coordinates/m{k}_autopick.star", {"": table_of(rows)})
    listed = [
        {"rlnMicrographName": n, "rlnMicrographCoordinates": f"coordinates/m{k}_autopick.star"}
        for k, n in enumerate(names)
    ]
    write_star(tmp_path / "pick/autopick.star", {"coordinate_files": table_of(listed)})
    optics = {
        "rlnOpticsGroup": "1",
        "rlnOpticsGroupName": "one",
        "rlnMicrographPixelSize": "2.0",
        "rlnVoltage": "300",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
    }
    mics = [
        {
            "rlnMicrographName": n,
            "rlnOpticsGroup": "1",
            "rlnDefocusU": "15000",
            "rlnDefocusV": "14500",
            "rlnDefocusAngle": "20",
        }
        for n in names
    ]
    blocks = {"optics": table_of([optics]), "micrographs": table_of(mics)}
    write_star(tmp_path / "pick/micrographs.star", blocks)
    record = {"kind": "classification", "version": "0", "parameters": PARAMETERS}
    (tmp_path / "classification.json").write_text(json.dumps(record))
    return tmp_path


def classified(project: Path) -> Path:
    """Write what a classification that found a shift leaves of the extracted particles."""
    blocks = read_star(project / "cut/particles.star")
    rows = [
        dict(zip(blocks["particles"].columns, row, strict=True))
        | {
            "rlnOriginXAngst": "5.0",
            "rlnOriginYAngst": "-8.0",
            "rlnAnglePsi": "90.0",
            "rlnClassNumber": "2",
        }
        for row in blocks["particles"].rows
    ]
    path = project / "cut/particles_good.star"
    write_star(path, {"optics": blocks["optics"], "particles": table_of(rows)})
    return path


def test_picks_become_particles_become_the_stack(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--parameters", str(project / "classification.json"), "--threads", "1", "--json"]
    code = run(["extract", str(project / "pick"), "--output", str(project / "cut"), *shared])
    assert code == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["kept"], said["rejected"], said["error"]) == (6, 2, 0)
    assert (said["box_px"], said["pixel_size_a"]) == (24, 4.0)
    assert said["fates"] == {"kept": 6, "edge": 2}
    star = classified(project)
    code = run(["write-stack", str(star), "--output", str(project / "good"), *shared])
    assert code == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["kept"], said["box_px"], said["pixel_size_a"]) == (6, 48, 2.0)
    assert said["cut_anew"] is True
    table = read_star(project / "good/good_particles.star")["particles"]
    # 5 Å are 2.5 px, and halves are rounded away from 0: the particle moves 3 px to the left.
    assert table.column("rlnCoordinateX") == tuple(
        f"{v}.000000" for v in (57, 117, 297, 57, 117, 297)
    )
    assert set(table.column("rlnOriginXAngst") or ()) == {"-1.000000"}
    assert set(table.column("rlnOriginYAngst") or ()) == {"0.000000"}
    records = read_cs(project / "good/good_particles.cs")
    assert len(records) == 6
    assert records["location/micrograph_shape"][0].tolist() == [300, 400]
    assert records["location/center_x_frac"][0] == np.float32(57 / 400)
    assert records["location/center_y_frac"][0] == np.float32(64 / 300)
    pixels = mrcfile.read(project / "m0.mrc")
    image = mrcfile.read(project / "good/good_particles.mrcs")[0]
    window = pixels[64 - 24 : 64 + 24, 57 - 24 : 57 + 24]
    assert np.corrcoef(window.ravel(), image.ravel())[0, 1] < -0.999
    for name, kept in (("cut", 6), ("good", 6)):
        assert read_ledger(project / name / "ledger.json").bins["kept"] == kept


def test_a_lost_micrograph_is_exit_code_4_and_all_lost_3(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["extract", str(project / "pick"), "--output", str(project / "cut"), "--threads", "1"]
    call += ["--parameters", str(project / "classification.json")]
    (project / "m1.mrc").unlink()
    assert run(call) == ExitCode.SOME_UNREADABLE
    assert "m1.mrc" in capsys.readouterr().err
    (project / "m0.mrc").write_bytes(b"")
    assert run(call) == ExitCode.BAD_INPUT
    assert read_ledger(project / "cut/ledger.json").bins == {"kept": 0, "rejected": 0, "error": 8}


def test_parameters_of_another_step_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "picking.json"
    path.write_text(json.dumps({"kind": "picking", "parameters": {}}))
    call = ["extract", str(project / "pick"), "--output", str(project / "x")]
    assert run([*call, "--parameters", str(path)]) == ExitCode.BAD_INPUT
    assert "holds picking parameters" in capsys.readouterr().err


def test_write_stack_finds_micrographs_in_a_list(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--parameters", str(project / "classification.json"), "--threads", "1", "--quiet"]
    run(["extract", str(project / "pick"), "--output", str(project / "cut"), *shared])
    star = classified(project)
    for path in (star, project / "pick/micrographs.star"):
        path.write_text(path.read_text().replace(f"{project}/m", "job7/m"))
    moved = project / "pick/micrographs.star"
    table = read_star(moved)
    rows = [
        dict(zip(table["micrographs"].columns, row, strict=True))
        | {"cryoverdictMicrographPath": str(project / Path(row[0]).name)}
        for row in table["micrographs"].rows
    ]
    write_star(moved, {"optics": table["optics"], "micrographs": table_of(rows)})
    call = ["write-stack", str(star), "--output", str(project / "good"), *shared]
    assert run([*call, "--micrographs", str(moved)]) == ExitCode.DONE
    assert read_star(project / "good/good_particles.star")["optics"].column("rlnImageSize") == (
        "48",
    )
    capsys.readouterr()
    assert run([*call[:-1]]) == ExitCode.DONE
    assert "copied as they are" in capsys.readouterr().err
    optics = read_star(project / "good/good_particles.star")["optics"]
    assert optics.column("rlnImageSize") == ("24",)


def test_optics_and_ctf_may_stand_in_another_list_or_in_options(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RELION's own picking job leaves an autopick.star and no list of micrographs beside it."""
    (project / "pick/micrographs.star").rename(project / "ctf.star")
    call = ["extract", str(project / "pick/autopick.star"), "--threads", "1", "--no-ctf-fit"]
    call += ["--parameters", str(project / "classification.json")]
    more = ["--micrographs", str(project / "ctf.star")]
    assert run([*call, *more, "--output", str(project / "one")]) == ExitCode.DONE
    blocks = read_star(project / "one/particles.star")
    assert set(blocks["particles"].column("rlnDefocusU") or ()) == {"15000"}
    assert blocks["optics"].column("rlnVoltage") == ("300",)
    more = ["--pixel-size-a", "2", "--voltage-kv", "200", "--cs-mm", "1.4"]
    assert run([*call, *more, "--output", str(project / "two")]) == ExitCode.DONE
    blocks = read_star(project / "two/particles.star")
    assert "rlnDefocusU" not in blocks["particles"].columns
    assert blocks["optics"].column("rlnVoltage") == ("200.000000",)
    assert blocks["optics"].column("rlnImagePixelSize") == ("4.000000",)
    one, two = (mrcfile.read(project / n / "particles/m0.mrcs") for n in ("one", "two"))
    np.testing.assert_array_equal(one, two)
    capsys.readouterr()


def test_picks_without_numbers_are_told_and_an_empty_block_is_no_fault(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n"
    (project / "pick/coordinates/m0_autopick.star").write_text(f"{head}abc 60\n")
    (project / "pick/coordinates/m1_autopick.star").write_text("data_\n")
    shared = ["--parameters", str(project / "classification.json"), "--threads", "1"]
    code = run(["extract", str(project / "pick"), "--output", str(project / "cut"), *shared])
    assert code == ExitCode.BAD_INPUT
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "note: 1 picks have no coordinates: in _rlnCoordinateX or _rlnCoordinateY stands no "
        "number; correct or remove these rows"
    ]
