"""The Rabix Composer's library loads every tool and workflow, and saves it as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADER = Path(__file__).with_name("composer") / "load.cjs"
FILES = sorted((ROOT / "cwl" / "tools").glob("*.cwl")) + sorted(
    (ROOT / "cwl" / "workflows").glob("*.cwl")
)
# The library inside Composer 1.5.0, and the last one: the second has no evaluator of its own.
LIBRARIES = {"cwlts15": "cwlts@1.15.29", "cwlts23": "cwlts@1.23.10"}
# On scatter the old library compares an array with the item that the step takes.
HARMLESS = ("[]", "Connection type mismatch")

pytestmark = pytest.mark.node

VALIDATE = """
import sys
from cwltool.main import main
print("BAD", [p for p in sys.argv[1:] if main(["--quiet", "--validate", p]) != 0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install both versions in a scratch folder; skip where Node or the registry are absent."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("composer")
    (folder / "package.json").write_text("{}")
    words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    words += [f"{name}@npm:{package}" for name, package in LIBRARIES.items()]
    try:
        subprocess.run(words, cwd=folder, capture_output=True, check=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("npm's registry cannot be reached")
    return folder


def loaded(installed: Path, library: str, files: list[Path], saved: Path) -> list[dict[str, Any]]:
    """Return what a version of the library says of each file."""
    done = subprocess.run(
        ["node", str(LOADER), library, "cwlts15", str(saved), *map(str, files)],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_file_loads_and_saves_as_it_was(
    installed: Path, library: str, tmp_path: Path
) -> None:
    told = loaded(installed, library, FILES, tmp_path)
    assert [one["file"] for one in told] == [path.name for path in FILES]
    for one in told:
        assert one["errors"] == [], one["file"]
        assert [w for w in one["warnings"] if not all(h in w for h in HARMLESS)] == [], one["file"]
        assert one["stable"], one["file"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_library_saves_is_valid(installed: Path, library: str, tmp_path: Path) -> None:
    """Embedded tools and all: whoever saves in the Composer has a workflow that still runs."""
    saved = [one["saved"] for one in loaded(installed, library, FILES, tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE, *saved],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.splitlines()[-1] == "BAD []", done.stdout + done.stderr


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_broken_connection_is_an_error(installed: Path, library: str, tmp_path: Path) -> None:
    """The loader would notice: a source that does not exist."""
    (tmp_path / "broken.cwl").write_text(
        (ROOT / "cwl" / "workflows" / "judge-micrographs.cwl")
        .read_text(encoding="utf-8")
        .replace("../tools", str(ROOT / "cwl" / "tools"))
        .replace("source: micrographs", "source: no_such_input")
    )
    (one,) = loaded(installed, library, [tmp_path / "broken.cwl"], tmp_path)
    assert one["errors"] + one["warnings"] != []
