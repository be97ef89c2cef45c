"""Fit a particle classifier on a lesson, held out by micrograph throughout.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.learning.learnt_references import Geometry, learn_references
from cryoverdict.engine.learning.particle_lesson import ParticleLesson
from cryoverdict.engine.learning.particle_measuring import (
    Eyes,
    measure_particles,
    particle_features,
)
from cryoverdict.engine.learning.particle_model import ParticleModel, recall_thresholds
from cryoverdict.engine.learning.particle_network import (
    Lesson,
    ParticleNetwork,
    particle_pictures,
    train_network,
)
from cryoverdict.engine.models.offset_model import (
    OffsetModel,
    Recipe,
    TrainingData,
    held_out_margins,
)
from cryoverdict.engine.training.training import MONOTONE, one_thread
from cryoverdict.features.particle_feature import Values
from cryoverdict.features.particle_places import ParticlePlaces

TARGET = "good"
# Every so many micrographs are kept back: they teach nothing, and judge the finished model.
KEPT_BACK = 5
PRIOR_PRECISION, ROUNDS = 8.0, 120


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedClassifier:
    """A fitted classifier, and what it says of its own lesson.

    ``held_out`` ``(n,)``: the log-odds of every particle by models, averages and networks that had
    not seen its micrograph. ``kept_back`` ``(n,)``: the particles of the micrographs that had no
    part in the finished model; of these ``held_out`` is what the finished model says.
    """

    eyes: Eyes
    model: ParticleModel
    held_out: Values
    kept_back: NDArray[np.bool_]


def train_particles(
    lesson: ParticleLesson,
    parameters: ClassificationParameters,
    *,
    seed: int,
    threads: int,
) -> TrainedClassifier:
    """Fit averages, networks and model.

    The micrographs that teach are dealt into two halves. Averages and network of one half measure
    the particles of the other, so that no measurement knows its own particle; on these the model
    is fitted, its stack and its thresholds on margins held out by micrograph. The finished eyes
    have the averages of both halves and both networks. Raises `EngineError` where a half has no
    good class, or only one sort of particle.
    """
    geometry = Geometry.of(lesson.stack, parameters)
    names, micrograph = np.unique(lesson.micrograph, return_inverse=True)
    order = np.random.default_rng((seed, 23)).permutation(len(names))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    back = (rank % KEPT_BACK == KEPT_BACK - 1)[micrograph] & (len(names) > KEPT_BACK)
    half = rank[micrograph] % 2
    pictures = particle_pictures(
        lesson.stack,
        np.arange(len(lesson.stack)),
        0.5 * geometry.mask_diameter_a / geometry.pixel_size_a,
    )
    images = geometry.images(lesson.stack)
    with one_thread():
        eyes, values = [], np.empty((len(lesson.good), len(particle_features())))
        for side in (0, 1):
            taught = (half == side) & ~back
            references = learn_references(
                images, taught, lesson.number, lesson.averages, lesson.good_class
            )
            network = train_network(
                Lesson(
                    pictures=pictures[taught],
                    good=lesson.good[taught],
                    weight=lesson.weight[taught],
                ),
                seed=seed + side,
            )
            eyes.append(Eyes(geometry=geometry, references=references, networks=(network,)))
            other = (half != side) & ~back
            values[other] = _measured(lesson, other, eyes[-1], threads)
        networks: tuple[ParticleNetwork, ...] = tuple(n for e in eyes for n in e.networks)
        both = Eyes(
            geometry=geometry,
            references=learn_references(
                images, ~back, lesson.number, lesson.averages, lesson.good_class
            ),
            networks=networks,
        )
        model, held_out = _fitted(lesson, values, ~back, seed)
        if back.any():
            seen = _measured(lesson, back, both, threads)
            held_out[back] = model.log_odds(seen, np.zeros(int(back.sum())))
    taught = lesson.good & ~back
    return TrainedClassifier(
        eyes=both,
        model=ParticleModel(model=model, thresholds=recall_thresholds(held_out, taught)),
        held_out=held_out,
        kept_back=back,
    )


def places_of(lesson: ParticleLesson, chosen: NDArray[np.bool_]) -> ParticlePlaces:
    """Return where some particles of a lesson lie."""
    names = np.char.add(np.char.add(lesson.run[chosen], "\n"), lesson.micrograph[chosen])
    return ParticlePlaces(
        x_px=lesson.xy_px[chosen, 0],
        y_px=lesson.xy_px[chosen, 1],
        score=lesson.score[chosen],
        micrograph=np.unique(names, return_inverse=True)[1].astype(np.int64),
        diameter_px=lesson.diameter_px,
    )


def _measured(
    lesson: ParticleLesson, chosen: NDArray[np.bool_], eyes: Eyes, threads: int
) -> NDArray[np.float64]:
    """Return the measurements of some particles of a lesson."""
    places = places_of(lesson, chosen)
    indices = np.flatnonzero(chosen).astype(np.int64)
    return measure_particles(lesson.stack, indices, places, eyes, threads=threads).values


def _fitted(
    lesson: ParticleLesson, values: NDArray[np.float64], taught: NDArray[np.bool_], seed: int
) -> tuple[OffsetModel, Values]:
    """Return the model of the particles that teach, and what models say of micrographs held out."""
    runs = np.unique(lesson.run[taught])
    group = lesson.run if len(runs) > 2 else lesson.micrograph
    data = TrainingData(
        values=values[taught],
        target=lesson.good[taught].astype(np.float64),
        offset=np.zeros(int(taught.sum())),
        data_set=group[taught],
        weight=lesson.weight[taught],
    )
    features = particle_features()
    monotone = [MONOTONE[f.better] for f in features]
    recipe = Recipe(prior_precision=PRIOR_PRECISION, rounds=ROUNDS, seed=seed)
    model = OffsetModel.fit(
        TARGET, [f.name for f in features], data, monotone=monotone, recipe=recipe
    )
    margins = held_out_margins(data, monotone, recipe)
    held_out = np.full(len(lesson.good), np.nan)
    held_out[taught] = (
        model.intercept + model.glm_weight * margins[:, 0] + model.tree_weight * margins[:, 1]
    )
    return model, held_out
