"""Numbers that speak of the whole data set: median, spread, quantile, count, robust z.

A position within the data set travels between laboratories where an absolute number does not.
Statistics are taken over the finite values that are present; fewer than `FEWEST_PRESENT` of them
give none, because the spread of a handful says nothing. The robust z of a subject is
``(x - median) / (1.4826 · MAD)`` with the median absolute deviation (MAD) of the data set, as
SIMPLE normalises class averages; the factor makes the MAD of a Gaussian its standard deviation.
Where more than half of the values are equal the MAD is 0 and a robust z could not be said. No
measurement repeats better than to some tenths of a per cent, so the divisor is at least
`RELATIVE_FLOOR` of the median and `ABSOLUTE_FLOOR` of the unit: images that are nearly the same
have no outliers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cryoverdict.rules.evaluation import Evaluation
from cryoverdict.rules.expression import Expression, Name, Number, Statistic, text

Numbers = NDArray[np.float64]
FEWEST_PRESENT = 8
GAUSSIAN = 1.4826
# A spread this far below the values themselves is rounding, not variation.
ROUNDING = 1e-9
# A spread below these is the noise of the measurement: what a feature may change by where the same
# image is turned or stored otherwise (0.1 %), with a margin. In 245 simulated and real data sets no
# answer of a shipped rule depends on them.
RELATIVE_FLOOR = 0.005
ABSOLUTE_FLOOR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetStatistics:
    """The statistics that a rule set needs of one data set.

    ``values`` holds them by their text, such as ``median(ctf_resolution_a)``; NaN where the data
    set gives none. Kept beside the decisions, they let a rule be asked again about one subject
    without the whole table. ``among`` says in words of which subjects they were taken where these
    are not the whole list, such as ``12 micrographs of the same kind (PNG, …)``.
    """

    values: Mapping[str, float]
    among: str = ""

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the names and values."""
        content = {name: repr(value) for name, value in self.values.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def of(
        self, node: Statistic, argument: Callable[[Expression], Numbers], size: int, fraction: float
    ) -> Numbers:
        """Return a statistic for each of ``size`` subjects; ``argument`` gives their own values."""
        inner = node.argument
        if node.function != "robust_z" or inner is None:
            return np.full(size, self.values.get(key(node, fraction), np.nan))
        middle = self.values.get(f"median({text(inner)})", np.nan)
        spread = GAUSSIAN * self.values.get(f"mad({text(inner)})", np.nan)
        if not spread > ROUNDING * abs(middle):
            return np.full(size, np.nan)
        floor = max(RELATIVE_FLOOR * abs(middle), ABSOLUTE_FLOOR)
        return (argument(inner) - middle) / max(spread, floor)


def key(node: Statistic, fraction: float) -> str:
    """Return the text under which a statistic is kept; a quantile's fraction stands as a number."""
    if node.function == "quantile" and node.argument is not None:
        return f"quantile({text(node.argument)}, {fraction:g})"
    return text(node)


def measure_statistics(
    nodes: Iterable[tuple[Statistic, float]],
    column: Callable[[str], Numbers],
    size: int,
    among: str = "",
) -> DataSetStatistics:
    """Return the statistics that ``nodes`` (each with its quantile's fraction) ask for.

    ``column`` returns a feature over the ``size`` subjects of the data set, NaN where absent.
    """

    def refuse(node: Statistic) -> Numbers:
        """Statistics of statistics do not pass the checker."""
        raise AssertionError(text(node))

    evaluation = Evaluation(size=size, thresholds={}, column=column, statistic=refuse)
    values: dict[str, float] = {}
    for node, fraction in nodes:
        if node.argument is None:
            values["count()"] = float(size)
            continue
        span = evaluation.span(node.argument)
        present = span.low[span.exact]
        name = text(node.argument)
        if node.function == "count":
            values[f"count({name})"] = float(present.size)
        elif node.function == "quantile":
            values[key(node, fraction)] = _enough(present, partial(_quantile, fraction=fraction))
        else:
            values[f"median({name})"] = _enough(present, np.median)
            values[f"mad({name})"] = _enough(present, _mad)
    return DataSetStatistics(values=dict(sorted(values.items())), among=among)


def _enough(present: Numbers, statistic: Callable[[Numbers], np.floating]) -> float:
    """Return a statistic of the present values, NaN where they are too few."""
    return float(statistic(present)) if present.size >= FEWEST_PRESENT else float("nan")


def _quantile(present: Numbers, fraction: float) -> np.floating:
    """Return the value below which a fraction of the present values lies; NaN outside 0 to 1."""
    return np.quantile(present, fraction) if 0 <= fraction <= 1 else np.float64(np.nan)


def _mad(present: Numbers) -> np.floating:
    """Return the median absolute deviation from the median, not scaled."""
    return np.median(np.abs(present - np.median(present)))


def fraction_of(node: Statistic, thresholds: Mapping[str, float]) -> float:
    """Return the fraction of a quantile, which is a threshold or a bare 0 or 1; else NaN."""
    match node.fraction:
        case Name(name=name):
            return thresholds[name]
        case Number(value=value):
            return value
        case _:
            return float("nan")
