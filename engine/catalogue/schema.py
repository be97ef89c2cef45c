"""The tables of the catalogue as they are today.

Imported late: it loads SQLAlchemy. How an older database becomes one of today is told by the steps
in `cryoverdict.engine.catalogue.migrations`; a test holds both to the same tables.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
# SQLite counts rows up only in a column of type INTEGER.
Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _number() -> sa.Column[int]:
    """Return a table's own running number; numbers of rows are never used again."""
    return sa.Column("id", Number, primary_key=True, autoincrement=True)


def _micrograph() -> sa.Column[int]:
    """Return the column that says which micrograph a row is about."""
    return sa.Column("micrograph_id", sa.ForeignKey("micrographs.id"), nullable=False, index=True)


DATA_SETS = sa.Table(
    "data_sets",
    METADATA,
    _number(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)
# One image is one micrograph, in whichever files it lies: ``content_hash`` is that of its pixels.
MICROGRAPHS = sa.Table(
    "micrographs",
    METADATA,
    _number(),
    sa.Column("content_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("data_set_id", sa.ForeignKey("data_sets.id"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("origin", sa.String(9), nullable=False),
    sa.Column("rows_px", sa.Integer, nullable=False),
    sa.Column("columns_px", sa.Integer, nullable=False),
    sa.Column("pixel_size_a", sa.Double),
    sa.Column("voltage_kv", sa.Double),
    sa.Column("cs_mm", sa.Double),
    sa.Column("amplitude_contrast", sa.Double),
    sa.CheckConstraint("origin IN ('observed', 'simulated')", name="origin_is_known"),
    sqlite_autoincrement=True,
)
# Where a micrograph's file was, so that an unchanged file is not read again.
SIGHTINGS = sa.Table(
    "sightings",
    METADATA,
    _number(),
    _micrograph(),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
# ``code`` is the digest of the measuring code; ``answers``, ``given`` and ``notes`` are JSON,
# ``thumbnail`` and ``spectrum`` JPEG, ``area`` PNG with a code for each pixel.
MEASUREMENTS = sa.Table(
    "measurements",
    METADATA,
    _number(),
    _micrograph(),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("given", sa.Text, nullable=False),
    sa.Column("answers", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("thumbnail", sa.LargeBinary),
    sa.Column("spectrum", sa.LargeBinary),
    sa.Column("area", sa.LargeBinary),
    sa.UniqueConstraint("micrograph_id", "code", name="one_measurement_a_version"),
    sqlite_autoincrement=True,
)
# ``vector`` is little-endian float32, ``model`` the digest of the network that made it.
EMBEDDINGS = sa.Table(
    "embeddings",
    METADATA,
    _number(),
    _micrograph(),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("micrograph_id", "model", name="one_embedding_a_model"),
    sqlite_autoincrement=True,
)
# Labels are only ever added: what a rater says today stands beside what the same rater said before.
LABELS = sa.Table(
    "labels",
    METADATA,
    _number(),
    _micrograph(),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("rater", sa.Text, nullable=False),
    sa.Column("rated_on", sa.String(10)),
    sa.Column("favourable", sa.Boolean, nullable=False),
    sa.Column("grade", sa.Text),
    sa.Column("defects", sa.Text, nullable=False),
    sa.Column("doubtful", sa.Text, nullable=False),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
RETRACTIONS = sa.Table(
    "retractions",
    METADATA,
    sa.Column("label_id", sa.ForeignKey("labels.id"), primary_key=True),
    sa.Column("retracted_on", sa.String(10)),
)
# ``record`` is the line of decisions.jsonl.
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    _number(),
    _micrograph(),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("favourable_probability", sa.Double, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
