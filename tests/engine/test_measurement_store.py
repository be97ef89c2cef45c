"""Measurements kept on disk: answers, pictures and embeddings come back apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine import measurement_store
from cryoverdict.engine.measurement_store import Measurement, MeasurementStore, measuring_code
from cryoverdict.engine.measuring import table_of
from cryoverdict.features.feature import Absent
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics


def measurement(seen: list[float] | None) -> Measurement:
    vector = {} if seen is None else {"cnn-1": np.array(seen, np.float32)}
    return Measurement(
        answers={"mean_grey": 2.0, "never": Absent("it never is")},
        optics=Optics(pixel_size_a=1.5),
        notes=("a note",),
        pictures={"thumbnail": np.eye(3, dtype=np.uint8)},
        embeddings=vector,
    )


@pytest.fixture
def store(tmp_path: Path) -> MeasurementStore:
    """Return a store with one micrograph that has an embedding and one that has none."""
    made = MeasurementStore(folder=tmp_path / "store")
    for name, seen in (("a", [0.5, -1.25]), ("b", None)):
        path = tmp_path / name
        path.write_bytes(b"x")
        made.write(Micrograph(subject=name, path=path), measurement(seen))
    return made


def test_embeddings_come_back_and_are_no_pictures(store: MeasurementStore) -> None:
    back = store.read("a")
    assert list(back.pictures) == ["thumbnail"]
    assert back.embeddings["cnn-1"].tolist() == [0.5, -1.25]
    assert back.answers == measurement(None).answers
    assert store.read("b").embeddings == {}
    assert store.read("a", pictured=False).embeddings["cnn-1"].tolist() == [0.5, -1.25]


def test_table_has_a_row_for_each(store: MeasurementStore) -> None:
    rows = table_of(store, ["b", "a"]).embeddings["cnn-1"]
    np.testing.assert_array_equal(rows, [[np.nan, np.nan], [0.5, -1.25]])


def test_another_network_measures_anew(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    micrograph = Micrograph(subject="a", path=tmp_path / "a")
    assert store.state(micrograph) == "current"
    monkeypatch.setattr(measurement_store, "embedding_name", lambda: "cnn-another")
    measuring_code.cache_clear()
    assert store.state(micrograph) == "changed"
    monkeypatch.undo()
    measuring_code.cache_clear()
    assert store.state(micrograph) == "current"
