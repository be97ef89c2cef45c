"""Where the catalogue is: a file of the user's, or a database server by its URL."""

from __future__ import annotations

import os
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError

ENVIRONMENT = "CRYOVERDICT_CATALOGUE"
FILE = "catalogue.sqlite"
# PostgreSQL is spoken to by psycopg 3, under whichever of its names a URL calls it.
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
ACCEPTED = "a file name, sqlite:///FILE or postgresql://USER@HOST/DATABASE"


def catalogue_url(given: str | None) -> str:
    """Return the database URL of a catalogue: as given, else the environment's, else the user's.

    A name without ``://`` is an SQLite file. The default is ``cryoverdict/catalogue.sqlite`` in the
    user's data folder (XDG base directory specification). Raises `EngineError` for another
    database than SQLite and PostgreSQL.
    """
    text = given or os.environ.get(ENVIRONMENT) or str(data_folder() / FILE)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return f"sqlite:///{Path(text).expanduser().absolute()}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return f"sqlite:///{Path(rest[1:]).expanduser().absolute()}"
    if scheme in POSTGRESQL:
        return f"postgresql+psycopg://{rest}"
    msg = f"catalogue: the URL begins with {scheme}://; accepted is {ACCEPTED}"
    raise EngineError(msg)


def data_folder() -> Path:
    """Return this program's folder for the user's data: ``$XDG_DATA_HOME``, else its default."""
    given = os.environ.get("XDG_DATA_HOME", "")
    base = Path(given) if given.startswith("/") else Path.home() / ".local" / "share"
    return base / "cryoverdict"
