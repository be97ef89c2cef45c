"""Extracted particles sorted by a learnt model: scored, kept at a chosen recall, accounted for.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.decision import Decision, installed_version
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation
from cryoverdict.engine.kinds.keep_particles import KEEP_PARTICLES
from cryoverdict.engine.learning.learnt_model import LearntModel
from cryoverdict.engine.learning.particle_measuring import (
    MeasuredParticles,
    measure_particles,
    particle_features,
)
from cryoverdict.engine.training.training import one_thread
from cryoverdict.features.particle_feature import Values
from cryoverdict.features.particle_places import ParticlePlaces, members_of

# So many particles are measured at once, whole micrographs: memory stays bounded.
AT_ONCE = 20_000
SUBJECT = "all particles, by the learnt model"
# A threshold beyond these is one that keeps, or rejects, everything.
SUREST = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SortedParticles:
    """What a learnt model says of the particles of some lists, in the order of the stack.

    ``log_odds`` ``(n,)`` of being good; ``kept`` those from ``threshold`` on; ``number``,
    ``turn_deg`` and ``shift_a`` ``(n, 2)`` are class, turn and centre of the best match.
    ``strange`` is the share of the measurements outside what the model has learnt from, ``terms``
    the mean absolute contribution of each measurement to the log-odds, the strongest first.
    """

    lists: ParticleLists
    log_odds: Values
    threshold: float
    recall: float
    kept: NDArray[np.bool_]
    number: NDArray[np.int64]
    turn_deg: Values
    shift_a: Values
    strange: float
    terms: Mapping[str, float]
    decision: Decision

    @property
    def probability(self) -> Values:
        """Probability ``(n,)`` of being good."""
        return 1.0 / (1.0 + np.exp(-np.clip(self.log_odds, -500.0, 500.0)))

    @property
    def expected_good(self) -> float:
        """Number of good particles that the model expects among all."""
        return float(self.probability.sum())


def sort_particles(
    lists: ParticleLists, model: LearntModel, digest: str, *, recall: float, threads: int
) -> SortedParticles:
    """Score all particles and decide which are kept.

    ``recall`` is the share of good particles to keep, by what the model missed of its lesson on
    micrographs that it had not seen. Raises `EngineError` for a recall or particles that the model
    does not know.
    """
    threshold = model.particles.threshold(recall)
    parts = []
    rows = []
    with one_thread():
        for indices in _parts(lists):
            places = _places(lists, indices, model)
            stack = lists.stack
            parts.append(measure_particles(stack, indices, places, model.eyes, threads=threads))
            rows.append(indices)
    order = np.argsort(np.concatenate(rows), kind="stable")
    values = np.concatenate([p.values for p in parts])[order]
    log_odds = model.particles.log_odds(values)
    kept = log_odds >= threshold
    scale = model.particles.model.members.standardisation
    strange = float(scale.strangeness(values).mean())
    turn, shift, number = _placed(parts, order)
    return SortedParticles(
        lists=lists,
        log_odds=log_odds,
        threshold=threshold,
        recall=recall,
        kept=kept,
        number=number,
        turn_deg=turn,
        shift_a=shift * lists.stack.pixel_size_a,
        strange=strange,
        terms=_terms(model, values),
        decision=_decision(log_odds, kept, threshold, recall, digest),
    )


def _terms(model: LearntModel, values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean absolute contribution of each measurement, the strongest first."""
    _, terms = model.particles.model.terms(values)
    weight = np.abs(terms).mean(axis=0)
    names = [f.name for f in particle_features()]
    order = np.argsort(-weight, kind="stable")
    return {names[j]: float(weight[j]) for j in order}


def _parts(lists: ParticleLists) -> list[NDArray[np.int64]]:
    """Return the particles in parts of whole micrographs, ascending within each part."""
    parts: list[NDArray[np.int64]] = []
    waiting: list[NDArray[np.int64]] = []
    for mine in members_of(_micrograph(lists)):
        waiting.append(mine)
        if sum(map(len, waiting)) >= AT_ONCE:
            parts.append(np.sort(np.concatenate(waiting)))
            waiting = []
    if waiting:
        parts.append(np.sort(np.concatenate(waiting)))
    return parts


def _micrograph(lists: ParticleLists) -> NDArray[np.int64]:
    """Return the number of each particle's micrograph; of its stack where the list has none."""
    names = lists.stack.particles.column("rlnMicrographName")
    if names is None:
        return lists.stack.file.astype(np.int64)
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)


def _places(lists: ParticleLists, indices: NDArray[np.int64], model: LearntModel) -> ParticlePlaces:
    """Return where some particles lie; NaN where the list does not say."""
    table = lists.stack.particles

    def column(label: str) -> NDArray[np.float64]:
        words = table.column(label)
        if words is None:
            return np.full(len(indices), np.nan)
        return np.array([words[i] for i in indices.tolist()], np.float64)

    return ParticlePlaces(
        x_px=column("rlnCoordinateX"),
        y_px=column("rlnCoordinateY"),
        score=column("rlnAutopickFigureOfMerit"),
        micrograph=_micrograph(lists)[indices],
        diameter_px=float(model.card["diameter_px"]),
    )


def _placed(
    parts: list[MeasuredParticles], order: NDArray[np.intp]
) -> tuple[Values, Values, NDArray[np.int64]]:
    """Return turn, shift and class of the best match, in the order of the stack."""
    return (
        np.concatenate([p.match.turn_deg for p in parts])[order],
        np.concatenate([p.match.shift_px for p in parts])[order],
        np.concatenate([p.match.number for p in parts])[order],
    )


def _decision(
    log_odds: Values, kept: NDArray[np.bool_], threshold: float, recall: float, digest: str
) -> Decision:
    """Return the decision on the particles as a group.

    The probability is that of a particle drawn from the kept ones being good; the threshold and
    what the model says of them make it up.
    """
    probability = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -SUREST, SUREST)))
    good = float(np.clip(probability[kept].mean() if kept.any() else 0.5, 1e-6, 1.0 - 1e-6))
    odds = log(good / (1.0 - good))
    bounded = float(np.clip(threshold, -SUREST, SUREST))
    share = int(kept.sum())
    evidence = (
        Evidence(
            source="model",
            name="threshold",
            log_odds=bounded,
            text=f"A particle is kept from log-odds of {bounded:+.2f}, which keeps {recall:.1%} of "
            "the good ones of the runs that taught.",
            value=recall,
        ),
        Evidence(
            source="model",
            name="particle-classifier",
            log_odds=odds - bounded,
            text=f"{share} of {len(kept)} particles are above it; {good:.1%} of these are expected "
            "to be good.",
            value=float(share),
            unit="count",
        ),
    )
    explanation = Explanation(prior_log_odds=0.0, evidence=evidence)
    return Decision(
        kind=KEEP_PARTICLES.id,
        subject=SUBJECT,
        outcome="keep" if explanation.favourable else "reject",
        explanation=explanation,
        digests={"model": digest},
        version=installed_version(),
    )
