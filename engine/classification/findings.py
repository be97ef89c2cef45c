"""What is known of each particle while a classification runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.expectation import Posterior

# Bounds of a particle's noise power relative to its group's: beyond them something else is wrong.
LEAST_NORM, MOST_NORM = 0.5, 4.0


@dataclass(slots=True, kw_only=True)
class Findings:
    """The latest findings for each particle, as `Classification` describes them.

    ``norm``: the particle's noise power over that of its optics group, 1 until it is known.
    """

    number: NDArray[np.int64]
    probability: NDArray[np.float16]
    turn_rad: NDArray[np.float32]
    shift_px: NDArray[np.float32]
    top: NDArray[np.float32]
    log_evidence: NDArray[np.float32]
    significant: NDArray[np.int32]
    norm: NDArray[np.float32]

    @classmethod
    def unseen(cls, count: int, classes: int) -> Findings:
        """Return particles of which nothing is known; their class is −1."""
        return cls(
            number=np.full(count, -1, dtype=np.int64),
            probability=np.zeros((count, classes), dtype=np.float16),
            turn_rad=np.zeros(count, dtype=np.float32),
            shift_px=np.zeros((count, 2), dtype=np.float32),
            top=np.zeros(count, dtype=np.float32),
            log_evidence=np.zeros(count, dtype=np.float32),
            significant=np.zeros(count, dtype=np.int32),
            norm=np.ones(count, dtype=np.float32),
        )

    def take(self, indices: NDArray[np.int64], found: Posterior) -> None:
        """Note what one batch was found to be."""
        self.number[indices] = found.by_class.argmax(dim=1).cpu().numpy()
        self.probability[indices] = found.by_class.cpu().numpy()
        self.turn_rad[indices] = found.turn_rad.cpu().numpy()
        self.shift_px[indices] = found.shift_px.cpu().numpy()
        self.top[indices] = found.top.cpu().numpy()
        self.log_evidence[indices] = found.log_evidence.cpu().numpy()
        self.significant[indices] = found.significant.cpu().numpy()
        misfit = found.misfit.cpu().numpy() * self.norm[indices]
        self.norm[indices] = np.clip(misfit, LEAST_NORM, MOST_NORM)
