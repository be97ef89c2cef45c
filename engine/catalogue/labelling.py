"""A person labelling micrographs one by one, with undo; and labels from a list.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from cryoverdict.engine.catalogue.database import Catalogue, add
from cryoverdict.engine.catalogue.history import read_history
from cryoverdict.engine.catalogue.label_list import ListedRating
from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.engine.catalogue.recording import add_ratings
from cryoverdict.engine.catalogue.schema import (
    DATA_SETS,
    LABELS,
    MEASUREMENTS,
    MICROGRAPHS,
    RETRACTIONS,
)
from cryoverdict.engine.catalogue.vocabulary import DEFECTS, GRADES, Meaning, label_of
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.read_image import image_suffix

PICTURES = ("thumbnail", "spectrum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a rater is shown of a micrograph; nothing of what others or models say."""

    number: int
    name: str
    data_set: str
    pixel_size_a: float | None
    rows_px: int
    columns_px: int


@dataclass(slots=True, kw_only=True)
class LabellingSession:
    """One rater's way through the micrographs that this rater has not judged yet.

    ``waiting`` are their numbers in order; ``given`` the labels of this session with their
    micrographs, latest last; ``rated_on`` is the day on which the rater sits here.
    """

    catalogue: Catalogue
    rater: str
    rated_on: str
    waiting: list[int] = field(default_factory=list)
    given: list[tuple[int, int]] = field(default_factory=list)
    undone: int = 0

    def shown(self) -> Shown | None:
        """Return the micrograph to judge now, ``None`` when all are judged."""
        if not self.waiting:
            return None
        columns = (
            MICROGRAPHS.c.id,
            MICROGRAPHS.c.name,
            DATA_SETS.c.name.label("data_set"),
            MICROGRAPHS.c.pixel_size_a,
            MICROGRAPHS.c.rows_px,
            MICROGRAPHS.c.columns_px,
        )
        query = sa.select(*columns).join(DATA_SETS).where(MICROGRAPHS.c.id == self.waiting[0])
        with self.catalogue.reading() as connection:
            row = connection.execute(query).mappings().one()
        return Shown(number=row["id"], **{n: v for n, v in row.items() if n != "id"})

    def judge(
        self, number: int, *, favourable: bool, grade: str | None, defects: Iterable[str]
    ) -> None:
        """Keep a label of the micrograph shown, and go on to the next.

        Raises `EngineError` for another micrograph than the one shown (a page that is behind), an
        unknown word, or a grade of a rejected one.
        """
        named = frozenset(defects)
        unknown = sorted(named - set(DEFECTS))
        if unknown or (grade is not None and (grade not in GRADES or not favourable)):
            word = unknown[0] if unknown else grade
            msg = f"label: {word!r}; accepted are {', '.join((*GRADES, *DEFECTS))}"
            raise EngineError(msg)
        self._expect(number)
        said = " ".join(
            ["keep" if favourable else "reject", *filter(None, [grade]), *sorted(named)]
        )
        rating = Rating(
            label=label_of(Meaning(favourable=favourable, grade=grade, defects=named)),
            rater=self.rater,
            rated_on=self.rated_on,
            said=said,
            place="labelling page",
            nonce=uuid.uuid4().hex,
        )
        with self.catalogue.writing() as connection:
            add_ratings(connection, number, [rating])
            newest = sa.select(sa.func.max(LABELS.c.id)).where(
                LABELS.c.micrograph_id == number, LABELS.c.rater == self.rater
            )
            label = connection.execute(newest).scalar_one()
        self.waiting.pop(0)
        self.given.append((number, label))

    def skip(self, number: int) -> None:
        """Put the micrograph shown at the end of the line."""
        self._expect(number)
        self.waiting.append(self.waiting.pop(0))

    def undo(self) -> bool:
        """Retract the latest label of this session and show its micrograph again.

        The label stays in the history, as retracted. Returns whether there was one.
        """
        if not self.given:
            return False
        number, label = self.given[-1]
        with self.catalogue.writing() as connection:
            add(connection, RETRACTIONS, [{"label_id": label, "retracted_on": self.rated_on}])
        self.given.pop()
        self.waiting.insert(0, number)
        self.undone += 1
        return True

    def picture(self, number: int, name: str) -> bytes | None:
        """Return the newest thumbnail or spectrum of a micrograph as JPEG, ``None`` without one."""
        if name not in PICTURES:
            return None
        column = MEASUREMENTS.c[name]
        query = (
            sa.select(column)
            .where(MEASUREMENTS.c.micrograph_id == number, column.is_not(None))
            .order_by(MEASUREMENTS.c.id.desc())
            .limit(1)
        )
        with self.catalogue.reading() as connection:
            content: bytes | None = connection.execute(query).scalar()
        return content

    def _expect(self, number: int) -> None:
        """Raise `EngineError` unless a micrograph is the one shown."""
        if not self.waiting or self.waiting[0] != number:
            msg = f"label: micrograph {number} is not the one shown; load the page again"
            raise EngineError(msg)


def begin_labelling(
    catalogue: Catalogue,
    *,
    rater: str,
    rated_on: str,
    data_sets: Sequence[str] = (),
    queue: Sequence[str] | None = None,
) -> LabellingSession:
    """Return a session over what a rater has not judged, data set by data set.

    ``queue`` names the only micrographs to show, in the order in which they are shown; as in
    `attach_labels` only the file's own name counts. Raises `EngineError` where none of them is in
    the catalogue.
    """
    query = sa.select(MICROGRAPHS.c.id, MICROGRAPHS.c.name).join(DATA_SETS)
    if data_sets:
        query = query.where(DATA_SETS.c.name.in_(data_sets))
    with catalogue.reading() as connection:
        found = connection.execute(
            query.order_by(DATA_SETS.c.name, MICROGRAPHS.c.name, MICROGRAPHS.c.id)
        ).all()
        judged = {
            said.micrograph
            for said in read_history(connection)
            if said.present and said.rating.rater == rater
        }
    if queue is not None:
        place = {_stem(name): i for i, name in reversed(list(enumerate(queue)))}
        found = sorted((r for r in found if _stem(r[1]) in place), key=lambda r: place[_stem(r[1])])
        if not found:
            msg = (
                f"label: none of the {len(queue)} micrographs of the queue is in the catalogue; "
                "accepted are those that `import` or `learn --catalogue` entered"
            )
            raise EngineError(msg)
    waiting = [number for number, _ in found if number not in judged]
    return LabellingSession(catalogue=catalogue, rater=rater, rated_on=rated_on, waiting=waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """How many labels of a list were new, how many known, and those whose file was not found."""

    added: int
    known: int
    lost: tuple[str, ...]


def attach_labels(
    catalogue: Catalogue, lines: Sequence[ListedRating], *, data_set: str | None
) -> Attached:
    """Add the labels of a list to micrographs that are in the catalogue, by file name.

    Only the file's own name counts, without folder and suffix; ``data_set`` (of the line, else of
    the call) narrows the search. A name that several micrographs have is lost, as is one that none
    has; the reasons are told. All labels are added together or none.
    """
    query = sa.select(MICROGRAPHS.c.id, MICROGRAPHS.c.name, DATA_SETS.c.name.label("data_set"))
    added, judged, lost = 0, 0, []
    with catalogue.writing() as connection:
        named: dict[str, list[tuple[int, str]]] = {}
        for number, name, belongs in connection.execute(query.join(DATA_SETS)).all():
            named.setdefault(_stem(name), []).append((number, belongs))
        for line in lines:
            if line.rating is None:
                continue
            wanted = line.data_set or data_set
            found = [n for n, s in named.get(_stem(line.file), []) if wanted in (None, s)]
            if len(found) != 1:
                why = "not in the catalogue" if not found else f"{len(found)} have this name"
                lost.append(f"{line.file}: {why}")
                continue
            judged += 1
            added += add_ratings(connection, found[0], [line.rating])
    return Attached(added=added, known=judged - added, lost=tuple(lost))


def _stem(name: str) -> str:
    """Return a file's own name without folder and image suffix."""
    own = Path(name).name
    suffix = image_suffix(own)
    return own[: len(own) - len(suffix)] if suffix else own
