"""Taking over what another catalogue has.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cryoverdict.engine.catalogue.database import Catalogue, add, open_catalogue, put
from cryoverdict.engine.catalogue.location import catalogue_url
from cryoverdict.engine.catalogue.schema import (
    DATA_SETS,
    DECISIONS,
    EMBEDDINGS,
    LABELS,
    MEASUREMENTS,
    MICROGRAPHS,
    RETRACTIONS,
    SIGHTINGS,
)
from cryoverdict.engine.engine_error import EngineError

# Micrographs in one transaction: as many as make committing cheap and a neighbour wait briefly.
BATCH = 50
OPTICS = ("pixel_size_a", "voltage_kv", "cs_mm", "amplitude_contrast")
# What belongs to one micrograph and is told apart by columns of its own.
BELONGINGS = (SIGHTINGS, MEASUREMENTS, EMBEDDINGS, LABELS, DECISIONS)


@dataclass(slots=True, kw_only=True)
class Merged:
    """How many rows of each table were new, and how many micrographs stood in another data set."""

    added: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0


def merge(
    catalogue: Catalogue, other: Catalogue, tick: Callable[[object], None] = lambda _: None
) -> Merged:
    """Add everything of ``other`` that ``catalogue`` lacks; what it has stays as it is.

    Images are the same by their content, labels and decisions by theirs, so that a merge done
    twice, or killed and done again, adds nothing twice. Histories are joined: a rating that was
    retracted in either is retracted. A micrograph that both have stays in its data set.
    """
    if Path(catalogue.place).resolve() == Path(other.place).resolve():
        msg = f"{other.place}: this is the catalogue itself; accepted is another one"
        raise EngineError(msg)
    done = Merged()
    for batch in _batches(other):
        with catalogue.writing() as target, other.reading() as source:
            for row in batch:
                _take(target, source, dict(row), done)
        tick(batch)
    return done


def other_catalogue(given: str) -> Catalogue:
    """Open a catalogue that must exist; raises `EngineError` where a file does not."""
    url = catalogue_url(given)
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not file.is_file():
        msg = f"{file}: not found; accepted is the file or the URL of a catalogue"
        raise EngineError(msg)
    return open_catalogue(given)


def _batches(other: Catalogue) -> Iterator[list[sa.RowMapping]]:
    """Yield micrographs by content, so that two merges at once wait in the same order."""
    last = ""
    while True:
        query = (
            sa.select(MICROGRAPHS, DATA_SETS.c.name.label("data_set"))
            .join(DATA_SETS)
            .where(MICROGRAPHS.c.content_hash > last)
            .order_by(MICROGRAPHS.c.content_hash)
            .limit(BATCH)
        )
        with other.reading() as source:
            batch = list(source.execute(query).mappings())
        if not batch:
            return
        yield batch
        last = batch[-1]["content_hash"]


def _take(target: sa.Connection, source: sa.Connection, row: dict[str, Any], done: Merged) -> None:
    """Take over one micrograph with all that belongs to it."""
    theirs, data_set = row.pop("id"), row.pop("data_set")
    done.added["data_sets"] += add(target, DATA_SETS, [{"name": data_set}])
    query = sa.select(DATA_SETS.c.id).where(DATA_SETS.c.name == data_set)
    row["data_set_id"] = target.execute(query).scalar_one()
    new = add(target, MICROGRAPHS, [row])
    done.added["micrographs"] += new
    mine = target.execute(
        sa.select(MICROGRAPHS).where(MICROGRAPHS.c.content_hash == row["content_hash"])
    ).mappings()
    have = mine.one()
    done.elsewhere += int(not new and have["data_set_id"] != row["data_set_id"])
    learnt = {n: row[n] for n in OPTICS if have[n] is None and row[n] is not None}
    if learnt:
        target.execute(MICROGRAPHS.update().where(MICROGRAPHS.c.id == have["id"]).values(learnt))
    for table in BELONGINGS:
        rows = source.execute(
            sa.select(table).where(table.c.micrograph_id == theirs).order_by(table.c.id)
        ).mappings()
        moved = [_moved(one, have["id"]) for one in rows]
        if table is MEASUREMENTS and learnt:
            # Ours were made without the optics that theirs had.
            for one in moved:
                put(target, table, one, key=("micrograph_id", "code"))
        done.added[table.name] += add(target, table, moved)
    done.added["retractions"] += _take_retractions(target, source, theirs)


def _moved(row: sa.RowMapping, micrograph: int) -> dict[str, Any]:
    """Return a row as one of another micrograph's number, to be numbered anew."""
    own = {name: value for name, value in row.items() if name != "id"}
    return {**own, "micrograph_id": micrograph}


def _take_retractions(target: sa.Connection, source: sa.Connection, theirs: int) -> int:
    """Retract what was retracted in the other catalogue."""
    query = (
        sa.select(LABELS.c.key, RETRACTIONS.c.retracted_on)
        .join(RETRACTIONS)
        .where(LABELS.c.micrograph_id == theirs)
    )
    found = 0
    for key, day in source.execute(query).all():
        number = target.execute(sa.select(LABELS.c.id).where(LABELS.c.key == key)).scalar_one()
        found += add(target, RETRACTIONS, [{"label_id": number, "retracted_on": day}])
    return found
