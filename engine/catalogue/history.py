"""What raters say today of micrographs, and what they said before.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.engine.catalogue.schema import LABELS, RETRACTIONS
from cryoverdict.engine.training.labelled_set import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One rating in the history of a micrograph.

    ``present`` is true of the one that its rater holds to today; ``retracted`` of one taken back.
    """

    number: int
    micrograph: int
    rating: Rating
    retracted: bool
    present: bool


def read_history(
    connection: sa.Connection, micrographs: Sequence[int] | None = None
) -> tuple[Said, ...]:
    """Return every rating of some micrographs (of all where ``None``), oldest first.

    What a rater says today is the rating with the latest day; those without a day count as older
    than those with one, and of equals the one entered last counts.
    """
    retracted = RETRACTIONS.c.label_id.is_not(None).label("retracted")
    query = sa.select(LABELS, retracted).select_from(LABELS.outerjoin(RETRACTIONS))
    if micrographs is not None:
        query = query.where(LABELS.c.micrograph_id.in_(micrographs))
    rows = connection.execute(query.order_by(LABELS.c.id)).mappings().all()
    latest: dict[tuple[int, str], tuple[str, int]] = {}
    for row in rows:
        if not row["retracted"]:
            whose = (row["micrograph_id"], row["rater"])
            age = (row["rated_on"] or "", row["id"])
            latest[whose] = max(latest.get(whose, age), age)
    return tuple(
        Said(
            number=row["id"],
            micrograph=row["micrograph_id"],
            rating=_rating(row),
            retracted=row["retracted"],
            present=latest.get((row["micrograph_id"], row["rater"]), ("", -1))[1] == row["id"],
        )
        for row in rows
    )


def present_ratings(connection: sa.Connection) -> dict[int, dict[str, Rating]]:
    """Return for each labelled micrograph what each of its raters says today."""
    found: dict[int, dict[str, Rating]] = defaultdict(dict)
    for said in read_history(connection):
        if said.present:
            found[said.micrograph][said.rating.rater] = said.rating
    return dict(found)


def _rating(row: sa.RowMapping | dict[str, Any]) -> Rating:
    """Return a row of the labels as a rating."""
    return Rating(
        label=Label(
            favourable=row["favourable"],
            grade=row["grade"],
            defects=frozenset(row["defects"].split()),
            doubtful=frozenset(row["doubtful"].split()),
            weight=row["weight"],
        ),
        rater=row["rater"],
        rated_on=row["rated_on"],
        said=row["said"],
        place=row["place"],
    )
