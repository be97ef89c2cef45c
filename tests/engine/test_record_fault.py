"""What is said of a finished run whose files are damaged, in words and not in Python's."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judging import recalled
from cryoverdict.engine.ledger import read_ledger


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n', ":1: not a decision (it lacks "),
        (b"nonsense\n", ":1: not a decision (it is no JSON from character 1 on); accepted is"),
        (b"[1]\n", ":1: not a decision (its entries are not those of this version)"),
        (b"\xff\xfe\n", ": cannot be read (no text in UTF-8)"),
    ],
)
def test_a_line_that_is_no_decision(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read_decisions(path)
    assert str(caught.value).startswith(f"{path}{words}")
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "not a ledger (it lacks items)"),
        ("{", "not a ledger (it is no JSON from character 2 on)"),
        ('{"step": "s", "items": [{"x": 1}]}', "not a ledger (its entries are not those"),
    ],
)
def test_a_file_that_is_no_ledger(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(EngineError) as caught:
        read_ledger(path)
    assert str(caught.value).startswith(f"{path}: {words}")


def test_a_run_without_its_table_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        recalled(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'features.parquet'}: file not found; ")
