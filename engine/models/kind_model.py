"""All models of one kind of decision, with the card that says what they learnt from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.models.company import Company, company_of, put_beside, taken_alone
from cryoverdict.engine.models.embedding_basis import EmbeddingBasis
from cryoverdict.engine.models.novelty import Novelty, trust_at
from cryoverdict.engine.models.offset_model import OffsetModel
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_set import Kinds, parts_by_kind

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KindModel:
    """The models of one kind: the favourable outcome, its better grade, and each defect.

    ``strangeness_limit`` is the share of a subject's values outside the training range above
    which it counts as unlike any seen in training. ``basis`` makes embeddings into features;
    ``None`` for models that learnt without them. ``novelty`` says how unlike a data set is.
    """

    kind: str
    favourable: OffsetModel
    grade: OffsetModel | None
    defects: Mapping[str, OffsetModel]
    strangeness_limit: float
    card: Mapping[str, Any]
    basis: EmbeddingBasis | None = None
    novelty: Novelty | None = None

    def trust(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return how far the rows of one data set are off, and how much the model then counts.

        1 is the limit of what the model knows; a model that does not know its limits counts fully.
        """
        if self.novelty is None or not len(values):
            return 0.0, 1.0
        alone = taken_alone(values, self.favourable.features)
        distance = self.novelty.distance(self.favourable.members.standardisation, alone)
        return distance, trust_at(distance)

    def values(self, table: FeatureTable, kinds: Kinds | None = None) -> NDArray[np.float64]:
        """Return ``(subjects, features)`` in the models' order, NaN where the table has none.

        A subject's company are those of its kind in the table; see `values_among`.
        """
        values = np.empty((len(table.subjects), len(self.favourable.features)))
        row = {subject: i for i, subject in enumerate(table.subjects)}
        companies = self.companies(table, kinds)
        for kind, part in parts_by_kind(table, kinds).items():
            values[[row[s] for s in part.subjects]] = self.values_among(part, companies[kind])
        return values

    def values_among(self, table: FeatureTable, company: Company) -> NDArray[np.float64]:
        """Return `values` of subjects, or variations of one, that came in a company."""
        names = self.favourable.features
        return put_beside(values_of(table, names, self.basis), names, company)

    def favourable_odds(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return what the model alone says of the favourable outcome of one data set's subjects."""
        values = self.values(table)
        return self.favourable.log_odds(values, np.zeros(len(values)))

    def companies(self, table: FeatureTable, kinds: Kinds | None = None) -> dict[str, Company]:
        """Return the company that the subjects of each kind are to each other."""
        names = self.favourable.features
        return {
            kind: company_of(values_of(part, names, self.basis), names)
            for kind, part in parts_by_kind(table, kinds).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "favourable": self.favourable.to_dict(),
            "grade": self.grade and self.grade.to_dict(),
            "defects": {name: model.to_dict() for name, model in self.defects.items()},
            "strangeness_limit": self.strangeness_limit,
            "card": dict(self.card),
            "embedding": self.basis and self.basis.to_dict(),
            "novelty": self.novelty and self.novelty.to_dict(),
        }

    def text(self) -> str:
        """Return the file's content: the same model gives the same bytes."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")) + "\n"

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the file's content."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write the model as JSON, moved into place when it is whole."""
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(self.text(), encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def from_text(cls, text: str, place: str) -> KindModel:
        """Return what `text` holds; raises `EngineError` naming ``place`` for anything else."""
        try:
            record = json.loads(text)
            if record["format"] != FORMAT:
                msg = f"{place}: model format {record['format']}; accepted is {FORMAT}; train anew"
                raise EngineError(msg)
            grade, basis = record["grade"], record.get("embedding")
            novelty = record.get("novelty")
            return cls(
                kind=record["kind"],
                favourable=OffsetModel.from_dict(record["favourable"]),
                grade=grade and OffsetModel.from_dict(grade),
                defects={n: OffsetModel.from_dict(m) for n, m in record["defects"].items()},
                strangeness_limit=record["strangeness_limit"],
                card=record["card"],
                basis=basis and EmbeddingBasis.from_dict(basis),
                novelty=novelty and Novelty.from_dict(novelty),
            )
        except (KeyError, TypeError, ValueError) as error:
            fault = record_fault(error)
            msg = f"{place}: not a cryoverdict model: {fault}; write one with `cryoverdict train`"
            raise EngineError(msg) from error


def values_of(
    table: FeatureTable, names: Sequence[str], basis: EmbeddingBasis | None
) -> NDArray[np.float64]:
    """Return ``(subjects, names)`` of a table, NaN where it has none, embeddings projected.

    What compares a subject with its company is left to `Company`.
    """
    seen: dict[str, NDArray[np.float64]] = {}
    if basis is not None:
        seen = dict(zip(basis.names, basis.project(table).T, strict=True))
    nothing = np.full(len(table.subjects), np.nan)
    measured = set(table.features)
    columns = [table.column(n) if n in measured else seen.get(n, nothing) for n in names]
    return np.column_stack(columns)


def shipped_model(kind: str) -> KindModel:
    """Return the model that ships with the package for one kind of decision."""
    return KindModel.from_text(shipped_text(kind), f"{kind}.json")


def shipped_text(kind: str) -> str:
    """Return the file's content of the model that ships for one kind of decision."""
    shipped = files("cryoverdict.engine.models").joinpath("shipped")
    return shipped.joinpath(f"{kind}.json").read_text(encoding="utf-8")


def read_model(path: Path) -> KindModel:
    """Return the model in a file that `KindModel.write` wrote."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = (
            f"{path}: cannot be read ({error}); accepted is a model written by `cryoverdict train`"
        )
        raise EngineError(msg) from error
    return KindModel.from_text(text, str(path))
