"""Reading and writing STAR: every value comes back as it was, every fault has its line."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import (
    StarTable,
    format_star,
    parse_number,
    quote,
    read_star,
    split_line,
    table_of,
    write_star,
)

HEAD = "data_micrographs\n\nloop_ \n_rlnMicrographName #1 \n_rlnX #2 \n"
NAMES = st.text(
    alphabet=string.ascii_letters + string.digits + " #'_-+./>ä日\u3000\t;$[]", max_size=12
)


def read_text(tmp_path: Path, text: str | bytes) -> dict[str, StarTable]:
    """Return the blocks of a file with some text."""
    path = tmp_path / "a.star"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_star(path)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a.mrc  -0\tnan  4.180408e-04 ", ["a.mrc", "-0", "nan", "4.180408e-04"]),
        ('"a b.mrc" \'c d\' ""', ["a b.mrc", "c d", ""]),
        ("o'neil.mrc grid#2.mrc a\"b", ["o'neil.mrc", "grid#2.mrc", 'a"b']),
        ("a.mrc 1 # said later", ["a.mrc", "1"]),
        ("# version 30001", []),
        ("_rlnVoltage #5 ", ["_rlnVoltage"]),
        ("名\u3000前.mrc 0012", ["名\u3000前.mrc", "0012"]),
    ],
)
def test_a_line_is_split_as_relion_does(line: str, values: list[str]) -> None:
    assert split_line(line) == values


def test_blocks_loops_pairs_and_comments(tmp_path: Path) -> None:
    """Catches rows lost at blank lines or comments, and names taken for a block or a label."""
    blocks = read_text(
        tmp_path,
        "\ufeff# version 30001\r\n\r\ndata_general\r\n_rlnA 3\r\n_rlnB 'x y'\r\n\r\n"
        + HEAD
        + "data_1/a.mrc 1\n\n# more\nb.mrc 2 # here\n_c.mrc 3\n\ndata_\n\nloop_\n_rlnY #1\n\n",
    )
    assert blocks == {
        "general": StarTable(columns=("rlnA", "rlnB"), rows=(("3", "x y"),)),
        "micrographs": StarTable(
            columns=("rlnMicrographName", "rlnX"),
            rows=(("data_1/a.mrc", "1"), ("b.mrc", "2"), ("_c.mrc", "3")),
        ),
        "": StarTable(columns=("rlnY",), rows=()),
    }
    assert blocks["micrographs"].lines == (12, 15, 16)
    assert blocks["micrographs"].column("rlnX") == ("1", "2", "3")
    assert blocks["micrographs"].column("rlnZ") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no data_ block"),
        ("hello\n", "line 1: found 'hello' before any data_ block"),
        (HEAD + "a.mrc 1 2\n", "line 6: data_micrographs has 2 columns, this row 3 values"),
        (HEAD + "a.mrc 1\nb.mrc\n", "line 7: data_micrographs has 2 columns, this row 1 values"),
        (HEAD + "a.mrc 1\n" + HEAD, "line 7: the block data_micrographs stands twice"),
        ("data_x\nloop_\n_a\n_a\n", "line 4: the label _a stands twice in data_x"),
        ("data_x\nstray\n", "line 2: found 'stray'"),
        ("data_x\n_a\n", "line 2: accepted after _a is one value"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'a.star'}: {words}")


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(InputError, match=r"no/such\.star'?: cannot be read"):
        read_star(Path("no/such.star"))


def test_names_that_are_not_utf8_come_back_byte_for_byte(tmp_path: Path) -> None:
    latin = HEAD.encode() + "ä.mrc 1\n".encode("latin-1")
    blocks = read_text(tmp_path, latin)
    write_star(tmp_path / "b.star", blocks)
    assert b"\xe4.mrc 1\n" in (tmp_path / "b.star").read_bytes()
    assert read_star(tmp_path / "b.star") == blocks


@given(rows=st.lists(st.tuples(NAMES, NAMES), max_size=5))
def test_any_value_survives_writing_and_reading(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Tabs become underscores, which no row can be forged with; all else is unchanged."""
    path = tmp_path_factory.mktemp("star") / "a.star"
    table = StarTable(columns=("a", "b"), rows=tuple(rows))
    write_star(path, {"micrographs": table, "optics": table})
    kept = StarTable(
        columns=("a", "b"),
        rows=tuple((x.replace("\t", "_"), y.replace("\t", "_")) for x, y in rows),
    )
    assert read_star(path) == {"micrographs": kept, "optics": kept}


def test_no_value_can_forge_a_row() -> None:
    assert quote("a.mrc 1\nb.mrc 2") == '"a.mrc 1_b.mrc 2"'
    assert quote("a\x00\x1b\r.mrc") == "a___.mrc"
    assert quote("a \"b' c") == "'a \"b_ c'"


def test_the_text_is_relions_and_bears_no_date(tmp_path: Path) -> None:
    table = table_of([{"rlnMicrographName": "a.mrc", "rlnX": "1"}, {"rlnMicrographName": "b.mrc"}])
    write_star(tmp_path / "a.star", {"micrographs": table})
    assert (tmp_path / "a.star").read_text() == (
        "\n# version 30001\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnX #2\n"
        "a.mrc 1\nb.mrc nan\n\n"
    )
    assert format_star({"micrographs": table}) == (tmp_path / "a.star").read_text()
    assert not list(tmp_path.glob("*.part"))


def test_a_missing_cell_has_the_type_of_its_column() -> None:
    table = table_of([{"n": "1.5", "w": "film"}, {"x": "-0"}], ["w", "n"])
    assert table.columns == ("w", "n", "x")
    assert table.rows == (("film", "1.5", "nan"), ("none", "nan", "-0"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("-0", 0.0), ("1e3", 1000.0), ("nan", None), ("-nan", None), ("inf", None), ("None", None)],
)
def test_numbers(text: str, value: float | None) -> None:
    assert parse_number(text) == value
    assert str(parse_number("-0")) == "0.0"
    with pytest.raises(ValueError, match="film"):
        parse_number("film")


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "relion31_corrected_micrographs.star",
        "relion31_micrographs_ctf.star",
        "phase_plate_micrographs_ctf.star",
        "failed_fits_micrographs_ctf.star",
        "relion31_run_it025_model.star",
    ],
)
def test_real_files_read_as_with_starfile(shared_data: Path, name: str, tmp_path: Path) -> None:
    """The package of the field is the oracle for blocks, labels and values."""
    import starfile

    path = shared_data / "star" / name
    mine, theirs = read_star(path), starfile.read(path, always_dict=True)
    assert list(mine) == list(theirs)
    for block, table in mine.items():
        other = theirs[block]
        if isinstance(other, dict):
            columns = {label: [value] for label, value in other.items()}
        else:
            columns = {label: list(other[label]) for label in other.columns}
        assert table.columns == tuple(columns)
        for label, values in columns.items():
            for text, value in zip(table.column(label) or (), values, strict=True):
                assert (float(text) if isinstance(value, int | float) else text) == value
    write_star(tmp_path / name, mine)
    assert read_star(tmp_path / name) == mine
