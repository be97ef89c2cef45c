"""Measurements of batches as one: the same table, reasons kept, pictures found."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judging import list_of_subjects
from cryoverdict.engine.ledger import Entry, Ledger
from cryoverdict.engine.measured_batches import gather_measurements
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.feature import Absent, Answer, Feature, Given
from cryoverdict.features.table import FeatureTable

FEATURES: tuple[Feature, ...] = micrograph_features()[:3]


def write_batch(folder: Path, *subjects: str, bad: str = "") -> FeatureTable:
    """Write a folder as `measure-micrographs` does, one value given, one absent."""
    folder.mkdir()
    names = [f.name for f in FEATURES]
    rows: dict[str, dict[str, Answer]] = {
        s: {names[0]: float(ord(s)), names[1]: Given(2.0), names[2]: Absent(f"no {s}")}
        for s in subjects
    }
    table = FeatureTable.of(rows, FEATURES)
    table.write(folder / "features.parquet")
    entries = [Entry(item=s, bin="kept") for s in subjects]
    entries += [Entry(item=s, bin="error", reason=f"{s} is broken") for s in bad]
    Ledger(step="measure-micrographs", entries=tuple(entries)).write(folder / "ledger.json")
    return table


def test_batches_are_one_table_in_the_order_of_the_list(tmp_path: Path) -> None:
    write_batch(tmp_path / "one", "a", "b", bad="x")
    write_batch(tmp_path / "two", "c")
    whole = write_batch(tmp_path / "whole", "c", "a", "b")
    listed = list_of_subjects("cxabz")
    found = gather_measurements([tmp_path / "one", tmp_path / "two"], listed, tmp_path / "out")
    assert found.table.digest == whole.digest
    assert FeatureTable.read(tmp_path / "out" / "features.parquet").digest == whole.digest
    assert found.errors == {"x": "x is broken", "z": "z: in none of the feature tables given"}
    assert [o.subject for o in found.outcomes] == ["c", "x", "a", "b", "z"]


def test_pictures_are_looked_for_in_the_batch_of_the_subject(tmp_path: Path) -> None:
    write_batch(tmp_path / "one", "a")
    write_batch(tmp_path / "two", "b")
    given = [tmp_path / "one" / "features.parquet", tmp_path / "two"]
    found = gather_measurements(given, None, tmp_path / "out")
    assert found.store.path("a").parent == tmp_path / "one" / "measured"
    assert found.store.path("b").parent == tmp_path / "two" / "measured"
    assert found.micrographs.subjects == ("a", "b")


def test_tables_of_two_versions_are_refused(tmp_path: Path) -> None:
    write_batch(tmp_path / "one", "a")
    write_batch(tmp_path / "two", "b")
    table = FeatureTable.of({"b": {}}, FEATURES[:2])
    table.write(tmp_path / "two" / "features.parquet")
    with pytest.raises(EngineError, match="has other features than"):
        gather_measurements([tmp_path / "one", tmp_path / "two"], None, tmp_path / "out")


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"holds no features\.parquet"):
        gather_measurements([tmp_path], None, tmp_path / "out")
