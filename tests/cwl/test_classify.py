"""`classify` and `decide-classification` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.parameter_file import read_parameter_file
from cryoverdict.features.star import read_star, table_of, write_star

PARAMETERS = {
    "classes": 2.0,
    "mask_diameter_a": 170.0,
    "resolution_limit_a": 30.0,
    "iterations": 3.0,
    "prior_strength": 1.0,
    "offset_range_a": 14.0,
}


def write_parameters(path: Path, **changes: float) -> Path:
    record = {"kind": "classification", "parameters": {**PARAMETERS, **changes}}
    path.write_text(json.dumps(record))
    return path


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two folders of particles, of one session."""
    pytest.importorskip("torch")
    from cryoverdict.engine.classification.simulated_particles import (
        simulated_particles,
        write_particles,
    )

    made = []
    for seed in (1, 2):
        truth = simulated_particles(
            seed=seed,
            count=40,
            species=("barrel",),
            junk_share=0.0,
            contrast=3.0,
            box=24,
            pixel_size_a=9.0,
        )
        folder = tmp_path_factory.mktemp(f"batch{seed}")
        write_particles(truth, folder)
        made.append(folder)
    return made


def test_batches_are_classified_together_and_a_second_call_finds_it_done(
    batches: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    parameters = write_parameters(tmp_path / "classification.json")
    arguments = ["classify", *map(str, batches), "--parameters", str(parameters)]
    arguments += ["--output", str(output), "--device", "cpu", "--threads", "1", "--json"]
    assert run(arguments) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["kept"], said["there_before"]) == (80, "no")
    assert read_ledger(output / "ledger.json").bins == {"kept": 80, "rejected": 0, "error": 0}
    data = read_star(next(output.glob("run_it*_data.star")))
    assert len(data["particles"].rows) == 80
    assert data["optics"].column("rlnOpticsGroupName") == ("opticsGroup1",)
    for name in ("decisions.jsonl", "convergence.json", "report/index.html"):
        assert (output / name).is_file(), name
    assert run(arguments) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["there_before"] == "yes"


def test_lost_stacks_are_told_by_the_exit_code(
    batches: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = read_star(batches[0] / "particles.star")
    rows = [
        dict(zip(blocks["particles"].columns, row, strict=True)) for row in blocks["particles"].rows
    ]
    for row in rows:
        row["rlnImageName"] = row["rlnImageName"].replace("@", f"@{batches[0]}/")
    rows += [{**rows[0], "rlnImageName": "1@gone.mrcs"}]
    star = tmp_path / "particles.star"
    write_star(star, {"optics": blocks["optics"], "particles": table_of(rows)})
    parameters = write_parameters(tmp_path / "classification.json")
    arguments = ["classify", str(star), "--parameters", str(parameters), "--threads", "1"]
    code = run([*arguments, "--output", str(tmp_path / "o")])
    assert code == ExitCode.SOME_UNREADABLE
    assert "gone.mrcs" in capsys.readouterr().err


def test_other_parameters_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "picking.json"
    path.write_text(json.dumps({"kind": "picking", "parameters": {"diameter_a": 100}}))
    code = run(
        ["classify", str(tmp_path), "--parameters", str(path), "--output", str(tmp_path / "o")]
    )
    assert code == ExitCode.BAD_INPUT
    assert "holds picking parameters; accepted is the classification.json" in (
        capsys.readouterr().err
    )


def test_without_torch_the_message_says_how_to_install_it(
    batches: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    parameters = write_parameters(tmp_path / "classification.json")
    arguments = ["classify", str(batches[0]), "--parameters", str(parameters), "--quiet"]
    code = run([*arguments, "--output", str(tmp_path / "o")])
    assert code == ExitCode.BAD_INPUT
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "pip install 'cryoverdict[classify]'" in told


@pytest.fixture
def picks(tmp_path: Path) -> Path:
    """Return a folder as `pick` leaves it, of two micrographs."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "picks"
    (folder / "coordinates").mkdir(parents=True)
    listed, rows = [], []
    for name in ("a", "b"):
        image = rng.standard_normal((1, 512, 512)).astype(np.float32)
        write_mrcs(tmp_path / f"{name}.mrc", image, 2.0)
        places = rng.uniform(100, 400, (300, 2))
        coordinates = f"coordinates/{name}_autopick.star"
        table = table_of(
            {"rlnCoordinateX": f"{x:.2f}", "rlnCoordinateY": f"{y:.2f}"} for x, y in places
        )
        write_star(folder / coordinates, {"": table})
        listed.append({"rlnMicrographName": f"{name}.mrc", "rlnMicrographCoordinates": coordinates})
        rows.append(
            {
                "rlnMicrographName": f"{name}.mrc",
                "rlnOpticsGroup": "1",
                "rlnDefocusU": "15000",
                "rlnDefocusV": "15000",
                "rlnDefocusAngle": "0",
                "rlnCtfMaxResolution": "5",
            }
        )
    optics = {
        "rlnOpticsGroupName": "a",
        "rlnOpticsGroup": "1",
        "rlnVoltage": "300",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
        "rlnMicrographPixelSize": "2.0",
    }
    write_star(folder / "autopick.star", {"coordinate_files": table_of(listed)})
    write_star(
        folder / "micrographs.star", {"optics": table_of([optics]), "micrographs": table_of(rows)}
    )
    return folder


def test_picks_lead_to_parameters(
    picks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picking = tmp_path / "picking.json"
    settled = {"diameter_a": 150.0, "contrast_sign": -1.0}
    picking.write_text(json.dumps({"kind": "picking", "parameters": settled}))
    output = tmp_path / "out"
    arguments = ["decide-classification", str(picks), "--picking", str(picking)]
    arguments += ["--output", str(output), "--threads", "1", "--class-count", "4", "--json"]
    assert run(arguments) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert said["classes"] == 4
    file = read_parameter_file(output / "classification.json", "classification")
    # 150 Å and twice 0.0197 · 15000 / 10 Å of delocalisation are less than 1.5 diameters.
    assert file.number("box_px") == 120  # 112.5, up to the next fast size of at least that
    assert file.number("classes") == 4
    assert file.number("mask_diameter_a") == pytest.approx(165.0)
    record = json.loads((output / "decisions.jsonl").read_text())
    assert record["facts"]["particle_count"] == 600
    assert record["facts"]["defocus_max_a"] == pytest.approx(15_000)
    assert read_ledger(output / "ledger.json").bins == {"kept": 2, "rejected": 0, "error": 0}
    assert (output / "report" / "index.html").is_file()
    again = tmp_path / "elsewhere"
    assert run([*arguments[:4], "--output", str(again), *arguments[6:]]) == ExitCode.DONE
    for name in ("classification.json", "decisions.jsonl", "ledger.json"):
        assert (again / name).read_bytes() == (output / name).read_bytes()
