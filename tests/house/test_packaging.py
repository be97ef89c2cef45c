"""The traps of one namespace over five folders: each has its guard here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("features", "rules", "engine", "reports", "cwl")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def source_files() -> list[Path]:
    """Return every file of the five rooms that belongs to the package."""
    return [
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    ]


def test_list_of_packages_is_what_lies_on_disk(project: dict[str, Any]) -> None:
    on_disk = {
        "cryoverdict." + ".".join(path.parent.relative_to(ROOT).parts)
        for path in source_files()
        if path.name == "__init__.py"
    }
    assert set(project["tool"]["setuptools"]["packages"]) == on_disk


def test_every_python_file_is_in_a_package() -> None:
    homeless = [
        p for p in source_files() if p.suffix == ".py" and not (p.parent / "__init__.py").exists()
    ]
    assert homeless == []


def test_every_data_file_is_packed(project: dict[str, Any]) -> None:
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    unpacked = [
        path.relative_to(ROOT)
        for path in source_files()
        if path.suffix != ".py"
        and not any(fnmatch("x/" + path.name, p) or path.name == p for p in patterns)
    ]
    assert unpacked == []


def test_no_compiled_file_can_be_packed(project: dict[str, Any]) -> None:
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    assert not any(fnmatch("x/module.cpython-311.pyc", p) for p in patterns)


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_typed_and_linked_for_type_checkers(room: str) -> None:
    assert (ROOT / room / "py.typed").read_bytes() == b""
    assert (ROOT / ".types" / "cryoverdict" / room).resolve() == (ROOT / room).resolve()


def test_no_init_at_the_root() -> None:
    assert not (ROOT / "__init__.py").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from a copy of the source, and the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("build")
    checkout = folder / "checkout"
    for room in ROOMS:
        shutil.copytree(ROOT / room, checkout / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(checkout)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_from_sdist_holds_every_source_file(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"cryoverdict/{path.relative_to(ROOT).as_posix()}" for path in source_files()}
    assert wanted - packed == set()
    assert not any(name.endswith(".pyc") for name in packed)


def test_wheel_imports_apart_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """A package that only editable mode finds would be absent here."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; sys.meta_path = [f for f in sys.meta_path if "
        "'editable' not in repr(f).lower()]; import cryoverdict.cwl.cli as c; print(c.__file__)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(str(tmp_path))
