"""Labels as people hand them over: words, tables, and pickles that are never unpickled."""

from __future__ import annotations

import collections
import os
import pickle
import struct
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoverdict.engine.catalogue.label_list import read_label_list
from cryoverdict.engine.catalogue.plain_pickle import read_plain_pickle
from cryoverdict.engine.catalogue.vocabulary import DEFECTS, label_of, miffi_label, read_words
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.training.labelled_set import Label
from cryoverdict.features.optics import Optics

ALL = frozenset(DEFECTS)


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("great", Label(favourable=True, grade="great")),
        ("1Decent", Label(favourable=True, grade="decent")),
        ("Keep", Label(favourable=True)),
        ("reject", Label(favourable=False, doubtful=ALL)),
        ("drift;thick_ice", Label(favourable=False, defects=frozenset({"drift", "thick_ice"}))),
        ("Thick ice", Label(favourable=False, defects=frozenset({"thick_ice"}))),
        ("bad contamination", Label(favourable=False, defects=frozenset({"contamination"}))),
        ("great film", Label(favourable=True, grade="great", defects=frozenset({"film"}))),
        ("3Empty_no_ice", Label(favourable=False, defects=frozenset({"empty_no_ice"}))),
    ],
)
def test_words_mean_labels(words: str, label: Label) -> None:
    assert label_of(read_words(words)) == label


@pytest.mark.parametrize("words", ["", "nice", "great; nicer"])
def test_unknown_words_are_refused(words: str) -> None:
    with pytest.raises(EngineError, match="accepted are keep, reject"):
        label_of(read_words(words))


@pytest.mark.parametrize(
    ("choices", "label"),
    [
        (
            ["no_film", "no_crack_drift", "not_crystalline", "minor_contamination"],
            Label(favourable=True),
        ),
        (
            ["minor_film", "no_crack_drift", "not_crystalline", "minor_contamination"],
            Label(favourable=True, doubtful=frozenset({"film"})),
        ),
        (
            ["film", "no_crack_drift", "minor_crystalline", "minor_contamination"],
            Label(favourable=False, defects=frozenset({"film", "crystalline_ice"})),
        ),
        (
            ("major_film", "crack_drift_empty", "not_crystalline", "major_contamination"),
            Label(
                favourable=False,
                defects=frozenset({"film", "contamination"}),
                doubtful=frozenset({"drift", "empty_no_ice", "empty_vitreous_ice"}),
            ),
        ),
        ([2, 0, 2, 0], Label(favourable=False, defects=frozenset({"film", "crystalline_ice"}))),
    ],
)
def test_miffi_choices_mean_labels(choices: Any, label: Label) -> None:
    assert miffi_label(choices) == label


@pytest.mark.parametrize(
    "choices", [None, [0, 0, 0], [0, 0, 0, 2], [True, 0, 0, 0], "abcd", ["x"] * 4]
)
def test_other_choices_are_refused(choices: Any) -> None:
    with pytest.raises(EngineError, match="accepted are"):
        miffi_label(choices)


def test_the_table_of_the_real_examples_is_understood(shared_data: Path) -> None:
    lines = read_label_list(
        shared_data / "micrographs" / "quality" / "labels.csv", rater="x", rated_on=None
    )
    ratings = [line.rating for line in lines if line.rating is not None]
    assert len(ratings) == len(lines) == 24
    assert sum(r.label.favourable for r in ratings) == 13
    assert sorted({line.optics.pixel_size_a or 0.0 for line in lines}) == [0.0, 7.84]


def test_every_column_of_a_table_counts(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "\ufeffFile, Label ,verdict,grade,defects,doubtful,weight,rater,date,data_set,source,"
        "voltage_kv\n"
        "a.mrc,,good,decent,contamination,thick_ice,0.5,bo,2024-02-29,d1,EMPIAR,200\n"
        "b.mrc,drift,,,,,,,,,,\n"
        "c.mrc,,,,,,,,,,,\n"
    )
    one, two, three = read_label_list(tmp_path / "l.csv", rater="ada", rated_on="2023-01-01")
    assert one.rating is not None
    assert one.rating.label == Label(
        favourable=True,
        grade="decent",
        defects=frozenset({"contamination"}),
        doubtful=frozenset({"thick_ice"}),
        weight=0.5,
    )
    assert (one.rating.rater, one.rating.rated_on) == ("bo", "2024-02-29")
    assert one.rating.place == "l.csv:2"
    assert (one.data_set, one.source, one.optics) == ("d1", "EMPIAR", Optics(voltage_kv=200.0))
    assert two.rating is not None
    assert (two.rating.rater, two.rating.rated_on) == ("ada", "2023-01-01")
    assert three.rating is None


def test_severities_of_a_simulated_set_are_defects_and_doubts(tmp_path: Path) -> None:
    (tmp_path / "truth_micrographs.csv").write_text(
        "name,verdict,grade,grey,defects,drift,thick_ice,film\n"
        "a.mrc,bad,,false,drift;thick_ice,0.900,0.300,0.000\n"
        "b.mrc,good,decent,true,film,0.000,0.000,0.450\n"
    )
    one, two = read_label_list(tmp_path / "truth_micrographs.csv", rater="s", rated_on=None)
    assert one.rating is not None
    assert two.rating is not None
    assert one.rating.label == Label(
        favourable=False, defects=frozenset({"drift"}), doubtful=frozenset({"thick_ice"})
    )
    assert two.rating.label == Label(
        favourable=True, grade="decent", doubtful=frozenset({"film"}), weight=0.3
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a,b\n1,2\n", "has the columns a, b; accepted is a table with file"),
        ("file,label\na.mrc,nice\n", "line 2: the label 'nice'"),
        (
            "file,label,date\na.mrc,great,31.5.2024\n",
            "column date of a.mrc: the date is '31.5.2024'",
        ),
        ("file,label,date\na.mrc,great,2023-02-29\n", "accepted is a day as 2024-05-31"),
        ("file,label,weight\na.mrc,great,2\n", "column weight: 2; accepted is above 0"),
        ("file,label,pixel_size_a\na.mrc,great,zero\n", "column pixel_size_a: 'zero'"),
        ("file,label,pixel_size_a\na.mrc,great,0\n", "pixel_size_a is 0; accepted is"),
        ("file,label\n,great\n", "line 2: the file name is empty"),
    ],
)
def test_faulty_tables_are_one_line_that_names_the_place(
    tmp_path: Path, content: str, fault: str
) -> None:
    path = tmp_path / "l.csv"
    path.write_text(content)
    with pytest.raises(EngineError) as error:
        read_label_list(path, rater="x", rated_on=None)
    assert str(error.value).startswith(f"{path}: ")
    assert fault in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_all_faulty_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("file,label\n" + "a.mrc,nice\n" * 9)
    with pytest.raises(EngineError, match=r"line 2: .*line 6: .*; and 4 more$"):
        read_label_list(tmp_path / "l.csv", rater="x", rated_on=None)


CHOICES = ["no_film", "no_crack_drift", "not_crystalline", "major_contamination"]
PLAIN: dict[str, Any] = {
    "words": {"a.mrc": CHOICES, "b.mrc": CHOICES},
    "numbers": {"a": [1, -2, 2**70, 1.5, True, None], "b": (), "c": {"d": {}}, "e": "ä\n€"},
    "long": {str(i): [i, float(i)] for i in range(3000)},
    "bytes": [b"\x00\xff", b"x"],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", PLAIN)
def test_plain_values_are_read_as_unpickling_would(
    tmp_path: Path, protocol: int, name: str
) -> None:
    path = tmp_path / "p.pkl"
    path.write_bytes(pickle.dumps(PLAIN[name], protocol))
    assert read_plain_pickle(path) == PLAIN[name]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numpy_and_paths_are_read_as_plain_values(tmp_path: Path, protocol: int) -> None:
    table = {
        PurePosixPath("m/a.mrc"): np.array([[1, 2, 3], [4, 5, 6]], np.int32),
        "b": [np.float32(0.5), np.int64(-7), np.bool_(True), np.str_("film")],
        "c": np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
        "d": np.array(CHOICES),
        "e": collections.OrderedDict([("x", np.uint8(3))]),
    }
    path = tmp_path / "p.pkl"
    path.write_bytes(pickle.dumps(table, protocol))
    assert read_plain_pickle(path) == {
        "m/a.mrc": [[1, 2, 3], [4, 5, 6]],
        "b": [0.5, -7, True, "film"],
        "c": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
        "d": CHOICES,
        "e": {"x": 3},
    }


class Evil:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: str) -> None:
        """Keep where the trace goes."""
        self.trace = trace

    def __reduce__(self) -> Any:
        """Ask the one who unpickles to run a program."""
        return (os.system, (f"touch {self.trace}",))


class EvilState(dict):  # type: ignore[type-arg]
    """A dictionary of a class of its own."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_is_refused_and_calls_nothing(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    for content in (
        {"a.mrc": Evil(str(trace))},
        [Evil(str(trace))],
        {"a.mrc": (CHOICES, Evil(str(trace)))},
        EvilState({"a.mrc": CHOICES}),
        {"a.mrc": np.array([Evil(str(trace))], dtype=object)},
        {"a.mrc": {1, 2}},
        print,
    ):
        path = tmp_path / "p.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(EngineError, match=r"never followed|not a pickle of plain") as error:
            read_plain_pickle(path)
        assert len(str(error.value).splitlines()) == 1
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        pickle.dumps(CHOICES)[:-1],
        b"\x80\x04.",
        b"\x80\x04]]\x94.",
        b"(.",
        b"\x80\x04}]K\x01s.",
        b"\x80\x02cnumpy\nndarray\n.",
        b"\x80\x02cnumpy\ndtype\n\x85.",
        b"\x80\x02cnumpy\ndtype\n(X\x04\x00\x00\x00evilK\x00K\x01tR.",
        b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
        b"\x80\x02ios\nsystem\n.",
        b"\x80\x02P1\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"I" + b"9" * 9000 + b"\n.",
        b"\x80\x04})" + b"\x85" * 200_000 + b"K\x01s.",
    ],
)
def test_damaged_and_hand_made_pickles_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.pkl"
    path.write_bytes(content)
    with pytest.raises(EngineError) as error:
        read_plain_pickle(path)
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value).splitlines()) == 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_no_bytes_lead_the_reader_astray(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.pkl"
    good = pickle.dumps({"a.mrc": CHOICES, "b": np.arange(3)}, 4)
    path.write_bytes(good[:place] + noise + good[place + len(noise) :])
    with suppress(EngineError):
        read_plain_pickle(path)


def test_a_miffi_pickle_is_a_label_list(tmp_path: Path) -> None:
    path = tmp_path / "empiar_label_dict.pkl"
    path.write_bytes(pickle.dumps({"a.mrc": CHOICES, PurePosixPath("b.mrc"): [0, 0, 0, 0]}))
    one, two = read_label_list(path, rater="miffi", rated_on="2023-01-01")
    assert one.rating is not None
    assert two.rating is not None
    assert (one.file, one.rating.label.defects) == ("a.mrc", frozenset({"contamination"}))
    assert one.rating.said == " ".join(CHOICES)
    assert (two.file, two.rating.label) == ("b.mrc", Label(favourable=True))
    path.write_bytes(pickle.dumps({"a.mrc": ["film"], 7: CHOICES}))
    with pytest.raises(EngineError, match=r"entry 1: a.mrc: 1 values; .*entry 2: a file is named"):
        read_label_list(path, rater="x", rated_on=None)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(EngineError, match="holds a list; accepted is MIFFI's dictionary"):
        read_label_list(path, rater="x", rated_on=None)
