"""What is said of files of settled parameters that are damaged, of another kind or edited wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_file import read_parameter_file
from cryoverdict.engine.parameter_record import read_records
from cryoverdict.engine.picking_run.decision_files import read_curves


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{nope", "it is no JSON from character 2 on"),
        ("[1]", "its entries are not those of this version"),
        ('{"parameters": {}}', "it lacks kind"),
        ('{"kind": "picking"}', "it lacks parameters"),
        ('{"kind": "picking", "parameters": [1]}', "its entries are not those of this version"),
        ('{"kind": "picking", "parameters": {}, "units": [1]}', "its entries are not those"),
        ('{"kind": "other", "parameters": {}}', "holds other parameters"),
    ],
)
def test_a_file_that_holds_no_parameters(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "picking.json"
    path.write_text(content)
    with pytest.raises(EngineError) as caught:
        read_parameter_file(path, "picking")
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert words in said
    assert said.endswith("; accepted is the picking.json of decide-picking")
    assert "Error" not in said


@pytest.mark.parametrize("value", ["large", None, True, [1], float("nan"), 10**400])
def test_a_parameter_that_is_no_number_is_named(tmp_path: Path, value: object) -> None:
    path = tmp_path / "picking.json"
    path.write_text(json.dumps({"kind": "picking", "parameters": {"spacing_a": value, "a": 1}}))
    with pytest.raises(EngineError) as caught:
        read_parameter_file(path, "picking")
    held = json.dumps(value)[:40]
    assert str(caught.value) == f"{path}: spacing_a is {held}; accepted is a finite number"


def test_numbers_come_back_and_the_rest_is_optional(tmp_path: Path) -> None:
    path = tmp_path / "picking.json"
    path.write_text('{"kind": "picking", "parameters": {"a": 2, "b": 0.5}}')
    read = read_parameter_file(path, "picking")
    assert read.parameters == {"a": 2.0, "b": 0.5}
    assert (read.templates, read.units, read.version) == (None, {}, "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}\n", ":1: not a parameter decision: it lacks "),
        (b"{", ":1: not a parameter decision: it is no JSON from character 2 on"),
        (b"\xff", ": it is no text in UTF-8"),
    ],
)
def test_a_line_that_is_no_parameter_decision(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read_records(path)
    assert str(caught.value).startswith(f"{path}{words}")
    assert "Error" not in str(caught.value)


def test_curves_that_are_none_are_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "survey.json"
    path.write_text('{"fdr": {"shape": [2]}}')
    with pytest.raises(EngineError) as caught:
        read_curves(path)
    wanted = f"{path}: not the curves of a survey: it lacks values; decide the picking anew"
    assert str(caught.value) == wanted
