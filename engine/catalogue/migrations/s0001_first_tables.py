"""Step 1: the first tables, and the guards that keep the history of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

HISTORY = ("labels", "retractions", "decisions")


def first_tables(connection: sa.Connection) -> None:
    """Make every table of version 1, and triggers that refuse to change or delete history."""
    import sqlalchemy as sa

    tables = sa.MetaData()
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

    def table(name: str, *columns: sa.schema.SchemaItem, numbered: bool = True) -> None:
        own = [sa.Column("id", number, primary_key=True, autoincrement=True)] if numbered else []
        if numbered:
            sa.Table(name, tables, *own, *columns, sqlite_autoincrement=True)
        else:
            sa.Table(name, tables, *columns)

    def text(name: str, *, length: int | None = None, unique: bool = False) -> sa.Column[str]:
        kind = sa.Text() if length is None else sa.String(length)
        return sa.Column(name, kind, nullable=False, unique=unique)

    def owner(name: str, of: str) -> sa.Column[int]:
        return sa.Column(name, sa.ForeignKey(f"{of}.id"), nullable=False, index=True)

    def micrograph() -> sa.Column[int]:
        return owner("micrograph_id", "micrographs")

    optics = ("pixel_size_a", "voltage_kv", "cs_mm", "amplitude_contrast")
    table("data_sets", text("name", unique=True))
    table(
        "micrographs",
        text("content_hash", length=64, unique=True),
        owner("data_set_id", "data_sets"),
        text("name"),
        text("source"),
        text("origin", length=9),
        sa.Column("rows_px", sa.Integer, nullable=False),
        sa.Column("columns_px", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double) for name in optics),
        sa.CheckConstraint("origin IN ('observed', 'simulated')", name="origin_is_known"),
    )
    table(
        "sightings",
        micrograph(),
        text("path", unique=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    )
    table(
        "measurements",
        micrograph(),
        text("code", length=64),
        *(text(name) for name in ("given", "answers", "notes")),
        *(sa.Column(name, sa.LargeBinary) for name in ("thumbnail", "spectrum", "area")),
        sa.UniqueConstraint("micrograph_id", "code", name="one_measurement_a_version"),
    )
    table(
        "embeddings",
        micrograph(),
        text("model", length=64),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("micrograph_id", "model", name="one_embedding_a_model"),
    )
    table(
        "labels",
        micrograph(),
        text("key", length=64, unique=True),
        text("rater"),
        sa.Column("rated_on", sa.String(10)),
        sa.Column("favourable", sa.Boolean, nullable=False),
        sa.Column("grade", sa.Text),
        text("defects"),
        text("doubtful"),
        sa.Column("weight", sa.Double, nullable=False),
        text("said"),
        text("place"),
    )
    table(
        "retractions",
        sa.Column("label_id", sa.ForeignKey("labels.id"), primary_key=True),
        sa.Column("retracted_on", sa.String(10)),
        numbered=False,
    )
    table(
        "decisions",
        micrograph(),
        text("key", length=64, unique=True),
        text("kind"),
        text("outcome"),
        sa.Column("favourable_probability", sa.Double, nullable=False),
        text("version"),
        text("record"),
    )
    tables.create_all(connection)
    guard = _guard_postgresql if connection.dialect.name == "postgresql" else _guard_sqlite
    guard(connection)


def _guard_sqlite(connection: sa.Connection) -> None:
    """Let SQLite refuse to change or delete a row of a history."""
    for name in HISTORY:
        for change in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name}_refuse_{change.lower()} BEFORE {change} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} are history and stay as they are'); END"
            )


def _guard_postgresql(connection: sa.Connection) -> None:
    """Let PostgreSQL refuse to change or delete a row of a history."""
    connection.exec_driver_sql(
        "CREATE FUNCTION refuse_to_change_history() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '%% are history and stay as they are', TG_TABLE_NAME; END $$"
    )
    for name in HISTORY:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name}_refuse_change BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_to_change_history()"
        )
