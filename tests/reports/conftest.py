"""What the tests of pages share: made-up data, a written page, a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cryoverdict.reports.micrograph_page import write_micrograph_page

if TYPE_CHECKING:
    from tests.reports.chromium import Chromium
    from tests.reports.report_data import DataSet

MakeDataSet = Callable[..., "DataSet"]
ReadScript = Callable[[Path], Any]


@pytest.fixture(scope="session")
def report_data() -> Any:
    """Return the module that makes data sets up."""
    return import_module("report_data")


@pytest.fixture(scope="session")
def read_script() -> ReadScript:
    """Return the function that reads a data file of a page."""
    read: ReadScript = import_module("page_data").read_script
    return read


@pytest.fixture(scope="session")
def data_set(report_data: Any) -> DataSet:
    """Return 230 micrographs: three detail files, the last of them not full."""
    made: DataSet = report_data.make_data_set(230)
    return made


@pytest.fixture(scope="session")
def page(data_set: DataSet, report_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the written page of `data_set`, pictures for the first 20 micrographs."""
    some = report_data.make_pictures(20)
    return write_micrograph_page(
        tmp_path_factory.mktemp("page") / "report",
        **data_set.page(),
        pictures=lambda _: next(some, None),
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Return a running headless Chromium; skip where none is installed."""
    chromium = import_module("chromium")
    program = chromium.find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    with chromium.Chromium(program) as started:
        yield started
