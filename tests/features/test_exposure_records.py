"""STAR lists made of cryoSPARC exposures find the records again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.exposure_records import with_exposures, write_exposures_of
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph_list import MicrographList, read_micrograph_list
from cryoverdict.features.optics import Optics
from cryoverdict.features.write_micrographs import write_exposures_cs, write_micrograph_star

UIDS = (2**63 + 7, 12, 99)


def exposures(*fields: str) -> NDArray[Any]:
    """Return three records with some fields beside the path."""
    kinds = {"uid": "<u8", "micrograph_blob/psize_A": "<f4", "own": "<i4"}
    array = np.zeros(3, dtype=[("micrograph_blob/path", "S20"), *((f, kinds[f]) for f in fields)])
    array["micrograph_blob/path"] = [b"J1/a.mrc", b"J1/b.mrc", b"J1/c.mrc"]
    if "uid" in fields:
        array["uid"] = UIDS
    if "own" in fields:
        array["own"] = [1, 2, 3]
    return array


def save(path: Path, array: NDArray[Any]) -> Path:
    """Write records as cryoSPARC does."""
    with path.open("wb") as file:
        np.save(file, array)
    return path


def listed(path: Path) -> MicrographList:
    """Return the list that a file is."""
    return read_micrograph_list([path], Optics())


@pytest.fixture
def star(tmp_path: Path) -> Path:
    """Return a STAR list of the last and the first of three exposures, in another order."""
    found = listed(save(tmp_path / "e.cs", exposures("uid", "own")))
    lines = []
    for name in ("J1/c.mrc", "J1/a.mrc"):
        write_micrograph_star(tmp_path / "one.star", found, [name], {})
        text = (tmp_path / "one.star").read_text()
        lines.append(next(line for line in text.splitlines() if line.startswith(name)))
    body = text.replace(lines[1], "\n".join(lines))
    (tmp_path / "two.star").write_text(body)
    return tmp_path / "two.star"


def test_rows_find_their_records_by_uid(star: Path, tmp_path: Path) -> None:
    found = with_exposures(listed(star), [tmp_path / "e.cs"])
    write_exposures_cs(tmp_path / "good.cs", found, ["J1/c.mrc", "J1/a.mrc"])
    records = np.load(tmp_path / "good.cs", allow_pickle=False)
    np.testing.assert_array_equal(records, exposures("uid", "own")[[2, 0]])


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (exposures("uid")[:2], "has no exposure with the uid 99"),
        (exposures("own"), "its exposures have no uid"),
    ],
)
def test_files_that_are_not_those_of_the_list_are_refused(
    star: Path, tmp_path: Path, array: NDArray[Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        with_exposures(listed(star), [save(tmp_path / "other.cs", array)])


def test_a_list_of_something_else_and_unlike_files_are_refused(star: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"")
    with pytest.raises(InputError, match="has no cryosparcUid"):
        with_exposures(listed(tmp_path / "a.mrc"), [tmp_path / "e.cs"])
    other = save(tmp_path / "other.cs", exposures("uid"))
    with pytest.raises(InputError, match="different fields"):
        with_exposures(listed(star), [tmp_path / "e.cs", other])


def test_a_list_is_written_whole_where_its_records_can_be_found_again(
    star: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.cs"
    assert not write_exposures_of(out, listed(star))
    assert not write_exposures_of(out, listed(save(tmp_path / "no.cs", exposures("own"))))
    assert not out.exists()
    assert write_exposures_of(out, listed(tmp_path / "e.cs"))
    assert out.read_bytes() == (tmp_path / "e.cs").read_bytes()
