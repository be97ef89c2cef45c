"""The feature table: subjects × features, and for each absent cell the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Absent, Answer, Feature, Given
from cryoverdict.features.input_error import InputError

SUBJECT = "subject"
ABSENT = "absent"
GIVEN = "given"
# A column that begins so holds embeddings: lists of float32, null where there is none.
EMBEDDING = "embedding:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTable:
    """Measured values of many subjects of one data set.

    ``values`` is ``(subjects, features)`` float64, NaN where a cell is absent; ``absent`` gives
    the reason of each such cell under ``(subject, feature)``; ``units`` the unit of each feature;
    ``given`` the cells that came with the list and were not measured. ``embeddings`` gives for
    each network by name ``(subjects, d)`` float32, a row of NaN where a subject has none.
    """

    subjects: tuple[str, ...]
    features: tuple[str, ...]
    units: Mapping[str, str]
    values: NDArray[np.float64]
    absent: Mapping[tuple[str, str], str]
    given: frozenset[tuple[str, str]] = frozenset()
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the promise that every absent cell has its reason, and no other cell has one."""
        for name, rows in self.embeddings.items():
            if rows.ndim != 2 or len(rows) != len(self.subjects):
                shape = f"{len(self.subjects)} rows"
                msg = f"feature table: embeddings {name} are {rows.shape}; accepted are {shape}"
                raise InputError(msg)
        if self.values.shape != (len(self.subjects), len(self.features)):
            shape = f"{len(self.subjects)} subjects by {len(self.features)} features"
            msg = f"feature table: values are {self.values.shape}; accepted is {shape}"
            raise InputError(msg)
        if len(set(self.subjects)) != len(self.subjects):
            msg = "feature table: a subject stands twice; each subject is one row"
            raise InputError(msg)
        holes = {
            (self.subjects[i], self.features[j]) for i, j in np.argwhere(np.isnan(self.values))
        }
        if holes != set(self.absent):
            cell = sorted(holes ^ set(self.absent))[0]
            msg = f"feature table: cell {cell} is absent without a reason, or has one and a value"
            raise InputError(msg)

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Mapping[str, Answer]],
        features: Sequence[Feature],
        embeddings: Mapping[str, Mapping[str, NDArray[np.float32]]] | None = None,
    ) -> FeatureTable:
        """Build a table from ``{subject: {feature name: answer}}`` in the order given.

        ``embeddings`` gives ``{network: {subject: vector}}``, of as many subjects as have one.
        """
        names = tuple(f.name for f in features)
        values = np.full((len(rows), len(names)), np.nan)
        absent: dict[tuple[str, str], str] = {}
        given: set[tuple[str, str]] = set()
        for i, (subject, answers) in enumerate(rows.items()):
            for j, name in enumerate(names):
                match answers.get(name, Absent("not measured")):
                    case Absent(reason):
                        absent[subject, name] = reason
                    case Given(value):
                        values[i, j] = value
                        given.add((subject, name))
                    case float(value):
                        values[i, j] = value
        return cls(
            subjects=tuple(rows),
            features=names,
            units={f.name: f.unit for f in features},
            values=values,
            absent=absent,
            given=frozenset(given),
            embeddings={
                name: _stacked(tuple(rows), vectors)
                for name, vectors in sorted((embeddings or {}).items())
                if vectors
            },
        )

    def row(self, subject: str) -> dict[str, float]:
        """Return the present values of one subject."""
        cells = self.values[self.subjects.index(subject)]
        return {n: float(v) for n, v in zip(self.features, cells, strict=True) if not np.isnan(v)}

    def column(self, feature: str) -> NDArray[np.float64]:
        """Return one feature over all subjects, NaN where absent."""
        if feature not in self.features:
            msg = f"feature table: there is no feature {feature}; it has {', '.join(self.features)}"
            raise InputError(msg)
        return self.values[:, self.features.index(feature)]

    def select(self, subjects: Iterable[str]) -> FeatureTable:
        """Return the rows of some subjects, in their order."""
        wanted = tuple(subjects)
        index = {s: i for i, s in enumerate(self.subjects)}
        chosen = set(wanted)
        at = [index[s] for s in wanted]
        return FeatureTable(
            subjects=wanted,
            features=self.features,
            units=self.units,
            values=self.values[at],
            absent={cell: why for cell, why in self.absent.items() if cell[0] in chosen},
            given=frozenset(cell for cell in self.given if cell[0] in chosen),
            embeddings={name: rows[at] for name, rows in self.embeddings.items()},
        )

    def varied(self, subject: str, values: NDArray[np.float64]) -> FeatureTable:
        """Return a table of variations of one subject: other ``values``, the same embeddings."""
        names = tuple(str(i) for i in range(len(values)))
        row = self.subjects.index(subject)
        return FeatureTable(
            subjects=names,
            features=self.features,
            units=self.units,
            values=values,
            absent={
                (names[i], self.features[j]): "absent" for i, j in np.argwhere(np.isnan(values))
            },
            embeddings={
                name: np.repeat(rows[row : row + 1], len(values), axis=0)
                for name, rows in self.embeddings.items()
            },
        )

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of subjects, features, units, values, reasons, givens, embeddings."""
        sha = hashlib.sha256()
        head = [self.subjects, self.features, dict(self.units)]
        sha.update(json.dumps(head, sort_keys=True).encode())
        sha.update(np.nan_to_num(self.values, nan=np.inf).astype("<f8").tobytes())
        sha.update(json.dumps([sorted(self.absent.items()), sorted(self.given)]).encode())
        for name in sorted(self.embeddings):
            sha.update(name.encode())
            sha.update(np.nan_to_num(self.embeddings[name], nan=np.inf).astype("<f4").tobytes())
        return sha.hexdigest()

    def write(self, path: Path) -> None:
        """Write the table as Parquet, under a temporary name that is then moved into place."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        reasons: list[dict[str, str]] = [{} for _ in self.subjects]
        index = {s: i for i, s in enumerate(self.subjects)}
        for (subject, name), why in self.absent.items():
            reasons[index[subject]][name] = why
        columns: list[pa.Array] = [pa.array(list(self.subjects), pa.string())]
        fields = [pa.field(SUBJECT, pa.string())]
        for j, name in enumerate(self.features):
            column = self.values[:, j]
            columns.append(pa.array(column, pa.float64(), mask=np.isnan(column)))
            fields.append(pa.field(name, pa.float64(), metadata={"unit": self.units[name]}))
        givens: list[list[str]] = [[] for _ in self.subjects]
        for subject, name in sorted(self.given):
            givens[index[subject]].append(name)
        for name, cells in ((ABSENT, reasons), (GIVEN, givens)):
            columns.append(pa.array([json.dumps(c, sort_keys=True) for c in cells], pa.string()))
            fields.append(pa.field(name, pa.string()))
        for name in sorted(self.embeddings):
            columns.append(_arrow_rows(self.embeddings[name]))
            fields.append(pa.field(EMBEDDING + name, columns[-1].type))
        temporary = path.with_name(path.name + ".part")
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> FeatureTable:
        """Read a table that `write` wrote; raises `InputError` for anything else."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            msg = f"{path}: not a feature table ({error}); accepted is a features.parquet"
            raise InputError(msg) from error
        seen = [n for n in table.column_names if n.startswith(EMBEDDING)]
        others = (SUBJECT, ABSENT, GIVEN, *seen)
        names = [f.name for f in table.schema if f.name not in others]
        lacking = {SUBJECT, ABSENT, GIVEN} - set(table.column_names)
        if lacking:
            msg = f"{path}: lacks the columns {sorted(lacking)}; accepted is a features.parquet"
            raise InputError(msg)
        subjects = tuple(table[SUBJECT].to_pylist())
        units = {
            n: (table.schema.field(n).metadata or {b"unit": b"1"})[b"unit"].decode() for n in names
        }
        values = np.empty((len(subjects), len(names)))
        for j, name in enumerate(names):
            values[:, j] = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
        absent = {
            (subject, name): why
            for subject, text in zip(subjects, table[ABSENT].to_pylist(), strict=True)
            for name, why in json.loads(text).items()
        }
        given = frozenset(
            (subject, name)
            for subject, text in zip(subjects, table[GIVEN].to_pylist(), strict=True)
            for name in json.loads(text)
        )
        return cls(
            subjects=subjects,
            features=tuple(names),
            units=units,
            values=values,
            absent=absent,
            given=given,
            embeddings={n.removeprefix(EMBEDDING): _read_rows(table[n], path) for n in seen},
        )


def joined(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Return the rows of several tables of the same features, one below the other.

    Raises `InputError` for tables of other features, or with a subject in common.
    """
    first = tables[0]
    for table in tables[1:]:
        if table.features != first.features or dict(table.units) != dict(first.units):
            odd = sorted(set(table.features) ^ set(first.features)) or ["the order"]
            msg = (
                f"feature tables: {odd[0]} differs; only tables of the same features can be joined"
            )
            raise InputError(msg)
    widths = {name: rows.shape[1] for t in tables for name, rows in t.embeddings.items()}
    return FeatureTable(
        subjects=tuple(s for t in tables for s in t.subjects),
        features=first.features,
        units=first.units,
        values=np.vstack([t.values for t in tables]),
        absent={cell: why for t in tables for cell, why in t.absent.items()},
        given=frozenset().union(*(t.given for t in tables)),
        embeddings={
            name: np.vstack(
                [
                    t.embeddings.get(name, np.full((len(t.subjects), width), np.nan, np.float32))
                    for t in tables
                ]
            )
            for name, width in sorted(widths.items())
        },
    )


def _stacked(
    subjects: Sequence[str], vectors: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return one row a subject, NaN where it has no vector."""
    width = len(next(iter(vectors.values())))
    nothing = np.full(width, np.nan, np.float32)
    return np.stack([np.asarray(vectors.get(s, nothing), np.float32) for s in subjects])


def _arrow_rows(rows: NDArray[np.float32]) -> Any:
    """Return ``(n, d)`` as an Arrow column of lists, null where a row is NaN."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(rows, np.float32).ravel(), pa.float32())
    gone = pa.array(np.isnan(rows).any(axis=1))
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1], mask=gone)


def _read_rows(column: Any, path: Path) -> NDArray[np.float32]:
    """Return what `_arrow_rows` made, read back; raises `InputError` for another type."""
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        msg = f"{path}: embeddings of type {column.type}; accepted are lists of fixed size"
        raise InputError(msg)
    rows = np.full((len(column), column.type.list_size), np.nan, np.float32)
    present = ~np.asarray(column.is_null())
    if present.any():
        flat = column.drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
        rows[present] = flat.reshape(-1, column.type.list_size)
    return rows
