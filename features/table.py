"""The feature table: subjects × features, and for each absent cell the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Absent, Answer, Feature, Given
from cryoverdict.features.input_error import InputError

SUBJECT = "subject"
ABSENT = "absent"
GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTable:
    """Measured values of many subjects of one data set.

    ``values`` is ``(subjects, features)`` float64, NaN where a cell is absent; ``absent`` gives
    the reason of each such cell under ``(subject, feature)``; ``units`` the unit of each feature;
    ``given`` the cells that came with the list and were not measured.
    """

    subjects: tuple[str, ...]
    features: tuple[str, ...]
    units: Mapping[str, str]
    values: NDArray[np.float64]
    absent: Mapping[tuple[str, str], str]
    given: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        """Hold the promise that every absent cell has its reason, and no other cell has one."""
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
        cls, rows: Mapping[str, Mapping[str, Answer]], features: Sequence[Feature]
    ) -> FeatureTable:
        """Build a table from ``{subject: {feature name: answer}}`` in the order given."""
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
        return FeatureTable(
            subjects=wanted,
            features=self.features,
            units=self.units,
            values=self.values[[index[s] for s in wanted]],
            absent={cell: why for cell, why in self.absent.items() if cell[0] in chosen},
            given=frozenset(cell for cell in self.given if cell[0] in chosen),
        )

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of subjects, features, units, values, reasons and givens."""
        sha = hashlib.sha256()
        head = [self.subjects, self.features, dict(self.units)]
        sha.update(json.dumps(head, sort_keys=True).encode())
        sha.update(np.nan_to_num(self.values, nan=np.inf).astype("<f8").tobytes())
        sha.update(json.dumps([sorted(self.absent.items()), sorted(self.given)]).encode())
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
        temporary = path.with_name(path.name + ".part")
        pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), temporary)
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
        names = [f.name for f in table.schema if f.name not in (SUBJECT, ABSENT, GIVEN)]
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
        )
