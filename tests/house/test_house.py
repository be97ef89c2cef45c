"""What is true of every file, whatever it is about."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("features", "rules", "engine", "reports", "cwl")
MODULES = sorted(
    p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "__pycache__" not in p.parts
)
LATE = {
    "matplotlib",
    "mrcfile",
    "pandas",
    "pyarrow",
    "scipy",
    "skimage",
    "sklearn",
    "starfile",
    "statsmodels",
    "torch",
    "xgboost",
}
# Packages that are themselves imported late may import at their top what they are made of.
LATE_PACKAGES = {
    "engine/classification": {"torch"},
    "engine/learning": {"torch"},
    "engine/network_training": {"torch"},
}
FORBIDDEN_NAMES = {"types.py", "utils.py", "util.py", "common.py", "helpers.py", "misc.py"}


def top_level_imports(path: Path) -> set[str]:
    """Return the packages that a module imports when it is itself imported."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_slow_libraries_are_imported_late(path: Path) -> None:
    package = path.parent.relative_to(ROOT).as_posix()
    assert top_level_imports(path) & LATE - LATE_PACKAGES.get(package, set()) == set()


def test_no_file_is_a_drawer() -> None:
    assert [p for p in MODULES if p.name in FORBIDDEN_NAMES] == []


def test_help_loads_nothing_heavy() -> None:
    heavy = LATE | {"PIL", "jinja2", "pydantic", "rich", "yaml"}
    code = (
        "import sys; from cryoverdict.cwl.cli import run; run(['--help']);"
        f"print('LOADED', sorted(set(sys.modules) & {heavy!r}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines()[-1] == "LOADED []"


def test_no_unsafe_loading_nor_shell() -> None:
    unsafe = re.compile(
        r"\bimport pickle\b|\bpickle\.(load|Unpickler)|joblib\.load|allow_pickle=True|"
        r"yaml\.load\(|shell=True|os\.system|(?<![\w.])eval\(|(?<![\w.])exec\("
    )
    found = [
        f"{p.relative_to(ROOT)}:{n}"
        for p in MODULES
        for n, line in enumerate(p.read_text().splitlines(), start=1)
        if unsafe.search(line)
    ]
    assert found == []


def test_doctests_of_every_module() -> None:
    """Run by module name, so that no file is imported twice under two names."""
    import doctest
    import importlib

    failed = {}
    for path in MODULES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = "cryoverdict." + ".".join(p for p in parts if p != "__init__")
        result = doctest.testmod(importlib.import_module(name))
        if result.failed:
            failed[name] = result.failed
    assert failed == {}
