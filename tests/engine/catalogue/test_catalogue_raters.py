"""Several raters: history, agreement, consensus, export, and merging catalogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from cryoverdict.engine.catalogue import schema
from cryoverdict.engine.catalogue.agreement import cohen_kappa, fleiss_kappa, pairwise_kappas
from cryoverdict.engine.catalogue.consensus import consensus
from cryoverdict.engine.catalogue.database import Catalogue, open_catalogue
from cryoverdict.engine.catalogue.exporting import Choice, export_sets
from cryoverdict.engine.catalogue.history import read_history
from cryoverdict.engine.catalogue.label_list import read_label_list
from cryoverdict.engine.catalogue.labelling import attach_labels, begin_labelling
from cryoverdict.engine.catalogue.merging import merge, other_catalogue
from cryoverdict.engine.catalogue.recording import write_embedding
from cryoverdict.engine.catalogue.statistics import statistics
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.training.labelled_set import Label, read_labelled_set
from cryoverdict.features.optics import Optics

GREAT, DECENT = Label(favourable=True, grade="great"), Label(favourable=True, grade="decent")
DRIFT = Label(favourable=False, defects=frozenset({"drift"}))
BARE = Label(favourable=False, doubtful=frozenset({"drift", "film"}))


def test_kappas_are_those_of_other_programs() -> None:
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import aggregate_raters
    from statsmodels.stats.inter_rater import fleiss_kappa as reference

    ratings = np.random.default_rng(3).integers(0, 3, (40, 4))
    ratings[:, 1] = np.where(np.arange(40) % 3, ratings[:, 0], ratings[:, 1])
    assert cohen_kappa(list(ratings[:, 0]), list(ratings[:, 1])) == pytest.approx(
        cohen_kappa_score(ratings[:, 0], ratings[:, 1])
    )
    assert fleiss_kappa([list(r) for r in ratings]) == pytest.approx(
        reference(aggregate_raters(ratings)[0])
    )


def test_kappas_that_are_not_defined_are_none() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa("aaa", "aaa") is None
    assert cohen_kappa("aaa", "aab") == 0.0
    assert fleiss_kappa([["a"], ["b"]]) is None
    assert fleiss_kappa(["aa", "aaa"]) is None


def test_pairs_count_what_both_judged() -> None:
    said = [{"a": 1, "b": 1}, {"a": 0, "b": 0, "c": 0}, {"b": 1}, {"a": 1, "b": 0}]
    found = pairwise_kappas(said)
    assert found["a", "b"][0] == 3
    assert found["a", "b"][1] == pytest.approx(0.4)
    assert found["a", "c"] == (1, None)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([GREAT], GREAT),
        ([GREAT, DRIFT], None),
        (
            [GREAT, GREAT, DRIFT],
            Label(favourable=True, grade="great", doubtful=frozenset({"drift"}), weight=2 / 3),
        ),
        ([GREAT, DECENT], Label(favourable=True, grade=None)),
        (
            [DRIFT, BARE],
            Label(favourable=False, defects=frozenset({"drift"}), doubtful=frozenset({"film"})),
        ),
        (
            [DRIFT, DRIFT, GREAT],
            Label(favourable=False, defects=frozenset({"drift"}), weight=2 / 3),
        ),
    ],
)
def test_consensus_is_the_majority(labels: list[Label], expected: Label | None) -> None:
    assert consensus(labels) == expected


def csv_of(folder: Path, name: str, **labels: str) -> Path:
    """Write a label list."""
    lines = [f"{file}.png,{label}" for file, label in labels.items()]
    (folder / name).write_text("\n".join(["file,label", *lines]) + "\n")
    return folder / name


@pytest.fixture
def images(stand_in: Any, tmp_path: Path) -> Path:
    """Return a folder of four images."""
    for i, name in enumerate("abcd", start=1):
        stand_in.write_image(tmp_path / "set" / f"{name}.png", i)
    return tmp_path / "set"


def tell(catalogue: Catalogue, list_path: Path, rater: str, day: str | None = None) -> Any:
    """Attach a label list to what is in a catalogue."""
    lines = read_label_list(list_path, rater=rater, rated_on=day)
    return attach_labels(catalogue, lines, data_set=None)


def test_what_a_rater_says_today(catalogue: Catalogue, stand_in: Any, images: Path) -> None:
    """The latest day counts, an undated label is older than a dated one, then the order."""
    stand_in.bring(catalogue, images)
    tell(catalogue, csv_of(images, "1.csv", a="great"), "ada", "2024-05-02")
    tell(catalogue, csv_of(images, "2.csv", a="drift"), "ada", "2024-05-01")
    tell(catalogue, csv_of(images, "3.csv", a="film"), "ada")
    tell(catalogue, csv_of(images, "4.csv", b="great"), "ada")
    tell(catalogue, csv_of(images, "5.csv", b="film"), "ada")
    with catalogue.reading() as connection:
        history = read_history(connection)
    assert [(s.rating.said, s.present) for s in history] == [
        ("great", True),
        ("drift", False),
        ("film", False),
        ("great", False),
        ("film", True),
    ]


def test_labels_from_a_list_are_added_once(
    catalogue: Catalogue, stand_in: Any, images: Path, tmp_path: Path
) -> None:
    stand_in.bring(catalogue, images)
    stand_in.bring(catalogue, stand_in.write_image(tmp_path / "other" / "a.png", 9))
    labels = csv_of(images, "l.csv", a="great", b="drift", z="film")
    done = tell(catalogue, labels, "ada")
    assert (done.added, done.known) == (1, 0)
    assert done.lost == ("a.png: 2 have this name", "z.png: not in the catalogue")
    assert (tell(catalogue, labels, "ada").added, tell(catalogue, labels, "bo").added) == (0, 1)
    lines = read_label_list(labels, rater="ada", rated_on=None)
    assert attach_labels(catalogue, lines, data_set="set").added == 1


def test_statistics_count_and_tell_agreement(
    catalogue: Catalogue, stand_in: Any, images: Path
) -> None:
    stand_in.bring(catalogue, images)
    tell(catalogue, csv_of(images, "1.csv", a="great", b="drift", c="drift"), "ada")
    tell(catalogue, csv_of(images, "2.csv", a="decent", b="drift", c="great"), "bo")
    facts = statistics(catalogue)
    assert facts["micrographs"] == facts["observed"] == facts["measured_today"] == 4
    assert facts["verdicts"] == {"keep": 1, "reject": 1, "undecided": 1, "unlabelled": 1}
    assert facts["defects"] == {"drift": 1}
    assert facts["data_sets"] == {"set": {"keep": 1, "reject": 1, "undecided": 1, "unlabelled": 1}}
    assert facts["raters"] == {"ada": 3, "bo": 3}
    assert facts["labels_ever_given"] == 6
    assert facts["kappa"]["verdict"] == {
        "micrographs": 3,
        "fleiss": 0.3333,
        "pairs": {"ada and bo": {"micrographs": 3, "cohen": 0.4}},
    }
    assert sorted(facts["kappa"]) == ["drift", "verdict"]


def test_export_is_what_training_reads(
    catalogue: Catalogue, stand_in: Any, images: Path, tmp_path: Path
) -> None:
    stand_in.bring(catalogue, images)
    stand_in.bring(
        catalogue, stand_in.write_image(tmp_path / "sim one" / "s.png", 7), origin="simulated"
    )
    tell(catalogue, csv_of(images, "1.csv", a="great", b="drift", c="drift", s="film"), "ada")
    tell(catalogue, csv_of(images, "2.csv", a="great", b="film", c="great"), "bo")
    done = export_sets(catalogue, tmp_path / "out", Choice(), stand_in.FEATURES)
    assert {k: v.name for k, v in done.folders.items()} == {
        "set": "set",
        "sim one": "simulated_sim_one",
    }
    assert dict(done.left_out) == {"raters are even": 1, "no label": 1}
    assert (done.kept, done.rejected) == (1, 2)
    labelled = read_labelled_set(tmp_path / "out" / "set")
    assert labelled.name == "set"
    assert dict(labelled.labels) == {
        "set/a.png": GREAT,
        "set/b.png": Label(favourable=False, doubtful=frozenset({"drift", "film"})),
    }
    assert labelled.table.features == ("mean_grey", "never_there")
    from cryoverdict.features.read_image import read_image

    assert labelled.table.row("set/b.png") == {
        "mean_grey": float(read_image(images / "b.png").pixels.mean())
    }
    assert labelled.table.absent["set/a.png", "never_there"] == "it never is"
    assert read_labelled_set(tmp_path / "out" / "simulated_sim_one").name == "simulated_sim one"
    again = export_sets(catalogue, tmp_path / "again", Choice(), stand_in.FEATURES)
    for name in ("features.parquet", "labels.csv"):
        one, two = done.folders["set"] / name, again.folders["set"] / name
        assert one.read_bytes() == two.read_bytes()


def test_export_of_some(catalogue: Catalogue, stand_in: Any, images: Path, tmp_path: Path) -> None:
    stand_in.bring(catalogue, images)
    tell(catalogue, csv_of(images, "1.csv", a="great"), "ada")
    tell(catalogue, csv_of(images, "2.csv", a="film"), "bo")
    choice = Choice(data_sets=("set",), origin="observed", raters=("bo",))
    done = export_sets(catalogue, tmp_path / "out", choice, stand_in.FEATURES)
    assert read_labelled_set(done.folders["set"]).labels["set/a.png"].defects == {"film"}
    for choice, fault in (
        (Choice(data_sets=("nothing",)), "no data set 'nothing'; the catalogue has set"),
        (Choice(origin="simulated"), "no labelled micrograph to export"),
        (Choice(raters=("eve",)), "no label: 4"),
    ):
        with pytest.raises(EngineError, match=fault):
            export_sets(catalogue, tmp_path / "none", choice, stand_in.FEATURES)


def test_older_measurements_are_exported_only_if_asked_for(
    catalogue: Catalogue,
    stand_in: Any,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cryoverdict.engine.catalogue.recording.measuring_code", lambda: "0" * 64)
    stand_in.bring(catalogue, images)
    tell(catalogue, csv_of(images, "1.csv", a="great"), "ada")
    with pytest.raises(EngineError, match="not measured by this version; import it again: 1"):
        export_sets(catalogue, tmp_path / "none", Choice(), stand_in.FEATURES)
    done = export_sets(catalogue, tmp_path / "out", Choice(older=True), stand_in.FEATURES)
    assert read_labelled_set(done.folders["set"]).table.subjects == ("set/a.png",)
    with pytest.raises(EngineError, match="import it again: 1"):
        export_sets(catalogue, tmp_path / "no", Choice(older=True), stand_in.FEATURES[:1])


def contents(catalogue: Catalogue) -> dict[str, Any]:
    """Return what a catalogue says, without the numbers of its rows."""
    found: dict[str, Any] = {}
    with catalogue.reading() as connection:
        named: dict[str, dict[int, str]] = {}
        for column, key, word in (
            ("micrograph_id", schema.MICROGRAPHS.c.id, schema.MICROGRAPHS.c.content_hash),
            ("data_set_id", schema.DATA_SETS.c.id, schema.DATA_SETS.c.name),
            ("label_id", schema.LABELS.c.id, schema.LABELS.c.key),
        ):
            pairs = connection.execute(sa.select(key, word)).all()
            named[column] = {row[0]: row[1] for row in pairs}
        for name, table in schema.METADATA.tables.items():
            rows = connection.execute(sa.select(table)).mappings()
            found[name] = sorted(
                repr(
                    sorted(
                        (k, named[k][v] if k in named else v) for k, v in row.items() if k != "id"
                    )
                )
                for row in rows
            )
    return found


def test_merging_joins_two_catalogues_once(
    new_place: Callable[[], str], stand_in: Any, images: Path, tmp_path: Path
) -> None:
    mine, theirs = open_catalogue(new_place()), open_catalogue(new_place())
    stand_in.bring(mine, images / "a.png", images / "b.png", data_set="mine")
    stand_in.bring(
        theirs,
        images / "b.png",
        images / "c.png",
        data_set="theirs",
        optics=Optics(pixel_size_a=2.0),
    )
    tell(mine, csv_of(images, "1.csv", a="great", b="great"), "ada", "2024-05-02")
    tell(theirs, csv_of(images, "2.csv", b="drift", c="film"), "ada", "2024-05-01")
    session = begin_labelling(theirs, rater="bo", rated_on="2024-06-01")
    session.judge(session.waiting[0], favourable=True, grade="great", defects=[])
    session.undo()
    with theirs.reading() as connection:
        key = connection.execute(sa.select(schema.MICROGRAPHS.c.content_hash)).scalars().first()
    write_embedding(theirs, str(key), model="m", vector=[1.0, 2.0])

    done = merge(mine, theirs)
    assert done.elsewhere == 1
    assert dict(done.added) == {
        "data_sets": 1,
        "micrographs": 1,
        "sightings": 1,
        "measurements": 1,
        "embeddings": 1,
        "labels": 3,
        "retractions": 1,
        "decisions": 0,
    }
    with mine.reading() as connection:
        history = read_history(connection)
        sizes = connection.execute(
            sa.select(schema.MICROGRAPHS.c.name, schema.MICROGRAPHS.c.pixel_size_a)
        ).all()
        joined = schema.MICROGRAPHS.join(schema.MEASUREMENTS)
        notes = connection.execute(
            sa.select(schema.MICROGRAPHS.c.name, schema.MEASUREMENTS.c.notes).select_from(joined)
        ).all()
    said = {(s.rating.rater, s.rating.said): (s.present, s.retracted) for s in history}
    assert said["ada", "great"] == (True, False)
    assert said["ada", "drift"] == (False, False)
    assert said["bo", "keep great"] == (False, True)
    assert sorted(sizes) == [("a.png", None), ("b.png", 2.0), ("c.png", 2.0)]

    assert sorted((name, "2.0" in note) for name, note in notes) == [
        ("a.png", False),
        ("b.png", True),
        ("c.png", True),
    ]

    before = contents(mine)
    assert sum(merge(mine, theirs).added.values()) == 0
    assert contents(mine) == before
    empty = open_catalogue(new_place())
    merge(empty, mine)
    assert contents(empty) == before


def test_a_catalogue_is_not_merged_with_itself_nor_with_nothing(place: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="this is the catalogue itself"):
        merge(open_catalogue(place), open_catalogue(place))
    with pytest.raises(EngineError, match=r"absent\.sqlite: not found; accepted is"):
        other_catalogue(str(tmp_path / "absent.sqlite"))
    assert not (tmp_path / "absent.sqlite").exists()
