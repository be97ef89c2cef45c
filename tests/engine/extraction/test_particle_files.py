"""Lists of particles written a row at a time, as the whole table would be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoverdict.engine.extraction.particle_files import ParticleStarWriter, line_of
from cryoverdict.features.star import StarTable, quote, read_star, write_star

VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["data_x", "_a", "#1", "o'neil", ";", "a b", "", "1.5", "loop_", "ä", "\t", "x "]
    ),
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_the_fast_way_writes_what_the_slow_one_does(row: list[str]) -> None:
    assert line_of(row) == " ".join(map(quote, row))


def test_the_file_is_that_of_a_whole_table(tmp_path: Path) -> None:
    optics = StarTable(columns=("rlnOpticsGroup",), rows=(("1",),))
    rows = (("1.0", "a b.mrc"), ("2.0", "c.mrc"))
    table = StarTable(columns=("rlnCoordinateX", "rlnMicrographName"), rows=rows)
    with ParticleStarWriter(tmp_path / "a.star", optics, table.columns) as star:
        star.write(rows[:1])
        star.write(rows[1:])
    write_star(tmp_path / "b.star", {"optics": optics, "particles": table})
    assert read_star(tmp_path / "a.star") == read_star(tmp_path / "b.star")
    assert (tmp_path / "a.star").read_text().strip() == (tmp_path / "b.star").read_text().strip()


def test_a_list_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    optics = StarTable(columns=("rlnOpticsGroup",), rows=(("1",),))

    def fail() -> None:
        with ParticleStarWriter(tmp_path / "a.star", optics, ["x"]) as star:
            star.write([("1",)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
