"""How many of the places above a score are particles, by what chance alone would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Double = NDArray[np.float64]

MISS = 2.0
# Half the width over which the density of scores is told.
DENSITY_WIDTH = 0.15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Discoveries:
    """Scores of a data set beside those that chance gives in the same area.

    ``scores`` ``(m,)`` fall; ``null`` ``(m,)`` is how many by chance exceed each. ``likely`` is the
    most places that chance does not explain: an estimate of the number of particles.
    """

    scores: _Double
    null: _Double
    likely: float

    @property
    def rate(self) -> _Double:
        """Share of the places at or above each score that chance explains, never falling."""
        share = np.minimum(self.null / np.arange(1, len(self.scores) + 1), 1.0)
        # The rate that can be reached at some lower score holds at this one, too.
        lowest: _Double = np.minimum.accumulate(share[::-1])[::-1]
        return lowest

    @property
    def expected_f1(self) -> _Double:
        """F that each score as threshold is expected to give against all likely particles.

        A particle missed counts `MISS` times a false pick, which 2D classification throws out.
        """
        count = np.arange(1, len(self.scores) + 1)
        true = np.maximum(count - self.null, 0.0)
        worth: _Double = (1.0 + MISS) * true / (count + MISS * max(self.likely, 1.0))
        return worth

    def threshold(self, rate: float) -> float:
        """Return the score with the best expected F among those that hold a discovery rate.

        Infinite where no score holds it.
        """
        if not len(self.scores):
            return float("inf")
        good = np.where(self.rate <= rate, self.expected_f1, -1.0)
        best = int(good.argmax())
        return float(self.scores[best]) if good[best] > 0.0 else float("inf")

    def local_rate(self, score: _Double) -> _Double:
        """Return how likely chance explains a place of each score, from densities over 0.5."""
        width = 0.25
        high, low = score + width, score - width
        seen = self._above(low) - self._above(high)
        chance = self._null_above(low) - self._null_above(high)
        share: _Double = np.clip(chance / np.maximum(seen, 1.0), 0.0, 1.0)
        return share

    def noise_part(self, threshold: float) -> float:
        """Return how much of the score noise gave, in the mean, to the places from a threshold on.

        A score is what a particle gives plus noise of deviation 1, and what is chosen by its score
        was lucky. By Tweedie's formula the luck at a score is minus the slope of the logarithm of
        the density of scores; its mean over all from a threshold on is the density there over
        their number. Source: Efron, J. Am. Stat. Assoc. 106:1602, 2011.
        """
        above = float(np.count_nonzero(self.scores >= threshold))
        if not above:
            return 0.0
        lowest = max(float(self.scores[-1]), threshold - DENSITY_WIDTH)
        highest = threshold + DENSITY_WIDTH
        near = np.count_nonzero((self.scores >= lowest) & (self.scores < highest))
        return float(near / (highest - lowest) / above)

    def _above(self, score: _Double) -> _Double:
        """Return how many scores exceed each of some values."""
        return np.searchsorted(-self.scores, -score, side="right").astype(np.float64)

    def _null_above(self, score: _Double) -> _Double:
        """Return how many exceed each of some values by chance."""
        if not len(self.scores):
            return np.zeros(len(score))
        return np.interp(score, self.scores[::-1], self.null[::-1])


def discoveries(
    scores: _Double, null_scores: _Double, null_weights: float | _Double = 1.0
) -> Discoveries:
    """Return the discoveries of some scores; each null score stands for ``null_weights`` places.

    Source: Benjamini & Hochberg 1995 for the rate; decoys as Elias & Gygi 2007 in proteomics.
    """
    falling = np.sort(scores)[::-1]
    order = np.argsort(-null_scores, kind="stable")
    weights = np.broadcast_to(np.asarray(null_weights, np.float64), null_scores.shape)[order]
    reached = np.searchsorted(-null_scores[order], -falling, side="right")
    null = np.concatenate((np.zeros(1), np.cumsum(weights)))[reached]
    true = np.arange(1, len(falling) + 1) - null
    likely = float(true.max()) if len(falling) else 0.0
    return Discoveries(scores=falling, null=null, likely=max(likely, 0.0))
