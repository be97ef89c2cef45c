"""Whatever stands in a rule file, the loader answers with rules or with faults and places."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryoverdict.rules.rule_error import Fault, RuleError

if TYPE_CHECKING:
    from tests.rules.conftest import Shelf

WORDS = ("- ", "&a ", "*a", "!!x ", "\n", "  ", "0x1", "1e3", ".inf", "null", "yes", "é", "---\n")
PIECES = st.sampled_from([*"{}[]:'\"|>#~%@`\t\x00", *WORDS, "<<: ", "? "])


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_garbled_rule_is_read_or_refused_with_a_place(shelf: Shelf, data: st.DataObject) -> None:
    content = shelf.text(more="points_to: [bad_ctf]")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        cut = data.draw(st.integers(0, 4))
        content = content[:at] + data.draw(PIECES) + content[at + cut :]
    path = shelf.ship("a", "")
    path.write_text(content, encoding="utf-8")
    faults: tuple[Fault, ...] = ()
    told = ""
    try:
        rules = shelf.load()
    except RuleError as error:
        faults, told = error.faults, str(error)
    else:
        assert len(rules.rules) + len(rules.idle) <= 1
    assert len(told.splitlines()) == len(faults)
    for fault in faults:
        assert Path(fault.file) == path
        assert 0 <= fault.line <= content.count("\n") + 2


@pytest.mark.parametrize(
    "content",
    ["", "# a comment\n", "[]", "text", "a: 1\n---\nb: 2\n", "? [a]\n: b\n", "1: 2\n", "a: &x *x"],
)
def test_what_is_no_rule_is_refused(shelf: Shelf, content: str) -> None:
    shelf.ship("a", "").write_text(content)
    assert all(line.startswith("a.yaml") for line in shelf.faults())


@pytest.mark.parametrize("depth", [300, 200_000])
def test_deep_nesting_is_refused_and_breaks_nothing(shelf: Shelf, depth: int) -> None:
    shelf.ship("a", "a: " + "[" * depth + "]" * depth)
    assert shelf.faults()[0].startswith("a.yaml")


def test_an_endless_file_is_refused(shelf: Shelf) -> None:
    shelf.ship("a", "a: " + "x" * 1_000_001)
    assert "accepted is a file of at most 1000000" in shelf.faults()[0]


def test_a_bomb_of_aliases_does_not_go_off(shelf: Shelf) -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    shelf.ship("a", "\n".join(layers))
    assert all("an anchor is used again by an alias" in line for line in shelf.faults())
