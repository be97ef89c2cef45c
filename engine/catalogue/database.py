"""The database of a catalogue: opening it, bringing it up to date, reading and writing it.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cryoverdict.engine.catalogue.location import ACCEPTED, catalogue_url
from cryoverdict.engine.catalogue.migrations import STEPS, Step
from cryoverdict.engine.engine_error import EngineError

# How long a writer of SQLite waits for its turn; an import of a neighbour commits every second.
PATIENCE_S = 120.0
# Any number that nobody else locks a PostgreSQL database with.
MIGRATION_LOCK = 0x6372796F
WRITES = "cryoverdict_writes"

VERSIONS = sa.Table(
    "schema_version",
    sa.MetaData(),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """An open catalogue of today's version; ``url`` holds its password, ``place`` does not."""

    url: str = field(repr=False)
    place: str
    engine: sa.Engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that reads one consistent state; every fault is an `EngineError`."""
        with self._faults(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection whose changes are kept together when the block ends, or not at all."""
        writer = self.engine.execution_options(**{WRITES: True})
        with self._faults(), writer.begin() as connection:
            yield connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn what the database complains of into one line."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise EngineError(_one_line(self.place, error)) from error


def open_catalogue(given: str | None = None, *, steps: Sequence[Step] = STEPS) -> Catalogue:
    """Open a catalogue by file name or URL, made where it is absent, and bring it up to date.

    Raises `EngineError` where the database cannot be reached, is none of ours, or was made by a
    newer version.
    """
    return _connect(catalogue_url(given), steps)


@cache
def catalogue_of(url: str) -> Catalogue:
    """Return the catalogue of a URL, opened once in each worker process."""
    return _connect(url, STEPS)


def _connect(url: str, steps: Sequence[Step]) -> Catalogue:
    """Connect to a URL of `catalogue_url`, and run the steps its database lacks."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        msg = f"catalogue: not a database URL; accepted is {ACCEPTED}"
        raise EngineError(msg) from error
    place = parsed.render_as_string(hide_password=True).replace("+psycopg", "")
    if parsed.drivername == "sqlite" and parsed.database:
        place = parsed.database
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{place}: its folder cannot be made ({error.strerror}); choose another place"
            raise EngineError(msg) from error
    # Connections are closed at once: a catalogue is held by no one who does not use it.
    waiting = {"timeout": PATIENCE_S} if parsed.drivername == "sqlite" else {}
    engine = sa.create_engine(parsed, poolclass=sa.pool.NullPool, connect_args=waiting)
    if parsed.drivername == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    catalogue = Catalogue(url=url, place=place, engine=engine)
    bring_up_to_date(catalogue, steps)
    return catalogue


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Let SQLite hold foreign keys, and leave it to us where a transaction begins."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction: a writer waits for its turn at the start, where waiting is safe."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def bring_up_to_date(catalogue: Catalogue, steps: Sequence[Step]) -> None:
    """Run the steps that a database lacks, all or none, while every other opener waits."""
    with catalogue.reading() as connection:
        if _version(connection, catalogue.place, steps) == len(steps):
            return
    with catalogue.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        version = _version(connection, catalogue.place, steps)
        VERSIONS.create(connection, checkfirst=True)
        for number, step in enumerate(steps[version:], start=version + 1):
            step(connection)
            row = {"version": number, "step": step.__name__}
            connection.execute(VERSIONS.insert().values(row))


def _version(connection: sa.Connection, place: str, steps: Sequence[Step]) -> int:
    """Return how many steps a database has had; 0 for an empty one."""
    tables = sa.inspect(connection).get_table_names()
    if VERSIONS.name not in tables:
        if tables:
            msg = f"{place}: a database with other tables ({sorted(tables)[0]}); give an empty one"
            raise EngineError(msg)
        return 0
    version = connection.execute(sa.select(sa.func.max(VERSIONS.c.version))).scalar() or 0
    if version > len(steps):
        msg = (
            f"{place}: a catalogue of version {version}, this program knows {len(steps)}; "
            "update cryoverdict"
        )
        raise EngineError(msg)
    return int(version)


def add(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that are not there yet, by any unique column; return how many were new."""
    added = 0
    for row in rows:
        insert = _insert(connection, table).values(dict(row)).on_conflict_do_nothing()
        # Without the option the number of rows is not known to be kept for an insert.
        done = connection.execute(insert, execution_options={"preserve_rowcount": True})
        added += done.rowcount
    return added


def put(
    connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], *, key: Sequence[str]
) -> None:
    """Insert a row, or write it over the one that has the same ``key``."""
    insert = _insert(connection, table).values(dict(row))
    rest = {name: insert.excluded[name] for name in row if name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=rest))


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return the insert that the database at hand understands."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _one_line(place: str, error: sa.exc.DBAPIError) -> str:
    """Return what a database complained of as one line that says what to do."""
    said = " ".join(str(error.orig).split()) or type(error.orig).__name__
    file = Path(place)
    if "not a database" in said:
        return f"{place}: not an SQLite database; accepted is a catalogue or a new file name"
    if "locked" in said:
        return f"{place}: another program has held it for {PATIENCE_S:g} s; try again"
    if "unable to open" in said or "readonly" in said:
        folder = file.parent if not file.exists() else file
        able = "may not be written" if not os.access(folder, os.W_OK) else "cannot be opened"
        return f"{place}: {able} ({said}); choose another place with --catalogue"
    return f"{place}: the catalogue's database says: {said}"
