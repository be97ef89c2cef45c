"""Every item ends in exactly one bin."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import Count, Entry, Ledger, read_ledger

ENTRIES = (
    Entry(item="a", bin="kept"),
    Entry(item="b", bin="rejected", reason="film"),
    Entry(item="c", bin="error", reason="c: truncated"),
    Entry(item="d", bin="kept"),
)


def test_bins_add_up_to_the_items() -> None:
    ledger = Ledger(step="s", entries=ENTRIES)
    assert ledger.bins == {"kept": 2, "rejected": 1, "error": 1}
    assert ledger.to_dict()["inputs"] == 4


def test_an_item_in_two_bins_is_refused() -> None:
    with pytest.raises(EngineError, match="b stands in more than one bin"):
        Ledger(step="s", entries=(*ENTRIES, Entry(item="b", bin="kept")))


def test_a_lost_item_and_an_invented_one_are_both_noticed() -> None:
    ledger = Ledger(step="s", entries=ENTRIES)
    ledger.check(["d", "c", "b", "a"])
    with pytest.raises(EngineError, match="e has no bin"):
        ledger.check(["a", "b", "c", "d", "e"])
    with pytest.raises(EngineError, match="d was never an input"):
        ledger.check(["a", "b", "c"])


def test_round_trip(tmp_path: Path) -> None:
    ledger = Ledger(step="s", entries=ENTRIES)
    ledger.write(tmp_path / "ledger.json")
    assert read_ledger(tmp_path / "ledger.json") == ledger


def test_counted_items_are_in_the_sums_and_come_back(tmp_path: Path) -> None:
    """Two million particles are not named one by one."""
    counts = (Count(bin="kept", number=100), Count(bin="rejected", reason="edge", number=7))
    ledger = Ledger(step="s", entries=ENTRIES, counts=counts, items_file="bins.parquet")
    assert ledger.bins == {"kept": 102, "rejected": 8, "error": 1}
    assert ledger.to_dict()["inputs"] == 111
    ledger.write(tmp_path / "ledger.json")
    assert read_ledger(tmp_path / "ledger.json") == ledger
