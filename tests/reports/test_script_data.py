"""Data files that a page loads as scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.script_data import encode_script, finite, write_script

if TYPE_CHECKING:
    from tests.reports.conftest import ReadScript

VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False, width=64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(VALUES.filter(lambda v: "inf" not in repr(v)))
def test_what_is_written_is_read(read_script: ReadScript, value: object) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        assert read_script(write_script(Path(folder), "rows", value)) == value


def test_no_text_can_leave_its_script() -> None:
    hostile = "</script><!--<script>\u2028\u2029 ' \" \\ & ]]>"
    text = encode_script("rows", {hostile: [hostile]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    assert text.count("\n") == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_has_no_word_for_is_refused(value: object) -> None:
    with pytest.raises(ReportError, match=r"page data rows: .*accepted is JSON"):
        encode_script("rows", [value])


def test_unknown_numbers_are_null_and_digits_are_significant() -> None:
    assert finite([1.23456, float("nan"), float("inf")], digits=3) == [1.23, None, None]
    assert finite([0.1 + 0.2]) == [0.1 + 0.2]
