"""A folder belongs to one step, and lists cannot make a step write outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import Ledger
from cryoverdict.engine.output_folder import place_inside, writing_into


def test_the_output_of_another_step_is_left_alone(tmp_path: Path) -> None:
    Ledger(step="extract", entries=()).write(tmp_path / "ledger.json")
    with writing_into(tmp_path, step="extract") as folder:
        assert folder == tmp_path
    with (
        pytest.raises(EngineError, match="holds the output of extract; give another --output"),
        writing_into(tmp_path, step="pick"),
    ):
        pytest.fail("another step may write")
    (tmp_path / "ledger.json").write_text("{}")  # nothing is known of it: as a folder without one
    with writing_into(tmp_path, step="pick"):
        pass


@pytest.mark.parametrize("name", ["../x.star", "a/../../x.star", "/etc/x.star", "", "a\0b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match="leads out of its folder") as caught:
        place_inside(tmp_path, name, named_by=tmp_path / "autopick.star")
    assert str(caught.value).startswith(f"{tmp_path / 'autopick.star'}: ")


def test_a_name_inside_is_followed(tmp_path: Path) -> None:
    found = place_inside(tmp_path, "coordinates/a..b.star", named_by=tmp_path / "autopick.star")
    assert found == tmp_path / "coordinates" / "a..b.star"
