"""Labelled sets out of the catalogue, as ``cryoverdict train`` reads them.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from cryoverdict.engine.catalogue.answers_text import read_answers
from cryoverdict.engine.catalogue.consensus import consensus
from cryoverdict.engine.catalogue.database import Catalogue
from cryoverdict.engine.catalogue.entry import Origin
from cryoverdict.engine.catalogue.history import present_ratings
from cryoverdict.engine.catalogue.schema import DATA_SETS, EMBEDDINGS, MEASUREMENTS, MICROGRAPHS
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.measurement_store import measuring_code
from cryoverdict.engine.training.labelled_set import SIMULATED, Label, LabelledSet
from cryoverdict.features.feature import Answer, Feature
from cryoverdict.features.table import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is exported: empty tuples and ``None`` mean all.

    ``older`` also takes what an older version measured, if it measured the features of today.
    """

    data_sets: tuple[str, ...] = ()
    origin: Origin | None = None
    raters: tuple[str, ...] = ()
    older: bool = False


@dataclass(slots=True, kw_only=True)
class Exported:
    """The folders that were written, and how many micrographs were left out, by reason."""

    folders: dict[str, Path] = field(default_factory=dict)
    kept: int = 0
    rejected: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def export_sets(
    catalogue: Catalogue, output: Path, choice: Choice, features: Sequence[Feature]
) -> Exported:
    """Write one folder a data set with ``features.parquet`` and ``labels.csv``.

    The tables hold the embeddings by every network that the catalogue has.

    A micrograph is exported where the raters chosen agree on a verdict by majority and it was
    measured with today's code (see `Choice.older`); the others are counted. The same catalogue
    gives the same bytes.
    Raises `EngineError` for a data set or rater that is not there, and where nothing is left.
    """
    exported = Exported()
    names = {feature.name for feature in features}
    with catalogue.reading() as connection:
        _check(connection, choice)
        ratings = present_ratings(connection)
        used: set[str] = set()
        for number, data_set in connection.execute(_data_sets(choice)).all():
            query = _micrographs(number, choice)
            rows: dict[str, dict[str, Answer]] = {}
            labels: dict[str, Label] = {}
            embeddings: dict[str, dict[str, NDArray[np.float32]]] = {}
            simulated = False
            for row in connection.execute(query).mappings():
                said = ratings.get(row["id"], {})
                chosen = [r.label for who, r in sorted(said.items()) if _wanted(who, choice)]
                label = consensus(chosen) if chosen else None
                if label is None:
                    exported.left_out["raters are even" if chosen else "no label"] += 1
                    continue
                answers = _answers(connection, row["id"], choice, names)
                if answers is None:
                    exported.left_out["not measured by this version; import it again"] += 1
                    continue
                subject = f"{data_set}/{row['name']}"
                if subject in rows:
                    subject = f"{subject}#{row['content_hash'][:12]}"
                rows[subject] = answers
                labels[subject] = label
                for network, vector in _embeddings(connection, row["id"]):
                    embeddings.setdefault(network, {})[subject] = vector
                simulated |= row["origin"] == "simulated"
            if not rows:
                continue
            name = data_set
            if simulated and not name.startswith(SIMULATED):
                name = SIMULATED + name
            table = FeatureTable.of(rows, features, embeddings)
            folder = output / _folder(name, used)
            LabelledSet(name=name, table=table, labels=labels).write(folder)
            exported.folders[data_set] = folder
            exported.kept += sum(label.favourable for label in labels.values())
            exported.rejected += sum(not label.favourable for label in labels.values())
    if not exported.folders:
        reasons = ", ".join(f"{why}: {n}" for why, n in sorted(exported.left_out.items()))
        msg = f"{catalogue.place}: no labelled micrograph to export ({reasons or 'it is empty'})"
        raise EngineError(msg)
    return exported


def _wanted(rater: str, choice: Choice) -> bool:
    """Say whether a rater counts."""
    return not choice.raters or rater in choice.raters


def _data_sets(choice: Choice) -> sa.Select[Any]:
    """Return the query for the data sets chosen."""
    query = sa.select(DATA_SETS.c.id, DATA_SETS.c.name).order_by(DATA_SETS.c.name)
    return query.where(DATA_SETS.c.name.in_(choice.data_sets)) if choice.data_sets else query


def _micrographs(data_set: int, choice: Choice) -> sa.Select[Any]:
    """Return the query for the micrographs of a data set."""
    query = (
        sa.select(
            MICROGRAPHS.c.id,
            MICROGRAPHS.c.name,
            MICROGRAPHS.c.content_hash,
            MICROGRAPHS.c.origin,
        )
        .where(MICROGRAPHS.c.data_set_id == data_set)
        .order_by(MICROGRAPHS.c.name, MICROGRAPHS.c.content_hash)
    )
    return query.where(MICROGRAPHS.c.origin == choice.origin) if choice.origin else query


def _answers(
    connection: sa.Connection, micrograph: int, choice: Choice, names: set[str]
) -> dict[str, Answer] | None:
    """Return the measurement of a micrograph by today's code, else the newest that will do."""
    today = MEASUREMENTS.c.code == measuring_code()
    query = sa.select(MEASUREMENTS.c.answers).where(MEASUREMENTS.c.micrograph_id == micrograph)
    query = query.order_by(today.desc(), MEASUREMENTS.c.id.desc())
    for text in connection.execute(query if choice.older else query.where(today)).scalars():
        answers = read_answers(text)
        if not choice.older or set(answers) == names:
            return answers
    return None


def _embeddings(
    connection: sa.Connection, micrograph: int
) -> list[tuple[str, NDArray[np.float32]]]:
    """Return a micrograph's embeddings with the names of their networks."""
    query = sa.select(EMBEDDINGS.c.model, EMBEDDINGS.c.vector)
    query = query.where(EMBEDDINGS.c.micrograph_id == micrograph).order_by(EMBEDDINGS.c.model)
    return [(name, np.frombuffer(vector, "<f4")) for name, vector in connection.execute(query)]


def _check(connection: sa.Connection, choice: Choice) -> None:
    """Raise `EngineError` for a data set that the catalogue lacks."""
    names = set(connection.execute(sa.select(DATA_SETS.c.name)).scalars())
    lacking = [name for name in choice.data_sets if name not in names]
    if lacking:
        known = ", ".join(sorted(names)[:10]) or "none"
        msg = f"no data set {lacking[0]!r}; the catalogue has {known}"
        raise EngineError(msg)


def _folder(name: str, used: set[str]) -> str:
    """Return a folder's name for a data set, unlike all used so far."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "data_set"
    folder, number = plain, 1
    while folder.lower() in used:
        number += 1
        folder = f"{plain}_{number}"
    used.add(folder.lower())
    return folder
