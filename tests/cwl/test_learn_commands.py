"""`learn`, `classify-particles` and `run --with` from outside: what they refuse, and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.runner.job import learnt_values
from cryoverdict.cwl.runner.workflow_file import shipped_workflow, workflow_inputs
from cryoverdict.engine.learning.run_cost import RunCost, read_cost
from cryoverdict.engine.learning.savings import savings_against
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.features.star import table_of, write_star
from cryoverdict.reports.savings_report import write_savings

pytest.importorskip("torch")


def test_an_unfinished_run_teaches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "half").mkdir()
    code = run(["learn", str(tmp_path / "half"), "--output", str(tmp_path / "learnt"), "--quiet"])
    assert code == ExitCode.BAD_INPUT
    assert "good_particles.star is not there; accepted is the folder of a finished" in (
        capsys.readouterr().err
    )


def test_a_folder_without_a_model_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    optics = table_of([{"rlnOpticsGroup": "1"}])
    write_star(tmp_path / "particles.star", {"optics": optics, "particles": table_of([])})
    call = ["decide-micrographs", "--features", str(tmp_path), "--output", str(tmp_path / "out")]
    code = run([*call, "--learnt", str(tmp_path / "nowhere")])
    assert code == ExitCode.WRONG_USE
    assert "nowhere" in capsys.readouterr().err


def test_with_and_workflow_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["run", "x.mrc", "--output", str(tmp_path / "out"), "--with", str(tmp_path)]
    assert run([*call, "--diameter-a", "120"]) == ExitCode.WRONG_USE
    assert "these are learnt" in capsys.readouterr().err


def test_the_workflow_takes_what_a_model_gives(tmp_path: Path) -> None:
    inputs = workflow_inputs(shipped_workflow("continue"))
    values = learnt_values(tmp_path)
    assert set(values) <= set(inputs)
    assert {n: v["class"] for n, v in values.items()} == {n: inputs[n].type for n in values}


def finished(folder: Path, seconds: dict[str, float], xy: list[tuple[float, float]]) -> Path:
    """Write what is read of a finished run: its provenance and its stack."""
    folder.mkdir()
    steps = [{"step": s, "seconds": t, "kept": False} for s, t in seconds.items()]
    record = {"steps": steps, "inputs": [{"path": "a"}, {"path": "b"}]}
    (folder / "provenance.json").write_text(json.dumps(record))
    rows = [
        {"rlnMicrographName": "m/a.mrc", "rlnCoordinateX": f"{x}", "rlnCoordinateY": f"{y}"}
        for x, y in xy
    ]
    write_star(folder / "good_particles.star", {"particles": table_of(rows)})
    return folder


def test_savings_count_time_and_particles_of_both_runs(tmp_path: Path) -> None:
    full = finished(
        tmp_path / "full", {"pick": 30.0, "classify": 70.0}, [(10, 10), (90, 10), (50, 50)]
    )
    quick = finished(tmp_path / "quick", {"pick": 25.0}, [(12, 10), (300, 300)])
    settled = {
        "box_px": 100.0, "binned_box_px": 50.0, "binned_pixel_size_a": 4.0, "mask_diameter_a": 20.0
    }  # fmt: skip
    (full / "classification").mkdir()
    ParameterFile(kind="classification", parameters=settled).write(
        full / "classification" / "classification.json"
    )
    # Same particles lie within 0.35 · 20 Å, which are 3.5 pixels of 2 Å.
    found = savings_against(quick, full)
    assert found.time_share == pytest.approx(0.25)
    assert found.shared is not None
    assert (found.shared.both, found.shared.mine, found.shared.theirs) == (1, 1, 2)
    (tmp_path / "saved").mkdir()
    page = write_savings(tmp_path / "saved", found).read_text(encoding="utf-8")
    assert "25% of the time" in page
    assert "1 particles are in both stacks" in page


def test_cost_says_whether_it_is_whole(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", {"pick": 1.5}, [])
    cost = read_cost(folder)
    assert cost is not None
    assert (cost.total_s, cost.micrographs, cost.whole) == (1.5, 2, True)
    assert RunCost(**cost.to_dict()) == cost
    assert RunCost.total([cost, cost]).seconds == {"pick": 3.0}
    (folder / "provenance.json").write_text("{}")
    assert read_cost(folder) is None
