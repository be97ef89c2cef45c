"""Places found in a picking image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Double = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Places in a picking image, best first.

    ``y`` and ``x`` are pixels of the picking image; ``score`` is in deviations of the noise;
    ``reference`` the number of the one that fitted best.
    """

    y: _Double
    x: _Double
    score: _Double
    reference: NDArray[np.intp]

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self.y)

    def pixels(self, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of the pixels, of an image of ``shape``, that the places are."""
        rows = np.clip(np.rint(self.y).astype(np.intp), 0, shape[0] - 1)
        return rows, np.clip(np.rint(self.x).astype(np.intp), 0, shape[1] - 1)

    def only(self, kept: NDArray[np.bool_]) -> Found:
        """Return those places for which ``kept`` is true."""
        return Found(
            y=self.y[kept], x=self.x[kept], score=self.score[kept], reference=self.reference[kept]
        )
