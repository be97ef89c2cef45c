"""A tiny session, and one run on it, for the tests of the workflows."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
SPEC = """
name: tiny
micrographs: 5
bad_fraction: 0.4
base:
  shape: [512, 512]
  pixel_size_a: 2.0
  particle_seed: 5
  gain_seed: 5
"""
BATCH_SIZE = 2
PROGRAM = str(Path(sys.executable).with_name("cryoverdict"))
# As in the tools: what is compared must not hang on how many cores of what make there are.
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
}


def _cryoverdict(*words: object, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Call the command line in a folder and return what it said; it must end with ``code``."""
    done = subprocess.run(
        [PROGRAM, *map(str, words)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


def _differences(one: Path, other: Path) -> list[str]:
    """Return the files that two folders do not share byte by byte; locks are left out."""
    names = {
        p.relative_to(folder).as_posix()
        for folder in (one, other)
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".lock"
    }
    return sorted(
        name
        for name in names
        if not ((one / name).is_file() and (other / name).is_file())
        or not filecmp.cmp(one / name, other / name, shallow=False)
    )


def _outputs_of(run: Path, folder: Path) -> Path:
    """Copy the outputs of a run's workflow, without what it keeps and its account of itself."""
    account = (".cache", ".lock", "workflow", "provenance.json", "ro-crate-metadata.json")
    return Path(shutil.copytree(run, folder, ignore=shutil.ignore_patterns(*account)))


@pytest.fixture(scope="session")
def outputs_of() -> Callable[[Path, Path], Path]:
    """Return the function that copies what a run's workflow made into a new folder."""
    return _outputs_of


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment in which programs are called."""
    return ENVIRONMENT


@pytest.fixture(scope="session")
def cryoverdict() -> Call:
    """Return the function that calls the command line in a folder."""
    return _cryoverdict


@pytest.fixture(scope="session")
def differences() -> Callable[[Path, Path], list[str]]:
    """Return the function that names the files that two folders do not share."""
    return _differences


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``mics/``: five small simulated micrographs."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "spec.yaml").write_text(SPEC)
    _cryoverdict(
        *("simulate", "--spec", "spec.yaml", "--output", "mics", "--seed", 3, "--threads", 1),
        *("--quiet",),
        folder=folder,
    )
    return folder


@pytest.fixture(scope="session")
def judged_run(session: Path) -> Path:
    """Return the folder of one run of the workflow that judges micrographs."""
    _cryoverdict(
        *("run", "mics", "--workflow", "judge-micrographs", "--batch-size", BATCH_SIZE),
        *("--output", "run", "--threads", 2),
        folder=session,
    )
    return session / "run"
