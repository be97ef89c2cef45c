"""The demonstration: every step from micrographs to the stack, the sums, and the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.commands import demo as demo_command
from cryoverdict.cwl.commands.demo import SETTINGS
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.simulation import data_set
from cryoverdict.engine.simulation.data_set import DataSetSpec
from tests.cwl.killed_run import begun, kill_run

# So small a set, and still several batches.
BATCH_SIZE = 2
PROGRAM = str(Path(sys.executable).with_name("cryoverdict"))
CWLTOOL = str(Path(sys.executable).with_name("cwltool"))
STEPS = {
    "judged",
    "trial_picking",
    "trial_picked",
    "trial_classification",
    "trial_classified",
    "trial_classes",
    "picking",
    "picked",
    "classification",
    "classified",
    "classes",
    "classes_again",
}
FILES = {
    "good_particles.star",
    "good_particles.mrcs",
    "good_particles.cs",
    "ledger.json",
    "provenance.json",
    "ro-crate-metadata.json",
}


def small() -> DataSetSpec:
    """Return the demonstration with fewer and smaller micrographs."""
    whole = data_set.demonstration()
    return replace(
        whole, micrographs=5, bad_fraction=0.2, base=replace(whole.base, shape=(640, 640))
    )


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> tuple[Path, dict[str, Any]]:
    """Run the demonstration; return its folder and what it told."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        spec = small()
        patch.setattr(data_set, "demonstration", lambda: spec)
        patch.setattr(demo_command, "BATCH_SIZE", BATCH_SIZE)
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        told: list[str] = []
        patch.setattr("click.echo", lambda text="", **_: told.append(str(text)))
        assert run(["demo", "--output", "demo", "--threads", "2", "--json"]) == ExitCode.DONE
    return folder / "demo", json.loads(told[-1])


@pytest.fixture(scope="module")
def outputs(
    demo: tuple[Path, dict[str, Any]],
    outputs_of: Callable[[Path, Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the outputs of the demonstration's run."""
    return outputs_of(demo[0] / "run", tmp_path_factory.mktemp("outputs") / "ours")


def test_the_demo_ends_with_a_stack_and_compares_it(demo: tuple[Path, dict[str, Any]]) -> None:
    folder, told = demo
    assert told["good_kept"]["of"] + told["bad_rejected"]["of"] == 5
    assert told["true_particles_in_stack"]["of"] > 0
    assert Path(told["open_this_page"]).name == "index.html"
    made = {p.name for p in (folder / "run").iterdir() if not p.name.startswith(".")}
    assert made == STEPS | FILES | {"report", "workflow"}


def test_every_micrograph_and_pick_is_in_one_bin(demo: tuple[Path, dict[str, Any]]) -> None:
    ledger = json.loads((demo[0] / "run" / "ledger.json").read_text())
    for unit in ("micrographs", "particles"):
        account = ledger[unit]
        assert sum(account["bins"].values()) == account["inputs"]
        lost = sum(one["number"] for one in account["lost"])
        assert lost == account["bins"]["rejected"] + account["bins"]["error"]
    assert ledger["micrographs"]["inputs"] == 5
    assert ledger["particles"]["bins"]["kept"] == demo[1]["junk_in_stack"]["of"]


def test_the_first_page_leads_to_every_step(demo: tuple[Path, dict[str, Any]]) -> None:
    report = demo[0] / "run" / "report"
    page = (report / "index.html").read_text(encoding="utf-8")
    linked = [part.partition('"')[0] for part in page.split('class="step" href="')[1:]]
    assert {one.split("/")[1] for one in linked} == STEPS
    assert all((report / one).is_file() for one in linked)


def test_plain_cwltool_gives_the_same_bytes(
    demo: tuple[Path, dict[str, Any]],
    outputs: Path,
    environment: dict[str, str],
    differences: Callable[[Path, Path], list[str]],
    tmp_path: Path,
) -> None:
    """Without what the run kept: every step is done again, in other folders."""
    workflow = demo[0] / "run" / "workflow"
    done = subprocess.run(
        [
            *(CWLTOOL, "--quiet", "--no-container", "--outdir", str(tmp_path / "out")),
            *(str(workflow / "workflows" / "preprocess.cwl"), str(workflow / "job.yaml")),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert differences(tmp_path / "out", outputs) == []


def test_a_run_killed_thrice_ends_with_the_same_bytes(
    demo: tuple[Path, dict[str, Any]],
    outputs: Path,
    outputs_of: Callable[[Path, Path], Path],
    environment: dict[str, str],
    differences: Callable[[Path, Path], list[str]],
    tmp_path: Path,
) -> None:
    """Kill -9 in round one, among the batches of round two, and at the stack; each goes on."""
    folder = demo[0]
    run = folder / "killed"
    base = small().base
    # As the demonstration calls it: subjects have the names of the micrographs as they were given.
    words = [PROGRAM, "run", "demo/micrographs", "--output", "demo/killed", "--threads", "2"]
    words += ["--batch-size", str(BATCH_SIZE), *(w for one in SETTINGS for w in ("--set", one))]
    words += ["--voltage-kv", f"{base.voltage_kv:g}", "--cs-mm", f"{base.cs_mm:g}"]
    words += ["--amplitude-contrast", f"{base.amplitude_contrast:g}", "--quiet"]
    kept = 0
    for step, times in (("classify", 1), ("pick", 3), ("write-stack", 1)):
        before = kept
        kept = kill_run(
            words,
            lambda step=step, times=times: begun(run, step) >= times,  # type: ignore[misc]
            run=run,
            folder=folder.parent,
            environment=environment,
        )
        assert kept > before
        assert not (run / "judged").exists()
    done = subprocess.run(
        words, cwd=folder.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    steps = json.loads((run / "provenance.json").read_text())["steps"]
    assert sum(one["kept"] for one in steps) == kept
    assert differences(outputs_of(run, tmp_path / "killed"), outputs) == []


def test_without_pytorch_it_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cryoverdict.cwl.runner.needs.find_spec", lambda _: None)
    assert run(["demo", "--output", str(tmp_path / "demo")]) == ExitCode.PROGRAM_FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the built-in 2D classifier needs PyTorch")
    assert "pip install 'cryoverdict[classify]'" in line
    assert not (tmp_path / "demo").exists()
