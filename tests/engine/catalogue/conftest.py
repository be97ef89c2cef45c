"""Catalogues to test with: a file, and a database of a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

NUMBERS = count()
PROGRAMS = Path("/usr/lib/postgresql")


@pytest.fixture(scope="session")
def stand_in() -> Any:
    """Return the module with small micrographs and their quick measurement."""
    return import_module("stand_in")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start a server of its own on a socket in a fresh folder; return that folder."""
    programs = sorted(PROGRAMS.glob("*/bin/initdb"))
    if not programs:
        pytest.skip("no PostgreSQL server is installed")
    bin_folder = programs[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # A server refuses to run as root; Debian's package brings a user for it.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(bin_folder / program), *arguments]
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "catalogue", "--no-sync", "-E", "UTF8")
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start")
    try:
        yield str(folder)
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Return a function that gives the URL of an empty database, another one at each call."""
    if request.param == "sqlite":
        return lambda: str(tmp_path / f"catalogue_{next(NUMBERS)}.sqlite")
    socket = request.getfixturevalue("postgresql_server")

    def make() -> str:
        import psycopg

        # A schema of its own is as good as a database, and there at once.
        name = f"catalogue_{next(NUMBERS)}"
        address = f"host={socket} user=catalogue dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        options = f"-csearch_path%3D{name}"
        return f"postgresql://catalogue@/postgres?host={socket}&options={options}"

    return make


@pytest.fixture
def place(new_place: Callable[[], str]) -> str:
    """Return the URL of an empty database."""
    return new_place()


@pytest.fixture
def catalogue(place: str) -> Any:
    """Return an open, empty catalogue."""
    from cryoverdict.engine.catalogue.database import open_catalogue

    return open_catalogue(place)
