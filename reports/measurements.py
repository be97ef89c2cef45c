"""What a page says of each measurement: its meaning, how many have it, how it is spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Feature
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.detail import TableIndex
from cryoverdict.reports.distribution import Distribution, distribution_of
from cryoverdict.reports.histogram import Histogram, histogram_of
from cryoverdict.reports.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement over the data set.

    ``measured``, ``given`` and ``absent`` count the subjects; ``reason`` is the most frequent
    reason of absence; ``spread`` and ``figure`` are ``None`` where nobody has a value.
    """

    place: int
    name: str
    unit: str
    better: str
    meaning: str
    source: str
    measured: int
    given: int
    absent: int
    reason: str
    spread: Distribution | None
    figure: Histogram | None

    def to_dict(self) -> dict[str, Any]:
        """Return what the page's scripts need to know."""
        return {
            "name": self.name,
            "unit": self.unit,
            "better": self.better,
            "meaning": self.meaning,
            "source": self.source,
            "quantiles": None if self.spread is None else list(self.spread.quantiles),
        }


def measurements_of(
    table: FeatureTable,
    features: Sequence[Feature],
    values: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> tuple[Measurement, ...]:
    """Return one `Measurement` a column of the table.

    ``values`` ``(subjects, features)`` and ``kept`` ``(subjects,)`` are of the decided subjects;
    a column that no `Feature` describes has an empty meaning.
    """
    told = {f.name: f for f in features}
    givens = Counter(name for _, name in table.given)
    reasons: dict[str, Counter[str]] = {}
    for (_, name), why in table.absent.items():
        reasons.setdefault(name, Counter())[why] += 1
    made = []
    for place, name in enumerate(table.features):
        spread = distribution_of(values[:, place], kept)
        feature, given = told.get(name), givens[name]
        found = reasons.get(name, Counter())
        absent = found.total()
        made.append(
            Measurement(
                place=place,
                name=name,
                unit=table.units[name],
                better=feature.better if feature else "neither",
                meaning=feature.meaning if feature else "",
                source=feature.source if feature else "",
                measured=len(table.subjects) - absent - given,
                given=given,
                absent=absent,
                reason=min(found.items(), key=lambda pair: (-pair[1], pair[0]))[0] if found else "",
                spread=spread,
                figure=None if spread is None else histogram_of(spread),
            )
        )
    return tuple(made)


def values_of(
    rows: Sequence[Row], index: TableIndex
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values ``(decided rows, features)`` and which of these rows are kept."""
    decided = [row for row in rows if row.outcome != "error"]
    values = np.full((len(decided), len(index.table.features)), np.nan)
    for i, row in enumerate(decided):
        if row.subject in index.row:
            values[i] = index.table.values[index.row[row.subject]]
    return values, np.array([row.outcome == "keep" for row in decided], dtype=bool)
