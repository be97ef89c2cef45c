"""A subject beside its company: how far its values are from those of its own data set.

A value that is usual in one session is a fault in another, so a model learns from both: the value
as it is, and its robust z among the subjects it came with. As in `DataSetStatistics`, of whose
``robust_z`` this is the model's half, too few values or no variation give none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.rules.data_set_statistics import (
    ABSOLUTE_FLOOR,
    FEWEST_PRESENT,
    GAUSSIAN,
    RELATIVE_FLOOR,
    ROUNDING,
)

_BEFORE, _AFTER = "robust_z(", ")"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Middle and spread ``(features,)`` of each value over one data set; NaN where not known."""

    middle: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Company:
        """Measure a data set ``(subjects, features)``, NaN where absent."""
        middle = np.full(values.shape[1], np.nan)
        spread = np.full(values.shape[1], np.nan)
        for j, column in enumerate(values.T):
            present = column[np.isfinite(column)]
            if present.size < FEWEST_PRESENT:
                continue
            middle[j] = np.median(present)
            scatter = GAUSSIAN * np.median(np.abs(present - middle[j]))
            if scatter > ROUNDING * abs(middle[j]):
                spread[j] = max(scatter, RELATIVE_FLOOR * abs(middle[j]), ABSOLUTE_FLOOR)
        return cls(middle=middle, spread=spread)

    def beside(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the robust z ``(subjects, features)`` of values within this company."""
        z: NDArray[np.float64] = (values - self.middle) / self.spread
        return z


def compared(name: str) -> str:
    """Return the name of a value's robust z, as the rule language writes it.

    >>> compared("grey_mean_count")
    'robust_z(grey_mean_count)'
    """
    return f"{_BEFORE}{name}{_AFTER}"


def is_compared(name: str) -> bool:
    """Say whether a model's feature is a value beside its company."""
    return name.startswith(_BEFORE)


def uncompared(name: str) -> str:
    """Return the name of the value itself, of which a model's feature may be the robust z.

    >>> uncompared("robust_z(grey_mean_count)")
    'grey_mean_count'
    """
    return name.removeprefix(_BEFORE).removesuffix(_AFTER) if is_compared(name) else name


def company_of(values: NDArray[np.float64], names: Sequence[str]) -> Company:
    """Return the company that the rows of one data set are to each other.

    Its features are those values among the ``names`` that some other name compares.
    """
    return Company.of(values[:, _pairs(names)[1]])


def put_beside(
    values: NDArray[np.float64], names: Sequence[str], company: Company
) -> NDArray[np.float64]:
    """Return rows ``(subjects, names)`` with the columns of robust z filled in."""
    columns, sources = _pairs(names)
    filled = values.copy()
    filled[:, columns] = company.beside(values[:, sources])
    return filled


def taken_alone(values: NDArray[np.float64], names: Iterable[str]) -> NDArray[np.float64]:
    """Return rows as if each subject had come alone: without a robust z."""
    beside = np.array([is_compared(name) for name in names], dtype=bool)
    return np.where(beside, np.nan, values)


def _pairs(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the columns of robust z, and those of the values they compare."""
    at = {name: j for j, name in enumerate(names)}
    columns = [j for j, name in enumerate(names) if is_compared(name)]
    return columns, [at[uncompared(names[j])] for j in columns]
