"""`decide-classes` and `train-classes` from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cryoverdict.cwl.cli import run as run_cli
from cryoverdict.cwl.commands.decide_classes import command
from cryoverdict.cwl.commands.train_classes import command as train
from cryoverdict.features.star import read_star, table_of, write_star
from tests import painted_classes as painted

pytest.importorskip("xgboost")


@pytest.fixture(scope="module")
def painted_run(tmp_path_factory: pytest.TempPathFactory) -> painted.PaintedRun:
    images, members = painted.mixed_images()
    return painted.write_run(tmp_path_factory.mktemp("job"), images, members)


def decide(*arguments: object) -> dict[str, object]:
    done = CliRunner().invoke(command, [*map(str, arguments), "--json"], standalone_mode=False)
    assert done.exception is None, done.exception
    summary: dict[str, object] = json.loads(done.stdout)
    return summary


def test_a_run_ends_with_lists_ledger_and_page(
    tmp_path: Path, painted_run: painted.PaintedRun
) -> None:
    out = tmp_path / "out"
    said = decide("--model", painted_run.model, "--output", out)
    assert said["kept"] == 8 + (12 - 8 - int(str(said["rejected"])))
    for name in (
        "features.parquet",
        "decisions.jsonl",
        "particles_good.star",
        "particles_rejected.star",
        "class_averages_good.star",
        "class_averages.star",
        "backup_selection.star",
        "selected_classes.mrcs",
        "ledger.json",
        "report/index.html",
    ):
        assert (out / name).is_file(), name
    again = tmp_path / "again"
    assert decide("--run", painted_run.model.parent, "--output", again)["kept"] == said["kept"]
    assert (again / "decisions.jsonl").read_bytes() == (out / "decisions.jsonl").read_bytes()


def test_the_page_can_be_written_anew_where_the_run_lies_beside(
    tmp_path: Path, painted_run: painted.PaintedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(painted_run.model.parent, tmp_path / "run" / "trial_classified")
    out = tmp_path / "run" / "trial_classes"
    decide("--run", tmp_path / "run" / "trial_classified", "--output", out)
    written = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    shutil.rmtree(out / "report")
    assert run_cli(["report", str(tmp_path / "run")]) == 0
    assert "trial_classes/report/index.html" in capsys.readouterr().out
    assert written == {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    shutil.rmtree(tmp_path / "run" / "trial_classified")
    assert run_cli(["report", str(out)]) == 0
    assert "is not beside it as trial_classified/" in capsys.readouterr().err


def test_a_folder_without_a_finished_step_has_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["report", str(tmp_path)]) == 3
    assert "holds no finished step" in capsys.readouterr().err


def test_images_alone_give_no_particles(tmp_path: Path, painted_run: painted.PaintedRun) -> None:
    stack = painted_run.model.parent / "run_it025_classes.mrcs"
    said = decide("--classes", stack, "--output", tmp_path / "out")
    assert said["particles"] == "not listed"
    assert not (tmp_path / "out" / "particles_good.star").exists()
    assert not (tmp_path / "out" / "backup_selection.star").exists()
    assert read_star(tmp_path / "out" / "class_averages_good.star")[""].rows


def test_an_unreadable_image_is_in_the_ledger_and_the_exit_code(
    tmp_path: Path, painted_run: painted.PaintedRun
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    stack = painted_run.model.parent / "run_it025_classes.mrcs"
    code = run_cli(
        ["decide-classes", str(stack), str(broken), "--output", str(tmp_path / "out"), "--quiet"]
    )
    assert code == 4
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert ledger["bins"]["error"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--run", ".", "a.png"], 2),
        (["--data", "x.star"], 2),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str], code: int) -> None:
    assert run_cli(["decide-classes", *arguments, "--output", str(tmp_path / "o")]) == code


def test_bad_input_is_one_line(
    tmp_path: Path, painted_run: painted.PaintedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_cli(
        ["decide-classes", "--model", str(painted_run.data), "--output", str(tmp_path / "o")]
    )
    assert code == 3
    assert "lists no classes" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("size", ["nan", "-1", "0"])
def test_a_pixel_size_of_no_microscope_is_refused(
    tmp_path: Path,
    painted_run: painted.PaintedRun,
    capsys: pytest.CaptureFixture[str],
    size: str,
) -> None:
    images = str(next(painted_run.model.parent.glob("*_classes.mrcs")))
    arguments = ["decide-classes", images, "--output", str(tmp_path / "o")]
    assert run_cli([*arguments, "--pixel-size-a", size]) == 3
    assert capsys.readouterr().err.startswith(f"error: pixel_size_a is {size}; accepted is 0.05")


def test_a_site_trains_on_its_own_selections(tmp_path: Path) -> None:
    folders = []
    for k in range(4):
        images = [painted.particle(10 * k + i) for i in range(9)]
        junk = [painted.film_edge(k), painted.empty(k), painted.two_particles(k)]
        junk += [painted.film_edge(k + 40), painted.empty(k + 40), painted.empty(k + 60)]
        job = tmp_path / f"job{k:03d}"
        painted.write_run(job, [*images, *junk], [40] * 9 + [15] * 6)
        numbers = [{"rlnSelected": str(int(i < 9))} for i in range(15)]
        write_star(job / "backup_selection.star", {"": table_of(numbers)})
        folders.append(str(job))
    out = tmp_path / "trained"
    done = CliRunner().invoke(
        train, [*folders, "--folds", "2", "--output", str(out), "--json"], standalone_mode=False
    )
    assert done.exception is None, done.exception
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert evaluation["targets"]["good"]["auc"][0] > 0.95
    card = json.loads((out / "select-classes.json").read_text())["card"]
    assert "0 simulated" not in card["limits"]
    assert card["limits"] == "The labels are one site's own."
    said = decide(
        "--run", folders[0], "--judge", out / "select-classes.json", "--output", tmp_path / "o"
    )
    assert said["kept"] == 9
