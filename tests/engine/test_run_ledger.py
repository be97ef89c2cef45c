"""The ledger of a run: every item in one bin, and nothing lost between two steps."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import Bin, Count, Entry, Ledger
from cryoverdict.engine.run_ledger import account_for


def entries(kept: str, rejected: str = "", error: str = "") -> tuple[Entry, ...]:
    """Return entries for items named by one letter each."""
    return (
        *(Entry(item=i, bin="kept") for i in kept),
        *(Entry(item=i, bin="rejected", reason="film") for i in rejected),
        *(Entry(item=i, bin="error", reason=f"{i}.mrc: cannot be read") for i in error),
    )


def counts(**numbers: int) -> tuple[Count, ...]:
    """Return counts by bin, with the bin's name as reason of what did not go on."""
    bins: dict[str, Bin] = {"kept": "kept", "rejected": "rejected", "error": "error"}
    return tuple(
        Count(bin=bins[name], reason="" if name == "kept" else f"edge: {name}", number=n)
        for name, n in numbers.items()
    )


@pytest.fixture
def steps(tmp_path: Path) -> list[Path]:
    """Write the folders of a small run: 5 micrographs, 10 picks, 4 of them in the stack."""
    ledgers = {
        "judged": Ledger(step="decide-micrographs", entries=entries("abc", "d", "e")),
        "picked": Ledger(step="pick", entries=entries("ab", "c")),
        "extracted_0": Ledger(step="extract", entries=(), counts=counts(kept=5, rejected=1)),
        "extracted_1": Ledger(step="extract", entries=(), counts=counts(kept=3, error=1)),
        "classified": Ledger(step="classify", entries=entries("ABCDEFG", "H")),
        "classes": Ledger(
            step="decide-classes",
            entries=entries("12", "3"),
            counts=counts(kept=5, rejected=2),
        ),
        "stack": Ledger(step="write-stack", entries=(), counts=counts(kept=4, rejected=1)),
    }
    for name, ledger in ledgers.items():
        (tmp_path / name).mkdir()
        ledger.write(tmp_path / name / "ledger.json")
    outcomes = ["kept"] * 10 + ["film"] * 3
    pq.write_table(pa.table({"outcome": outcomes}), tmp_path / "picked" / "picks.parquet")
    return [tmp_path / name for name in ledgers]


def test_sums_run_through_the_steps(steps: list[Path]) -> None:
    record = account_for(steps).to_dict()
    micrographs, particles = record["micrographs"], record["particles"]
    assert micrographs["inputs"] == 5
    assert micrographs["bins"] == {"kept": 2, "rejected": 2, "error": 1}
    assert {one["item"]: (one["bin"], one["step"]) for one in micrographs["items"]} == {
        "a": ("kept", "pick"),
        "b": ("kept", "pick"),
        "c": ("rejected", "pick"),
        "d": ("rejected", "decide-micrographs"),
        "e": ("error", "decide-micrographs"),
    }
    assert particles["inputs"] == 10
    assert particles["bins"] == {"kept": 4, "rejected": 5, "error": 1}
    assert [(one["step"], one["reason"], one["number"]) for one in particles["lost"]] == [
        ("classify", "film", 1),
        ("decide-classes", "edge", 2),
        ("extract", "edge", 1),
        ("extract", "edge", 1),
        ("write-stack", "edge", 1),
    ]
    assert [(one["step"], one["inputs"], one["batches"]) for one in record["steps"]] == [
        ("decide-micrographs", 5, 1),
        ("pick", 3, 1),
        ("extract", 10, 2),
        ("classify", 8, 1),
        ("decide-classes", 7, 1),
        ("write-stack", 5, 1),
    ]


@pytest.mark.parametrize(
    ("folder", "ledger", "words"),
    [
        ("picked", Ledger(step="pick", entries=entries("ab")), "kept 3, but pick got 2"),
        (
            "extracted_1",
            Ledger(step="extract", entries=(), counts=counts(kept=3)),
            "pick kept 10, but extract got 9",
        ),
        (
            "stack",
            Ledger(step="write-stack", entries=(), counts=counts(kept=4, rejected=2)),
            "decide-classes kept 5, but write-stack got 6",
        ),
    ],
)
def test_what_is_lost_or_doubled_is_an_error(
    steps: list[Path], folder: str, ledger: Ledger, words: str
) -> None:
    place = next(one for one in steps if one.name == folder)
    ledger.write(place / "ledger.json")
    with pytest.raises(EngineError, match=words):
        account_for(steps)


def test_a_run_that_only_judges_has_no_particles(steps: list[Path]) -> None:
    record = account_for(steps[:1]).to_dict()
    assert "particles" not in record
    assert record["micrographs"]["bins"] == {"kept": 3, "rejected": 1, "error": 1}
