"""What commands say when they are done: to people as lines, to programs as one JSON object."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.summary import say
from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.simulation import data_set


def test_a_mapping_is_an_object_to_programs_and_a_list_to_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = {"kept": 3, "defects": {"film": 2, "drift": 1}, "strange_things": {}}
    say(facts, quiet=False, as_json=True)
    assert json.loads(capsys.readouterr().out) == {**facts, "notes": []}
    say(facts, quiet=False, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "kept            3",
        "defects         film 2, drift 1",
        "strange things  none",
    ]


def test_defects_are_counted_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = data_set.demonstration()
    small = replace(small, micrographs=4, base=replace(small.base, shape=(256, 256)))
    monkeypatch.setattr(data_set, "demonstration", lambda: small)
    shared = ["--threads", "1", "--json"]
    folder = str(tmp_path / "mics")
    assert run(["simulate", "--output", folder, *shared]) == ExitCode.DONE
    capsys.readouterr()
    assert run(["decide-micrographs", folder, "--output", str(tmp_path), *shared]) == ExitCode.DONE
    decisions = read_decisions(tmp_path / "decisions.jsonl")
    counted = Counter(defect.name for d in decisions for defect in d.defects)
    assert json.loads(capsys.readouterr().out)["defects"] == counted
