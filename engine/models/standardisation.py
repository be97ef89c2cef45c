"""Values brought to a common scale, the same in training and in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Beyond this many robust deviations a value says no more than "extreme".
CLIP = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardisation:
    """Median and robust deviation of each feature in the training data, and the range seen there.

    ``low`` and ``high`` are the 0.5 and 99.5 % quantiles: a value beyond them is unlike training.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Standardisation:
        """Measure ``values`` ``(rows, features)``, NaN where absent.

        The scale is 1.4826 × MAD; where that is 0 (most rows share one value) the standard
        deviation; where that is 0 too, 1.
        """
        columns = [c[~np.isnan(c)] for c in values.T]
        columns = [c if c.size else np.zeros(1) for c in columns]
        centre = np.array([np.median(c) for c in columns])
        mad = [1.4826 * np.median(np.abs(c - m)) for c, m in zip(columns, centre, strict=True)]
        deviation = [c.std() for c in columns]
        scale = np.array(
            [m if m > 1e-3 * d else (d or 1.0) for m, d in zip(mad, deviation, strict=True)]
        )
        low, high = (np.array([np.quantile(c, q) for c in columns]) for q in (0.005, 0.995))
        return cls(centre=centre, scale=scale, low=low, high=high)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised values clipped to ±`CLIP`; an absent value becomes 0, no evidence."""
        z = np.clip((values - self.centre) / self.scale, -CLIP, CLIP)
        return np.nan_to_num(z, nan=0.0)

    def strangeness(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each row the share of its present values outside the training range."""
        present = ~np.isnan(values)
        outside = present & ((values < self.low) | (values > self.high))
        share: NDArray[np.float64] = outside.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        return share

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {k: getattr(self, k).tolist() for k in ("centre", "scale", "low", "high")}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Standardisation:
        """Return what `to_dict` wrote."""
        return cls(**{k: np.array(record[k]) for k in ("centre", "scale", "low", "high")})
