"""Entering one micrograph into the catalogue, in one transaction.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from cryoverdict.engine.catalogue.answers_text import answers_text, given_text
from cryoverdict.engine.catalogue.database import Catalogue, add, put
from cryoverdict.engine.catalogue.entry import Entry
from cryoverdict.engine.catalogue.pictures import jpeg_bytes, png_bytes
from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.engine.catalogue.schema import (
    DATA_SETS,
    DECISIONS,
    EMBEDDINGS,
    LABELS,
    MEASUREMENTS,
    MICROGRAPHS,
    SIGHTINGS,
)
from cryoverdict.engine.catalogue.survey import Identity, Measure, identify
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.measurement_store import Measurement, measuring_code
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics

State = Literal["new", "measured", "labelled", "same", "error"]
OPTICS = tuple(f.name for f in fields(Optics))
# The catalogue and a list may write a number with different digits; beyond it they contradict.
OPTICS_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of one entry; ``labels`` counts the labels that are new.

    ``new``: the micrograph was not there. ``measured``: it was, and has been measured anew.
    ``labelled``: only labels or decisions were new. ``same``: nothing was.
    """

    subject: str
    state: State
    labels: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the catalogue knows of one micrograph.

    ``given`` is what lists told when it was measured with today's code, ``None`` if it was not.
    """

    id: int
    content_hash: str
    optics: Optics
    given: str | None

    def covers(self, micrograph: Micrograph) -> bool:
        """Say whether a measurement of today knows all that this micrograph is given with."""
        told = given_text(micrograph)
        if self.given is None or (told and told != self.given):
            return False
        return completed(self.optics, micrograph) == self.optics


def completed(known: Optics, micrograph: Micrograph) -> Optics:
    """Return the catalogue's optics with what is unknown taken from a micrograph's.

    Raises `InputError` where they contradict each other by more than 1 %.
    """
    for name in OPTICS:
        mine, told = getattr(known, name), getattr(micrograph.optics, name)
        if mine is None or told is None:
            continue
        if abs(mine - told) > OPTICS_TOLERANCE * max(abs(mine), abs(told)):
            msg = (
                f"{micrograph.path}: the catalogue has {name} {mine:g} for this image, the import "
                f"says {told:g}; find out which is right and leave the other out"
            )
            raise InputError(msg)
    return known.completed(micrograph.optics)


def settle(catalogue: Catalogue, entry: Entry) -> Recorded | None:
    """Enter what needs no look at the image; ``None`` where its file has to be read.

    A file that has the size and time it had when it was read last holds the same image.
    """
    micrograph = entry.micrograph
    try:
        place = _place(micrograph)
        with catalogue.reading() as connection:
            known = _by_sighting(connection, place)
            if known is None or not known.covers(micrograph):
                return None
            if not _news(connection, known, entry):
                return Recorded(subject=micrograph.subject, state="same")
        with catalogue.writing() as connection:
            return _relabelled(connection, known, entry)
    except (InputError, OSError) as error:
        return _failed(micrograph, error)


def record(catalogue: Catalogue, entry: Entry, measure: Measure) -> Recorded:
    """Read, measure and enter one micrograph; a file that is not usable is an answer, no exception.

    The image is read before the database is touched, and everything is entered in one transaction:
    a catalogue holds all of an entry or nothing.
    """
    micrograph = entry.micrograph
    try:
        place = _place(micrograph)
        identity = identify(micrograph)
        with catalogue.reading() as connection:
            known = _by_content(connection, identity.content_hash)
        measured = None
        if known is None or not known.covers(micrograph):
            measured = measure(_informed(micrograph, known))
        with catalogue.writing() as connection:
            return _entered(connection, entry, identity, place, measured)
    except (InputError, OSError) as error:
        return _failed(micrograph, error)


def add_ratings(connection: sa.Connection, micrograph: int, ratings: Sequence[Rating]) -> int:
    """Add what raters said of a micrograph, and return how much of it is new."""
    query = sa.select(MICROGRAPHS.c.content_hash).where(MICROGRAPHS.c.id == micrograph)
    identity: str = connection.execute(query).scalar_one()
    return add(connection, LABELS, [_label_row(micrograph, identity, r) for r in ratings])


def write_embedding(
    catalogue: Catalogue, content_hash: str, *, model: str, vector: Sequence[float]
) -> None:
    """Keep a micrograph's embedding by one network; raises `EngineError` for an unknown image."""
    with catalogue.writing() as connection:
        known = _by_content(connection, content_hash)
        if known is None:
            msg = f"{catalogue.place}: has no micrograph {content_hash[:12]}…; import it first"
            raise EngineError(msg)
        _put_embedding(connection, known.id, model, vector)


def _put_embedding(
    connection: sa.Connection,
    micrograph: int,
    model: str,
    vector: Sequence[float] | NDArray[np.float32],
) -> None:
    """Keep one embedding of a micrograph, in the place of an older one by the same network."""
    row = {
        "micrograph_id": micrograph,
        "model": model,
        "vector": np.asarray(vector, "<f4").tobytes(),
    }
    put(connection, EMBEDDINGS, row, key=("micrograph_id", "model"))


def _place(micrograph: Micrograph) -> dict[str, Any]:
    """Return where a file is, its size and its time of change."""
    status = micrograph.path.stat()
    # Names that are no text (surrogates) would not enter a database.
    path = os.path.abspath(micrograph.path).encode(errors="surrogateescape")  # noqa: PTH100
    return {
        "path": path.decode(errors="backslashreplace"),
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }


def _informed(micrograph: Micrograph, known: _Known | None) -> Micrograph:
    """Return a micrograph that also has the optics the catalogue knows of it."""
    if known is None:
        return micrograph
    from dataclasses import replace

    return replace(micrograph, optics=completed(known.optics, micrograph))


_KNOWN = sa.select(
    MICROGRAPHS.c.id, MICROGRAPHS.c.content_hash, *(MICROGRAPHS.c[name] for name in OPTICS)
)


def _by_sighting(connection: sa.Connection, place: dict[str, Any]) -> _Known | None:
    """Return the micrograph that a file held when it was read last, if it has not changed."""
    query = _KNOWN.join(SIGHTINGS).where(*(SIGHTINGS.c[n] == value for n, value in place.items()))
    return _known(connection, query)


def _by_content(connection: sa.Connection, content_hash: str) -> _Known | None:
    """Return the micrograph of an image."""
    return _known(connection, _KNOWN.where(MICROGRAPHS.c.content_hash == content_hash))


def _known(connection: sa.Connection, query: sa.Select[Any]) -> _Known | None:
    """Return what the catalogue knows of the micrograph that a query finds."""
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    measured = sa.select(MEASUREMENTS.c.given).where(
        MEASUREMENTS.c.micrograph_id == row["id"], MEASUREMENTS.c.code == measuring_code()
    )
    return _Known(
        id=row["id"],
        content_hash=row["content_hash"],
        optics=Optics(**{name: row[name] for name in OPTICS}),
        given=connection.execute(measured).scalar(),
    )


def _label_row(micrograph: int, content_hash: str, rating: Rating) -> dict[str, Any]:
    """Return a rating as a row of the labels."""
    label = rating.label
    return {
        "micrograph_id": micrograph,
        "key": rating.key(content_hash),
        "rater": rating.rater,
        "rated_on": rating.rated_on,
        "favourable": label.favourable,
        "grade": label.grade,
        "defects": " ".join(sorted(label.defects)),
        "doubtful": " ".join(sorted(label.doubtful)),
        "weight": label.weight,
        "said": rating.said,
        "place": rating.place,
    }


def _decision_row(micrograph: int, content_hash: str, line: str) -> dict[str, Any]:
    """Return a line of a decisions.jsonl as a row of the decisions."""
    told = json.loads(line)
    return {
        "micrograph_id": micrograph,
        "key": hashlib.sha256(f"{content_hash} {line}".encode()).hexdigest(),
        "kind": told["kind"],
        "outcome": told["outcome"],
        "favourable_probability": float(told["favourable_probability"]),
        "version": told["version"],
        "record": line,
    }


def _news(connection: sa.Connection, known: _Known, entry: Entry) -> bool:
    """Say whether an entry has a label or a decision that the catalogue lacks."""
    for table, rows in (
        (LABELS, [_label_row(known.id, known.content_hash, r) for r in entry.ratings]),
        (DECISIONS, [_decision_row(known.id, known.content_hash, d) for d in entry.decisions]),
    ):
        keys = {row["key"] for row in rows}
        query = sa.select(sa.func.count()).where(table.c.key.in_(keys))
        if keys and connection.execute(query).scalar_one() < len(keys):
            return True
    return False


def _relabelled(connection: sa.Connection, known: _Known, entry: Entry) -> Recorded:
    """Add the labels and decisions of a micrograph that is known and measured."""
    labels = add_ratings(connection, known.id, entry.ratings)
    rows = [_decision_row(known.id, known.content_hash, line) for line in entry.decisions]
    news = add(connection, DECISIONS, rows)
    return Recorded(
        subject=entry.micrograph.subject,
        state="labelled" if labels or news else "same",
        labels=labels,
    )


def _entered(
    connection: sa.Connection,
    entry: Entry,
    identity: Identity,
    place: dict[str, Any],
    measured: Measurement | None,
) -> Recorded:
    """Enter everything of one micrograph; what another process entered meanwhile is found."""
    add(connection, DATA_SETS, [{"name": entry.data_set}])
    query = sa.select(DATA_SETS.c.id).where(DATA_SETS.c.name == entry.data_set)
    optics = measured.optics if measured is not None else Optics()
    row = {
        "content_hash": identity.content_hash,
        "data_set_id": connection.execute(query).scalar_one(),
        "name": entry.micrograph.path.name,
        "source": entry.source,
        "origin": entry.origin,
        "rows_px": identity.rows_px,
        "columns_px": identity.columns_px,
        **{name: getattr(optics, name) for name in OPTICS},
    }
    new = add(connection, MICROGRAPHS, [row])
    known = _by_content(connection, identity.content_hash)
    assert known is not None, "it was inserted in this transaction"
    put(connection, SIGHTINGS, {"micrograph_id": known.id, **place}, key=("path",))
    if measured is not None:
        told = {name: getattr(measured.optics, name) for name in OPTICS}
        stated = {name: value for name, value in told.items() if value is not None}
        if stated:
            change = MICROGRAPHS.update().where(MICROGRAPHS.c.id == known.id).values(**stated)
            connection.execute(change)
        row = _measurement_row(known.id, entry.micrograph, measured)
        put(connection, MEASUREMENTS, row, key=("micrograph_id", "code"))
        for name, vector in measured.embeddings.items():
            _put_embedding(connection, known.id, name, vector)
    done = _relabelled(connection, known, entry)
    if new or measured is not None:
        state: State = "new" if new else "measured"
        return Recorded(subject=done.subject, state=state, labels=done.labels)
    return done


def _measurement_row(micrograph: int, given: Micrograph, measured: Measurement) -> dict[str, Any]:
    """Return a measurement as a row."""
    drawn = measured.pictures
    packing = {"thumbnail": jpeg_bytes, "spectrum": jpeg_bytes, "area": png_bytes}
    pictures = {n: pack(drawn[n]) if n in drawn else None for n, pack in packing.items()}
    return {
        "micrograph_id": micrograph,
        "code": measuring_code(),
        "given": given_text(given),
        "answers": answers_text(measured.answers),
        "notes": json.dumps(measured.notes, ensure_ascii=False),
        **pictures,
    }


def _failed(micrograph: Micrograph, error: InputError | OSError) -> Recorded:
    """Return what is said of a file that cannot be used."""
    if isinstance(error, OSError):
        reason = f"{micrograph.path}: cannot be read ({error.strerror or error})"
    else:
        reason = str(error)
    return Recorded(subject=micrograph.subject, state="error", error=reason)
