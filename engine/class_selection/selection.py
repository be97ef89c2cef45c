"""The selection of class averages of one run: decisions, guards, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.decision import Decision
from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_view import ClassView
from cryoverdict.features.table import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the rejection of one class takes from the data set.

    ``particles`` and ``share`` of all; ``view_share`` of the run's views, where each class is one
    as probably as it is good (0 where a kept class shows the same); ``defocus_share`` the largest
    share that it has in one fifth of the defocus range. ``None`` where the run does not say.
    """

    subject: str
    particles: int | None
    share: float | None
    view_share: float
    defocus_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalPrice:
    """What all rejections together take: classes, particles, views, defocus range, each a share."""

    classes: float
    particles: float | None
    views: float
    defocus_range: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleVerdicts:
    """Which particles are kept, and why the others are not; one entry a particle, in list order.

    ``reason`` is empty for the kept ones: ``noise: class 3`` where the class was rejected,
    ``outlier: `` and the names of the rules where a particle of a good class is one.
    ``probability`` is that of keeping, within good classes; NaN elsewhere. ``rules`` counts how
    often each rule spoke.
    """

    kept: NDArray[np.bool_]
    reason: tuple[str, ...]
    probability: NDArray[np.float64]
    rules: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSelection:
    """All that was decided about one run.

    ``decisions`` are of the kind select-classes, in the order of the averages; ``guards`` look
    after the whole; ``particle_decision`` is the one on outliers within good classes, taken for
    them as a group. ``notes`` are sentences about the run.
    """

    classes: ClassSet
    views: tuple[ClassView, ...]
    table: FeatureTable
    decisions: tuple[Decision, ...]
    guards: tuple[Decision, ...]
    prices: Mapping[str, Price]
    total: TotalPrice
    particles: ParticleVerdicts | None
    particle_decision: Decision | None
    notes: tuple[str, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """The subjects of the good classes, in the order of the run."""
        return tuple(d.subject for d in self.decisions if d.explanation.favourable)

    @property
    def flagged(self) -> tuple[Decision, ...]:
        """The guards that ask for a look at the whole run."""
        return tuple(g for g in self.guards if not g.explanation.favourable)
