"""The database: where it is, how it comes to be of today, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cryoverdict.engine.catalogue.database import Catalogue, open_catalogue
from cryoverdict.engine.catalogue.location import ENVIRONMENT, catalogue_url
from cryoverdict.engine.catalogue.migrations import STEPS
from cryoverdict.engine.catalogue.schema import METADATA
from cryoverdict.engine.engine_error import EngineError


def test_the_place_is_given_else_of_the_environment_else_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert catalogue_url(None) == f"sqlite:///{tmp_path}/cryoverdict/catalogue.sqlite"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    home = Path.home() / ".local/share/cryoverdict/catalogue.sqlite"
    assert catalogue_url(None) == f"sqlite:///{home}"
    monkeypatch.setenv(ENVIRONMENT, "postgres://u@h/d")
    assert catalogue_url(None) == "postgresql+psycopg://u@h/d"
    assert catalogue_url("/x/y.sqlite") == "sqlite:////x/y.sqlite"
    assert catalogue_url("sqlite:////x/y.sqlite") == "sqlite:////x/y.sqlite"


@pytest.mark.parametrize("url", ["mysql://u@h/d", "sqlite://", "oracle://x", "http://x/y"])
def test_another_database_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(EngineError, match="accepted is a file name, sqlite:///FILE or postgresql"):
        catalogue_url(url)


def described(connection: sa.Connection) -> dict[str, Any]:
    """Return what a database says of its tables, in words that can be compared."""
    inspector = sa.inspect(connection)
    found: dict[str, Any] = {}
    for table in sorted(set(inspector.get_table_names()) - {"schema_version"}):
        found[table] = {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(
                sorted(u["column_names"]) for u in inspector.get_unique_constraints(table)
            ),
            "foreign": sorted(
                (f["constrained_columns"], f["referred_table"])
                for f in inspector.get_foreign_keys(table)
            ),
            "indexes": sorted(i["column_names"] for i in inspector.get_indexes(table)),
            "checks": sorted(str(c["name"]) for c in inspector.get_check_constraints(table)),
        }
    return found


def test_the_steps_lead_to_the_tables_of_today(new_place: Callable[[], str]) -> None:
    """A column added to the schema without a step, or the other way round, is seen here."""
    stepped = open_catalogue(new_place())

    def create_today(connection: sa.Connection) -> None:
        METADATA.create_all(connection)

    direct = open_catalogue(new_place(), steps=[create_today])
    with stepped.reading() as one, direct.reading() as other:
        assert described(one) == described(other)
        assert set(described(one)) == set(METADATA.tables)


def test_missing_steps_run_once_in_order_and_keep_what_is_there(place: str) -> None:
    def second(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE data_sets ADD COLUMN licence TEXT")

    def third(connection: sa.Connection) -> None:
        connection.exec_driver_sql("UPDATE data_sets SET licence = name")

    with open_catalogue(place).writing() as connection:
        connection.exec_driver_sql("INSERT INTO data_sets (name) VALUES ('a')")
    for _ in range(2):
        newer = open_catalogue(place, steps=[*STEPS, second, third])
        with newer.reading() as connection:
            rows = connection.exec_driver_sql("SELECT name, licence FROM data_sets").all()
            steps = connection.exec_driver_sql(
                "SELECT version, step FROM schema_version ORDER BY version"
            ).all()
        assert rows == [("a", "a")]
        assert steps == [(1, "first_tables"), (2, "second"), (3, "third")]


def test_a_step_that_fails_leaves_the_older_version_whole(place: str) -> None:
    def second(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    open_catalogue(place)
    with pytest.raises(EngineError, match="nowhere"):
        open_catalogue(place, steps=[*STEPS, second])
    with open_catalogue(place).reading() as connection:
        assert "half" not in sa.inspect(connection).get_table_names()


def test_a_newer_catalogue_is_not_touched(place: str) -> None:
    def second(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE newer (id INTEGER)")

    open_catalogue(place, steps=[*STEPS, second])
    with pytest.raises(EngineError, match=r"of version 2, this program knows 1; update"):
        open_catalogue(place)


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(EngineError, match=r"other tables \(theirs\)"):
        open_catalogue(str(path))
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at" * 9)
    with pytest.raises(EngineError, match="not an SQLite database; accepted is"):
        open_catalogue(str(tmp_path / "text.sqlite"))


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    with pytest.raises(EngineError) as fault:
        open_catalogue("postgresql://someone:geheim@127.0.0.1:1/nothing")
    assert "geheim" not in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1
    assert "127.0.0.1" in str(fault.value)


def test_two_processes_may_open_an_empty_database_at_once(place: str) -> None:
    code = (
        "import sys; from cryoverdict.engine.catalogue.database import open_catalogue;"
        "sys.stdin.read(1); open_catalogue(sys.argv[1]); print('open')"
    )
    waiting = [
        subprocess.Popen(
            [sys.executable, "-c", code, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in waiting:
        assert process.stdin is not None
        process.stdin.write("!")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in waiting] == ["open"] * 3
    with open_catalogue(place).reading() as connection:
        steps = connection.exec_driver_sql("SELECT count(*) FROM schema_version").scalar()
    assert steps == len(STEPS)


@pytest.mark.parametrize("table", ["labels", "retractions", "decisions"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_history_can_neither_be_deleted_nor_changed(
    catalogue: Catalogue, stand_in: Any, tmp_path: Path, table: str, change: str
) -> None:
    column = {"labels": "rater", "retractions": "retracted_on", "decisions": "kind"}[table]
    from cryoverdict.engine.catalogue.labelling import begin_labelling

    stand_in.write_image(tmp_path / "m.png", 1)
    stand_in.bring(catalogue, tmp_path / "m.png")
    session = begin_labelling(catalogue, rater="a", rated_on="2024-01-01")
    session.judge(1, favourable=True, grade=None, defects=[])
    session.undo()
    with catalogue.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO decisions (micrograph_id, key, kind, outcome, favourable_probability, "
            "version, record) VALUES (1, 'k', 'x', 'keep', 0.5, '1', '')"
        )
    with (
        pytest.raises(EngineError, match=f"{table} are history"),
        catalogue.writing() as connection,
    ):
        connection.exec_driver_sql(change.format(table, column, column))
