"""The CTF as a step of its own: from images, from stored spectra, beside a given CTF."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.simulation.data_set import demonstration
from cryoverdict.engine.simulation.data_set_files import write_data_set
from cryoverdict.features.star import read_star

OPTICS = ("--voltage-kv", "300", "--cs-mm", "2.7", "--amplitude-contrast", "0.1")


def rows(path: Path) -> list[dict[str, str]]:
    table = read_star(path)["micrographs"]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_images_with_known_ctf(tmp_path: Path) -> None:
    spec = demonstration()
    spec = replace(
        spec, micrographs=2, bad_fraction=0.0, base=replace(spec.base, shape=(1024, 1024))
    )
    truths = write_data_set(spec, tmp_path / "mics", seed=4).truths
    arguments = [str(tmp_path / "mics"), "--output", str(tmp_path / "out"), *OPTICS]
    assert run(["estimate-ctf", *arguments]) == ExitCode.DONE
    for row, truth in zip(rows(tmp_path / "out" / "micrographs_ctf.star"), truths, strict=True):
        mean = (float(row["rlnDefocusU"]) + float(row["rlnDefocusV"])) / 2.0
        true = (truth.ctf.defocus_u_a + truth.ctf.defocus_v_a) / 2.0
        assert mean == pytest.approx(true, abs=100.0)
        assert row["cryoverdictThonRingsSeen"] == "1"
        assert row["cryoverdictDefocusDifference"] in ("nan", "none", "None")


def test_columns_of_the_old_fit_go_and_all_others_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = demonstration()
    spec = replace(spec, micrographs=1, bad_fraction=0.0, base=replace(spec.base, shape=(512, 512)))
    (name,) = (p.name for p in write_data_set(spec, tmp_path, seed=4).micrographs)
    fit = ("rlnCtfImage", "rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnPhaseShift")
    others = ("rlnCtfPowerSpectrum", "rlnVoltage", "rlnBeamTiltClass")
    columns = ("rlnMicrographName", *fit, *others)
    cells = f"{name} a.ctf:mrc 12000 11000 10 90 a_PS.mrc 300 7"
    star = tmp_path / "list.star"
    star.write_text("data_\n\nloop_\n" + "\n".join(f"_{c}" for c in columns) + f"\n{cells}\n")
    for phase_plate, kept in ((False, {"rlnCtfPowerSpectrum", "rlnBeamTiltClass"}), (True, set())):
        output = tmp_path / f"out{phase_plate}"
        flags = ["--phase-plate"] * phase_plate
        arguments = [str(star), "--output", str(output), *OPTICS[2:], *flags, "--json"]
        assert run(["estimate-ctf", *arguments]) == ExitCode.DONE
        (row,) = rows(output / "micrographs_ctf.star")
        assert row.keys() >= kept
        assert "rlnCtfImage" not in row
        assert ("rlnPhaseShift" in row) == phase_plate
        assert row.get("rlnPhaseShift") != "90"
        assert float(row["rlnDefocusU"]) != 12000
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert any("list's own fit: rlnCtfImage" in note for note in notes)
        assert any("--phase-plate" in note for note in notes) != phase_plate


def test_nothing_to_estimate_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mrc").write_bytes(b"no image")
    code = run(["estimate-ctf", str(tmp_path / "a.mrc"), "--output", str(tmp_path / "o"), *OPTICS])
    assert code == ExitCode.BAD_INPUT
    assert "a.mrc" in capsys.readouterr().err


@pytest.mark.real_data
def test_stored_spectra_agree_with_ctffind(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "power_spectra"
    spectra = sorted(str(p) for p in folder.glob("*_PS.mrc"))
    optics = ("--voltage-kv", "200", "--cs-mm", "1.4", "--amplitude-contrast", "0.1")
    output = tmp_path / "out"
    assert run(["estimate-ctf", *spectra, "--power-spectra", "--output", str(output), *optics]) == 0
    with (folder / "reference_ctf.csv").open(newline="") as lines:
        reference = {r["stem"]: r for r in csv.DictReader(lines)}
    for row in rows(output / "micrographs_ctf.star"):
        stem = Path(row["rlnMicrographName"]).stem.removesuffix("_PS")
        for label in ("rlnDefocusU", "rlnDefocusV"):
            assert float(row[label]) == pytest.approx(float(reference[stem][label]), abs=150.0)
