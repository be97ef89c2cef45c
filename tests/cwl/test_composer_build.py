"""The bundled drawing library is what its recipe builds, with its licence in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSER = ROOT / "cwl" / "composer"
BUNDLE = COMPOSER / "page" / "cwl-svg.js"


def test_versions_are_pinned_and_named_in_the_bundle() -> None:
    wanted = json.loads((COMPOSER / "build" / "package.json").read_text())["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    locked = json.loads((COMPOSER / "build" / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("resolved" not in one for one in locked.values())
    head = BUNDLE.read_text(encoding="utf-8").partition("*/")[0]
    for name in ("cwl-svg", "cwlts"):
        assert f"{name} {wanted[name]}, Apache-2.0" in head
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").strip() in head


@pytest.mark.node
def test_the_recipe_builds_the_same_bytes(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed")
    build = tmp_path / "build"
    shutil.copytree(COMPOSER / "build", build)
    (tmp_path / "page").mkdir()
    ready = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=build,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if ready.returncode != 0:
        pytest.skip("npm's registry cannot be reached")
    subprocess.run(
        ["node", "build.js", str(ROOT / "LICENSE")],
        cwd=build,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert (tmp_path / "page" / BUNDLE.name).read_bytes() == BUNDLE.read_bytes()
