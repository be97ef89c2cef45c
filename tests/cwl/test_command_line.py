"""The command line: names, help, exit codes, one-line errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from cryoverdict.cwl.cli import COMMANDS, run
from cryoverdict.cwl.exit_code import EXIT_CODE_HELP, ExitCode
from cryoverdict.engine.output_folder import writing_into

NAMES = {
    "catalogue",
    "classify",
    "classify-again",
    "classify-particles",
    "compare-runs",
    "compose",
    "confirm-particles",
    "decide-classes",
    "decide-classification",
    "decide-micrographs",
    "decide-picking",
    "demo",
    "estimate-ctf",
    "evaluate",
    "extract",
    "gather-picks",
    "learn",
    "measure-micrographs",
    "pick",
    "promote",
    "report",
    "rules",
    "run",
    "simulate",
    "split-micrographs",
    "split-picks",
    "summarise",
    "train",
    "train-classes",
    "write-stack",
}


def test_commands_are_those_of_the_documents() -> None:
    assert {command.name for command in COMMANDS} == NAMES


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: str(c.name))
def test_every_command_and_option_says_what_it_does(command: click.Command) -> None:
    assert (command.help or "").strip()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: str(c.name))
def test_shared_options_have_one_name(command: click.Command) -> None:
    shared = {"output", "rule_layers", "threads", "seed", "quiet", "as_json"}
    flags = {
        p.name: p.opts[0]
        for p in command.params
        if isinstance(p, click.Option) and p.name in shared
    }
    named = {
        "output": "--output",
        "rule_layers": "--rules",
        "threads": "--threads",
        "seed": "--seed",
        "quiet": "--quiet",
        "as_json": "--json",
    }
    assert flags == {name: named[name] for name in flags}


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    for code in ExitCode:
        assert f"{code.value} " in EXIT_CODE_HELP
    assert "Exit codes" in shown


def test_wrong_use_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["decide-micrographs", "--output", str(tmp_path)]) == ExitCode.WRONG_USE
    assert "--features" in capsys.readouterr().err


def test_an_input_that_matches_nothing_is_one_line_and_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["decide-micrographs", str(tmp_path / "no*.mrc"), "--output", str(tmp_path / "o")])
    shown = capsys.readouterr().err
    assert code == ExitCode.BAD_INPUT
    assert shown.startswith("error: ")
    assert len(shown.splitlines()) == 1


def test_an_absurd_pixel_size_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["measure-micrographs", "x.mrc", "--output", str(tmp_path), "--pixel-size-a", "0"]
    assert run(arguments) == ExitCode.BAD_INPUT
    assert "pixel_size_a is 0" in capsys.readouterr().err


def test_the_program_is_installed_under_its_name() -> None:
    program = Path(sys.executable).with_name("cryoverdict")
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("cryoverdict")


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "a.mrc").write_bytes(b"")
    arguments = [str(tmp_path / "a.mrc"), "--output", str(tmp_path / "file" / "out")]
    assert run(["measure-micrographs", *arguments]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert len(shown.splitlines()) == 1


def test_nothing_readable_is_exit_code_3_with_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"")
    output = tmp_path / "out"
    arguments = [str(tmp_path / "a.mrc"), "--output", str(output)]
    assert run(["decide-micrographs", *arguments]) == ExitCode.BAD_INPUT
    assert '"error": 1' in (output / "ledger.json").read_text()


def test_two_runs_do_not_write_into_one_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mrc").write_bytes(b"")
    with writing_into(tmp_path / "out"):
        code = run(
            ["measure-micrographs", str(tmp_path / "a.mrc"), "--output", str(tmp_path / "out")]
        )
    assert code == ExitCode.BAD_INPUT
    assert "another run is writing here" in capsys.readouterr().err
