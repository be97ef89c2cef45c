"""What a measurement of single particle images is called, in which unit it counts, what it means.

Particles come by the million, so their measurements are made of many images at once: a function
takes a batch and returns one number a particle, NaN where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Better, Unit

Seen = TypeVar("Seen")
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleFeature:
    """One measurement of particles: its name with the unit, a direction, a meaning, a source.

    ``better`` says whether a higher or a lower value speaks for a particle, as for a `Feature`.
    """

    name: str
    unit: Unit
    better: Better
    meaning: str
    source: str
    function: Callable[[Any], Values]

    def measure(self, batch: Any) -> Values:
        """Return the values ``(n,)`` of a batch."""
        return self.function(batch)


def particle_feature(
    *, unit: Unit = "1", better: Better = "neither", source: str
) -> Callable[[Callable[[Seen], NDArray[np.floating[Any]]]], ParticleFeature]:
    """Turn a function of a batch into a `ParticleFeature`: its name, its docstring's first line."""

    def wrap(function: Callable[[Seen], NDArray[np.floating[Any]]]) -> ParticleFeature:
        def values(batch: Seen) -> Values:
            """Return what the function measures, in double precision."""
            return np.asarray(function(batch), np.float64)

        return ParticleFeature(
            name=function.__name__,
            unit=unit,
            better=better,
            meaning=(function.__doc__ or "").strip().splitlines()[0],
            source=source,
            function=values,
        )

    return wrap
