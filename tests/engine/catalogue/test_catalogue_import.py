"""Importing: what is entered, that it is entered once, and that nothing kills it."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import PIL.Image
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray

from cryoverdict.engine.catalogue import schema
from cryoverdict.engine.catalogue.answers_text import read_answers
from cryoverdict.engine.catalogue.database import Catalogue, open_catalogue
from cryoverdict.engine.catalogue.entry import Entry
from cryoverdict.engine.catalogue.exporting import Choice, export_sets
from cryoverdict.engine.catalogue.import_plan import Sayings, plan_import
from cryoverdict.engine.catalogue.recording import write_embedding
from cryoverdict.engine.catalogue.survey import content_hash
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.measurement_store import Measurement, measuring_code
from cryoverdict.engine.training.labelled_set import read_labelled_set
from cryoverdict.features.feature import Absent
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import read_image

CLASSES = {
    "0Great": 2,
    "1Decent": 1,
    "2Contamination_Aggregate_Crack_Breaking_Drifting": 1,
    "3Empty_no_ice": 1,
    "4Crystalline_ice": 1,
    "5Empty_ice_no_particles_but_vitreous_ice": 1,
}


def rows(catalogue: Catalogue, table: sa.Table) -> list[dict[str, Any]]:
    """Return every row of a table, by its running number."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    with catalogue.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """Return the pixels ``(y, x)`` of a stored picture."""
    with PIL.Image.open(BytesIO(content), formats=("PNG", "JPEG")) as picture:
        return np.asarray(picture, np.uint8)


def everything(catalogue: Catalogue) -> dict[str, list[dict[str, Any]]]:
    """Return all that a catalogue holds."""
    return {name: rows(catalogue, table) for name, table in schema.METADATA.tables.items()}


def test_class_folders_become_labelled_micrographs(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    folder = stand_in.write_classes(tmp_path / "session", CLASSES)
    (folder / "notes").mkdir()
    plan = plan_import([str(folder)], Sayings(rater="ada", rated_on="2024-03-01", source="here"))
    assert plan.notes == [f"{folder}: not a class of micrographs, passed over: notes"]
    done = stand_in.enter(catalogue, *plan.entries)
    assert [d.state for d in done] == ["new"] * 7
    labels = {
        (row["said"], row["favourable"], row["grade"], row["defects"], row["doubtful"])
        for row in rows(catalogue, schema.LABELS)
    }
    assert labels == {
        ("0Great", True, "great", "", ""),
        ("1Decent", True, "decent", "", ""),
        (
            "2Contamination_Aggregate_Crack_Breaking_Drifting",
            False,
            None,
            "contamination",
            "broken_exposure drift film",
        ),
        ("3Empty_no_ice", False, None, "empty_no_ice", ""),
        ("4Crystalline_ice", False, None, "crystalline_ice", ""),
        ("5Empty_ice_no_particles_but_vitreous_ice", False, None, "empty_vitreous_ice", ""),
    }
    assert {(r["rater"], r["rated_on"]) for r in rows(catalogue, schema.LABELS)} == {
        ("ada", "2024-03-01")
    }
    assert [r["name"] for r in rows(catalogue, schema.DATA_SETS)] == ["session"]


def test_a_micrograph_is_entered_with_all_that_is_known(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    optics = Optics(pixel_size_a=1.5, voltage_kv=200.0)
    given = GivenCtf(defocus_u_a=1e4, defocus_v_a=9e3, defocus_angle_deg=1.0)
    micrograph = Micrograph(subject="a", path=path, optics=optics, given_ctf=given)
    entry = Entry(micrograph=micrograph, data_set="d", source="s", origin="simulated")
    stand_in.enter(catalogue, entry)
    pixels = read_image(path).pixels
    (row,) = rows(catalogue, schema.MICROGRAPHS)
    assert row == {
        "id": 1,
        "content_hash": content_hash(pixels),
        "data_set_id": 1,
        "name": "a.png",
        "source": "s",
        "origin": "simulated",
        "rows_px": 64,
        "columns_px": 80,
        "pixel_size_a": 1.5,
        "voltage_kv": 200.0,
        "cs_mm": None,
        "amplitude_contrast": None,
    }
    (measured,) = rows(catalogue, schema.MEASUREMENTS)
    assert measured["code"] == measuring_code()
    assert '"defocus_u_a": 10000.0' in measured["given"]
    assert read_answers(measured["answers"]) == {
        "mean_grey": float(pixels.mean()),
        "never_there": Absent("it never is"),
    }
    np.testing.assert_array_equal(pixels_of(measured["area"]), pixels[:8, :8] > 100)
    for name, expected in (("thumbnail", pixels[:8, :8]), ("spectrum", pixels[:8, :8].T)):
        difference = pixels_of(measured[name]).astype(float) - expected
        assert np.abs(difference).mean() < 12.0  # of 255, for pure noise


def test_the_same_image_in_another_file_is_the_same_micrograph(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(1).normal(size=(128, 64)).astype(np.float32)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(pixels)
    (tmp_path / "b.mrc.gz").write_bytes(gzip.compress((tmp_path / "a.mrc").read_bytes()))
    with mrcfile.new(tmp_path / "c.mrc") as file:
        file.set_data(pixels.reshape(64, 128))
    first = stand_in.bring(catalogue, tmp_path / "a.mrc", data_set="one")
    again = stand_in.bring(
        catalogue, tmp_path / "b.mrc.gz", data_set="two", how=stand_in.measure_never
    )
    other = stand_in.bring(catalogue, tmp_path / "c.mrc", data_set="two")
    assert [d.state for d in (*first, *again, *other)] == ["new", "same", "new"]
    assert [r["data_set_id"] for r in rows(catalogue, schema.MICROGRAPHS)] == [1, 2]
    assert len(rows(catalogue, schema.SIGHTINGS)) == 3


def test_the_same_import_twice_changes_nothing(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    folder = stand_in.write_classes(tmp_path / "session", CLASSES)
    stand_in.bring(catalogue, folder)
    before = everything(catalogue)
    done = stand_in.bring(catalogue, folder, how=stand_in.measure_never)
    assert [d.state for d in done] == ["same"] * 7
    assert everything(catalogue) == before


def test_a_label_that_was_changed_since_does_not_come_back(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    """The list says great; on a later day the rater rejects; the list is imported once more."""
    from cryoverdict.engine.catalogue.history import read_history

    folder = stand_in.write_classes(tmp_path / "session", {"great": 1})
    stand_in.bring(catalogue, folder, rater="ada")
    name = next((folder / "great").iterdir()).name
    (tmp_path / "later.csv").write_text(f"file,label\nsession/great/{name},drift\n")
    stand_in.bring(catalogue, tmp_path / "later.csv", rater="ada", rated_on="2024-02-02")
    done = stand_in.bring(catalogue, folder, rater="ada")
    assert [d.state for d in done] == ["same"]
    with catalogue.reading() as connection:
        history = read_history(connection)
    assert [(s.rating.said, s.present) for s in history] == [("great", False), ("drift", True)]


def test_optics_learnt_later_measure_anew_and_contradictions_are_refused(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    stand_in.bring(catalogue, path)
    (done,) = stand_in.bring(catalogue, path, optics=Optics(pixel_size_a=2.0))
    assert done.state == "measured"
    (done,) = stand_in.bring(
        catalogue, path, optics=Optics(pixel_size_a=2.01), how=stand_in.measure_never
    )
    assert done.state == "same"
    (done,) = stand_in.bring(catalogue, path, how=stand_in.measure_never)
    assert done.state == "same"
    (done,) = stand_in.bring(catalogue, path, optics=Optics(pixel_size_a=3.0))
    assert done.state == "error"
    assert "the catalogue has pixel_size_a 2 for this image, the import says 3" in done.error
    assert [r["pixel_size_a"] for r in rows(catalogue, schema.MICROGRAPHS)] == [2.0]


def test_a_ctf_that_a_list_tells_later_measures_anew(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    states = []
    for defocus in (None, 1e4, 1e4, 2e4, None):
        given = defocus and GivenCtf(
            defocus_u_a=defocus, defocus_v_a=defocus, defocus_angle_deg=0.0
        )
        micrograph = Micrograph(subject="a", path=path, given_ctf=given or None)
        (done,) = stand_in.enter(catalogue, Entry(micrograph=micrograph, data_set="d"))
        states.append(done.state)
    assert states == ["new", "measured", "same", "measured", "same"]


def test_another_version_of_the_measuring_code_measures_anew(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    stand_in.bring(catalogue, path)
    monkeypatch.setattr("cryoverdict.engine.catalogue.recording.measuring_code", lambda: "f" * 64)
    (done,) = stand_in.bring(catalogue, path)
    assert done.state == "measured"
    codes = [r["code"] for r in rows(catalogue, schema.MEASUREMENTS)]
    assert codes == [measuring_code(), "f" * 64]


def test_a_file_that_changed_is_another_micrograph(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    stand_in.bring(catalogue, path)
    stand_in.write_image(path, 2)
    os.utime(path, ns=(1, 1))
    (done,) = stand_in.bring(catalogue, path)
    assert done.state == "new"
    (sighting,) = rows(catalogue, schema.SIGHTINGS)
    assert sighting["micrograph_id"] == 2


def test_an_unreadable_file_is_an_answer_and_the_rest_goes_on(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    folder = stand_in.write_classes(tmp_path / "session", {"great": 2})
    (folder / "great" / "broken.png").write_bytes(b"no picture")
    done = stand_in.bring(catalogue, folder)
    assert sorted(d.state for d in done) == ["error", "new", "new"]
    (error,) = [d.error for d in done if d.error]
    assert error.startswith(str(folder / "great" / "broken.png"))
    assert len(error.splitlines()) == 1


def test_star_lists_of_a_selection(catalogue: Catalogue, stand_in: Any, tmp_path: Path) -> None:
    for i in range(3):
        stand_in.write_image(tmp_path / f"m{i}.png", i)

    def star(name: str, *numbers: int) -> str:
        lines = "".join(f"m{i}.png {15000 + i} 14000 10\n" for i in numbers)
        labels = ("MicrographName", "DefocusU", "DefocusV", "DefocusAngle")
        head = "".join(f"_rln{x} #{i}\n" for i, x in enumerate(labels, start=1))
        (tmp_path / name).write_text(f"data_\n\nloop_\n{head}{lines}")
        return str(tmp_path / name)

    kept, rejected = star("kept.star", 0, 1), star("rejected.star", 2)
    plan = plan_import([], Sayings(data_set="sel"), kept=[kept], rejected=[rejected])
    stand_in.enter(catalogue, *plan.entries)
    found = [(r["favourable"], len(r["doubtful"].split())) for r in rows(catalogue, schema.LABELS)]
    assert found == [(True, 0), (True, 0), (False, 10)]
    givens = [r["given"] for r in rows(catalogue, schema.MEASUREMENTS)]
    assert ['"defocus_u_a": 15000.0' in g for g in givens] == [True, False, False]
    with pytest.raises(EngineError, match="is in a kept and in a rejected list"):
        plan_import([], Sayings(), kept=[kept], rejected=[star("both.star", 1)])


def test_a_label_list_finds_its_images_by_path_by_name_and_by_stem(
    stand_in: Any, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    for i, name in enumerate(("a.png", "b.png", "sub/c.png", "x/d.png", "y/d.png")):
        stand_in.write_image(images / name, i)
    (tmp_path / "labels.csv").write_text(
        "file,label\nimages/a.png,great\nelsewhere/b.png,drift\nraw/c.mrc,film\nd.mrc,film\n"
        "e.mrc,film\n"
    )
    plan = plan_import([str(tmp_path / "labels.csv")], Sayings(images=images))
    found = [str(e.micrograph.path.relative_to(images)) for e in plan.entries]
    assert found == ["a.png", "b.png", "sub/c.png"]
    assert plan.unreadable["d.mrc"].startswith("d.mrc: 2 images in ")
    assert "say where the images are with --images" in plan.unreadable["e.mrc"]


def test_decisions_of_a_run_are_kept_with_their_micrographs(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryoverdict.engine.decision import Decision, write_decisions
    from cryoverdict.engine.explanation import Explanation

    monkeypatch.chdir(tmp_path)
    stand_in.write_image(tmp_path / "a.png", 1)
    decisions = [
        Decision(
            kind="reject-micrographs",
            subject=subject,
            outcome="keep",
            explanation=Explanation(prior_log_odds=1.0, evidence=(), gates=(), could_not_say=()),
            digests={"rules": "r"},
            version="1",
        )
        for subject in ("a.png", "b.png")
    ]
    write_decisions(tmp_path / "decisions.jsonl", decisions)
    for expected in ("new", "same"):
        plan = plan_import(
            [str(tmp_path / "a.png")], Sayings(), decisions=[Path("decisions.jsonl")]
        )
        assert plan.notes == [
            "decisions.jsonl: 1 decisions are about other micrographs, such as b.png"
        ]
        assert [d.state for d in stand_in.enter(catalogue, *plan.entries)] == [expected]
    (row,) = rows(catalogue, schema.DECISIONS)
    assert (row["outcome"], round(row["favourable_probability"], 4)) == ("keep", 0.7311)
    assert row["record"] + "\n" == (tmp_path / "decisions.jsonl").read_text().splitlines(True)[0]


def test_an_embedding_is_kept_by_its_model(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    path = stand_in.write_image(tmp_path / "a.png", 1)
    stand_in.bring(catalogue, path)
    key = content_hash(read_image(path).pixels)
    write_embedding(catalogue, key, model="m", vector=[9.0])
    write_embedding(catalogue, key, model="m", vector=[0.5, -1.25])
    (row,) = rows(catalogue, schema.EMBEDDINGS)
    assert np.frombuffer(row["vector"], "<f4").tolist() == [0.5, -1.25]
    with pytest.raises(EngineError, match="has no micrograph 0000"):
        write_embedding(catalogue, "0" * 64, model="m", vector=[1.0])


def test_embeddings_come_with_the_measurement_and_go_with_the_export(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path
) -> None:
    """A picture without an embedding gets an empty row in the exported table."""

    def measure(micrograph: Micrograph) -> Measurement:
        seen = {"cnn-1": np.array([0.5, -1.25], np.float32)}
        found: Measurement = stand_in.measure(micrograph)
        return replace(found, embeddings=seen if micrograph.path.stem == "mic_001" else {})

    folder = stand_in.write_classes(tmp_path / "classes", {"Great": 2})
    stand_in.bring(catalogue, folder, how=measure)
    chosen = export_sets(catalogue, tmp_path / "out", Choice(), stand_in.FEATURES)
    table = read_labelled_set(next(iter(chosen.folders.values()))).table
    expected = [[0.5, -1.25], [np.nan, np.nan]]
    np.testing.assert_array_equal(table.embeddings["cnn-1"], expected)


def start(place: str, folder: Path, *, threads: int = 1, seconds: float = 0.05) -> Any:
    """Start a process that imports a folder slowly."""
    return subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("stand_in.py")),
            place,
            str(folder),
            str(threads),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "STAND_IN_SECONDS": str(seconds)},
        start_new_session=True,
    )


def test_two_processes_import_the_same_images_at_once(
    place: str, stand_in: Any, tmp_path: Path
) -> None:
    folder = stand_in.write_classes(tmp_path / "session", {"great": 8, "drift": 8})
    both = [start(place, folder, threads=n, seconds=0.02) for n in (1, 2)]
    told = [process.communicate(timeout=120) for process in both]
    assert [err for _, err in told] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    assert all("error" not in out for out, _ in told)
    catalogue = open_catalogue(place)
    names = sorted(r["name"] for r in rows(catalogue, schema.MICROGRAPHS))
    assert names == [f"mic_{i:03d}.png" for i in range(1, 17)]
    for table in (schema.LABELS, schema.MEASUREMENTS, schema.SIGHTINGS):
        owners = [r["micrograph_id"] for r in rows(catalogue, table)]
        assert len(owners) == len(set(owners)) == 16
    assert [r["name"] for r in rows(catalogue, schema.DATA_SETS)] == ["session"]


def test_a_killed_import_loses_nothing_and_goes_on(
    place: str, stand_in: Any, tmp_path: Path
) -> None:
    folder = stand_in.write_classes(tmp_path / "session", {"great": 30})
    process = start(place, folder, seconds=0.2)
    told = [process.stdout.readline() for _ in range(5)]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert told == ["new \n"] * 5
    catalogue = open_catalogue(place)
    _wait_for_peace(catalogue)
    before = rows(catalogue, schema.MICROGRAPHS)
    assert 5 <= len(before) < 30
    assert len(rows(catalogue, schema.LABELS)) == len(before)
    if catalogue.engine.dialect.name == "sqlite":
        with catalogue.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    done = stand_in.bring(catalogue, folder, rater="a")
    states = [d.state for d in done]
    assert (states.count("same"), states.count("new")) == (len(before), 30 - len(before))
    assert rows(catalogue, schema.MICROGRAPHS)[: len(before)] == before


def _wait_for_peace(catalogue: Catalogue) -> None:
    """Wait until a server has noticed that a client was killed."""
    for _ in range(50):
        with catalogue.writing() as connection:
            count = connection.execute(sa.select(sa.func.count(schema.MICROGRAPHS.c.id))).scalar()
        time.sleep(0.02)
        with catalogue.reading() as connection:
            if (
                connection.execute(sa.select(sa.func.count(schema.MICROGRAPHS.c.id))).scalar()
                == count
            ):
                return
