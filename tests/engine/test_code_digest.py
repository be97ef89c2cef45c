"""A digest of source changes with the source, and with nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cryoverdict.engine.code_digest import code_digest


def package_of(folder: Path, name: str, text: str) -> str:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    (folder / name / "verb.py").write_text(text)
    (folder / name / "table.txt").write_text(str(folder))
    return name


def test_a_digest_changes_with_the_source_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place, text in (("a", "x = 1\n"), ("b", "x = 1\n"), ("c", "x = 2\n")):
        (tmp_path / place).mkdir()
        package_of(tmp_path / place, "digested", text)
        monkeypatch.setattr(sys, "path", [str(tmp_path / place), *sys.path])
        sys.modules.pop("digested", None)
        code_digest.cache_clear()
        found.append(code_digest("digested"))
    code_digest.cache_clear()
    sys.modules.pop("digested", None)
    assert found[0] == found[1] != found[2]
