"""What a catalogue holds, and how far its raters agree.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import sqlalchemy as sa

from cryoverdict.engine.catalogue.agreement import fleiss_kappa, pairwise_kappas
from cryoverdict.engine.catalogue.consensus import consensus
from cryoverdict.engine.catalogue.database import Catalogue
from cryoverdict.engine.catalogue.history import present_ratings
from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.engine.catalogue.schema import (
    DATA_SETS,
    DECISIONS,
    EMBEDDINGS,
    LABELS,
    MEASUREMENTS,
    MICROGRAPHS,
    RETRACTIONS,
)
from cryoverdict.engine.catalogue.vocabulary import DEFECTS
from cryoverdict.engine.measurement_store import measuring_code

VERDICTS = ("keep", "reject", "undecided", "unlabelled")


def statistics(catalogue: Catalogue) -> dict[str, Any]:
    """Return the counts of a catalogue and the agreement of its raters, ready for JSON.

    ``verdicts`` count micrographs by what their raters say together; ``kappa`` has Cohen's kappa
    of each pair of raters and Fleiss' of all, for the verdict and for each defect that two raters
    have an opinion of; a kappa that is not defined is ``null``.
    """
    with catalogue.reading() as connection:
        query = sa.select(
            MICROGRAPHS.c.id, MICROGRAPHS.c.origin, DATA_SETS.c.name.label("data_set")
        ).join(DATA_SETS)
        micrographs = connection.execute(query.order_by(DATA_SETS.c.name)).all()
        ratings = present_ratings(connection)
        current = MEASUREMENTS.c.code == measuring_code()
        counts = {
            "measured_today": _count(connection, MEASUREMENTS, current),
            "embeddings": _count(connection, EMBEDDINGS),
            "decisions": _count(connection, DECISIONS),
            "labels_ever_given": _count(connection, LABELS),
            "labels_retracted": _count(connection, RETRACTIONS),
        }
    sets: dict[str, Counter[str]] = {}
    origins: Counter[str] = Counter()
    defects: Counter[str] = Counter()
    for number, origin, data_set in micrographs:
        said = list(ratings.get(number, {}).values())
        label = consensus([rating.label for rating in said]) if said else None
        word = _verdict(label.favourable) if label else "undecided" if said else "unlabelled"
        sets.setdefault(data_set, Counter())[word] += 1
        origins[origin] += 1
        defects.update(label.defects if label else ())
    totals = sum(sets.values(), Counter[str]())
    return {
        "catalogue": catalogue.place,
        "micrographs": len(micrographs),
        "observed": origins["observed"],
        "simulated": origins["simulated"],
        "verdicts": {word: totals[word] for word in VERDICTS},
        "defects": {name: defects[name] for name in DEFECTS if defects[name]},
        "data_sets": {name: {w: n[w] for w in VERDICTS if n[w]} for name, n in sets.items()},
        "raters": dict(sorted(Counter(r for said in ratings.values() for r in said).items())),
        **counts,
        "kappa": _kappas(ratings),
    }


def _count(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    """Return the number of rows of a table."""
    query = sa.select(sa.func.count()).select_from(table).where(*where)
    return connection.execute(query).scalar_one()


def _verdict(favourable: bool) -> str:
    """Return the word for a verdict."""
    return "keep" if favourable else "reject"


def _kappas(ratings: Mapping[int, Mapping[str, Rating]]) -> dict[str, Any]:
    """Return how far the raters agree on the verdict and on each defect."""
    several = [said for said in ratings.values() if len(said) > 1]
    if not several:
        return {}
    verdicts: list[dict[str, Hashable]] = [
        {rater: rating.label.favourable for rater, rating in said.items()} for said in several
    ]
    found = {"verdict": _agreement(verdicts)}
    for defect in DEFECTS:
        opinions: list[dict[str, Hashable]] = [
            {
                rater: defect in rating.label.defects
                for rater, rating in said.items()
                if defect not in rating.label.doubtful
            }
            for said in several
        ]
        if any(True in opinion.values() and len(opinion) > 1 for opinion in opinions):
            found[defect] = _agreement(opinions)
    return found


def _agreement(said: list[dict[str, Hashable]]) -> dict[str, Any]:
    """Return the kappas of one question."""
    items = [list(item.values()) for item in said if len(item) > 1]
    return {
        "micrographs": len(items),
        "fleiss": _rounded(fleiss_kappa(items)),
        "pairs": {
            f"{one} and {other}": {"micrographs": count, "cohen": _rounded(kappa)}
            for (one, other), (count, kappa) in pairwise_kappas(said).items()
        },
    }


def _rounded(kappa: float | None) -> float | None:
    """Return a kappa with as many digits as anyone believes."""
    return None if kappa is None else round(kappa, 4)
