"""How the values of one measurement are spread over a data set, by outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A figure has one bin for each value where few whole numbers occur, else about 2√n, within these.
FEWEST_BINS, MOST_BINS = 10, 28
# Places on the distribution that a reader's eye knows: ends, quartiles, and the 5 % tails.
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
# A tail longer than this many central ranges is gathered in the last bin.
LONGEST_TAIL = 0.6
# Two measurements that order the data set alike say the same thing twice on a page.
SAME_ORDER = 0.95
# Fewer subjects than this on one side cannot be compared with the other.
FEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Counts in equal bins from ``low`` to ``high``, kept and rejected apart.

    ``gathers_below`` and ``gathers_above`` say that the end bins hold farther values too.
    ``quantiles`` are those of `QUANTILES` over kept and rejected together.
    """

    low: float
    high: float
    kept: tuple[int, ...]
    rejected: tuple[int, ...]
    gathers_below: bool
    gathers_above: bool
    quantiles: tuple[float, ...]


def distribution_of(values: Floats, kept: NDArray[np.bool_]) -> Distribution | None:
    """Return the distribution of values ``(subjects,)``, NaN where absent; ``None`` of no value."""
    known = np.isfinite(values)
    if not known.any():
        return None
    numbers, of_kept = values[known], kept[known]
    quantiles = np.quantile(numbers, QUANTILES)
    near, far = np.quantile(numbers, (0.02, 0.98))
    tail = LONGEST_TAIL * (far - near)
    # Where the centre has no width (nearly all values alike) the ends are the only scale.
    low = max(quantiles[0], near - tail) if tail > 0 else quantiles[0]
    high = min(quantiles[-1], far + tail) if tail > 0 else quantiles[-1]
    if high <= low:
        width = max(abs(low) * 0.05, 0.5)
        low, high = low - width, high + width
    low, high, bins = _bins(numbers, low, high)
    clipped = np.clip(numbers, low, high)
    histograms = [np.histogram(clipped[s], bins, (low, high))[0] for s in (of_kept, ~of_kept)]
    return Distribution(
        low=float(low),
        high=float(high),
        kept=tuple(int(n) for n in histograms[0]),
        rejected=tuple(int(n) for n in histograms[1]),
        gathers_below=bool(quantiles[0] < low),
        gathers_above=bool(quantiles[-1] > high),
        quantiles=tuple(float(q) for q in quantiles),
    )


def _bins(numbers: Floats, low: float, high: float) -> tuple[float, float, int]:
    """Return the ends and the number of bins: one a value for whole numbers of a short range."""
    if high - low < MOST_BINS - 1 and np.array_equal(numbers, np.round(numbers)):
        low, high = np.floor(low) - 0.5, np.ceil(high) + 0.5
        return low, high, int(high - low)
    bins = int(np.clip(round(2 * np.sqrt(numbers.size)), FEWEST_BINS, MOST_BINS))
    return low, high, bins


def separation(values: Floats, kept: NDArray[np.bool_]) -> float:
    """Return how well a measurement tells kept from rejected: 0 not at all, 1 without overlap.

    Twice the distance of the area under the ROC curve (Mann–Whitney U over the number of pairs)
    from one half, times the fraction of subjects that have a value.
    """
    known = np.isfinite(values)
    numbers, of_kept = values[known], kept[known]
    n_kept, n_rejected = int(of_kept.sum()), int((~of_kept).sum())
    if min(n_kept, n_rejected) < FEWEST:
        return 0.0
    u = _ranks(numbers)[of_kept].sum() - n_kept * (n_kept + 1) / 2
    return float(abs(2 * u / (n_kept * n_rejected) - 1) * known.mean())


def most_telling(values: Floats, kept: NDArray[np.bool_], number: int) -> tuple[int, ...]:
    """Return the columns of values ``(subjects, features)`` in which kept and rejected differ most.

    A column that orders the subjects as one already chosen does is passed over. Where nothing
    differs (one outcome only) the first columns with more than one value are returned.
    """
    scores = [separation(column, kept) for column in values.T]
    telling = [j for j in np.argsort([-s for s in scores], kind="stable") if scores[j] > 0]
    chosen: list[int] = []
    for j in telling:
        if all(_same_order(values[:, j], values[:, k]) < SAME_ORDER for k in chosen):
            chosen.append(int(j))
        if len(chosen) == number:
            break
    if not chosen:
        several = (np.unique(c[np.isfinite(c)]).size > 1 for c in values.T)
        chosen = [j for j, varied in enumerate(several) if varied][:number]
    return tuple(chosen)


def _same_order(a: Floats, b: Floats) -> float:
    """Return the absolute rank correlation of two columns where both have values."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < FEWEST:
        return 0.0
    x, y = _ranks(a[both]), _ranks(b[both])
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x * x).sum() * (y * y).sum())
    return float(abs((x * y).sum()) / norm) if norm > 0 else 0.0


def _ranks(numbers: Floats) -> Floats:
    """Return ranks from 1 on, equal numbers sharing their mean rank."""
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[place]
