"""The guards against believing itself: what is known of a trained classifier, put to the rules.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.learning.learnt_references import LearntReferences
from cryoverdict.engine.learning.particle_lesson import ParticleLesson
from cryoverdict.engine.learning.particle_training import TrainedClassifier
from cryoverdict.engine.training.quality import area_under_roc
from cryoverdict.features.feature import Absent, Answer

# Averages more alike than this, at the best turn, show one view.
ALIKE = 0.85
FIFTHS = 5
# The recall that the guards look at, which is also the usual one.
USUAL_RECALL = 0.98


def lesson_facts(lesson: ParticleLesson) -> dict[str, Answer]:
    """Return what is known before anything is trained."""
    return {
        "micrograph_count": float(len(np.unique(lesson.micrograph))),
        "good_count": float(lesson.good.sum()),
        "junk_count": float((~lesson.good).sum()),
    }


def training_facts(
    lesson: ParticleLesson, trained: TrainedClassifier, frozen_auc_lost: float | None
) -> dict[str, Answer]:
    """Return what is known of a trained classifier, ``frozen_auc_lost`` against one before."""
    taught, back = ~trained.kept_back, trained.kept_back
    kept = lesson.good & (trained.held_out >= trained.model.threshold(USUAL_RECALL))
    references = trained.eyes.references
    fifth = _fifths(lesson.defocus_a)
    return {
        **lesson_facts(lesson),
        "held_out_auc": _area(trained.held_out[taught], lesson.good[taught]),
        "kept_back_auc": _area(trained.held_out[back], lesson.good[back]),
        "picker_auc": _area(lesson.score[back], lesson.good[back]),
        "frozen_auc_lost": Absent("there was no model before")
        if frozen_auc_lost is None
        else frozen_auc_lost,
        "largest_view_share": largest_view_share(references),
        "roundness": roundness(references),
        "view_change": change_of_shares(lesson.number[lesson.good], lesson.number[kept]),
        "defocus_change": Absent("defocus unknown")
        if fifth is None
        else change_of_shares(fifth[lesson.good], fifth[kept]),
    }


def largest_view_share(references: LearntReferences) -> float:
    """Return the share of the good particles whose averages are alike at the best turn."""
    good = np.flatnonzero(references.good)
    averages = torch.from_numpy(references.averages[good])
    alike = likenesses(averages) >= ALIKE
    members = references.members[good].astype(np.float64)
    order = np.argsort(-members, kind="stable")
    group = np.full(len(good), -1)
    for k in order:
        if group[k] < 0:
            group[(group < 0) & alike[k]] = k
    shares = [members[group == g].sum() for g in np.unique(group)]
    return float(max(shares) / members.sum())


def likenesses(averages: torch.Tensor) -> NDArray[np.float64]:
    """Return the correlations ``(K, K)`` of averages ``(K, R, H + 1)`` at their best turns.

    Rings count by the number of their pixels; mirror images are told apart, as projections from
    opposite sides are.
    """
    radii = torch.arange(1, averages.shape[1] + 1, dtype=torch.float32).sqrt()
    weighted = averages * radii[None, :, None]
    series = torch.einsum("arh,brh->abh", weighted, weighted.conj())
    angles = 4 * series.shape[-1]
    curves = torch.fft.hfft(series, n=angles, dim=-1)
    own = torch.diagonal(curves[..., 0])
    best = curves.amax(dim=-1) / torch.sqrt(own[:, None] * own[None, :]).clamp(min=1e-12)
    return np.asarray(best.numpy(), np.float64)


def roundness(references: LearntReferences) -> float:
    """Return the share of the good averages' power that a turn does not change."""
    averages = references.averages[references.good]
    rings = np.arange(1, averages.shape[1] + 1)[None, :]
    power = np.square(np.abs(averages))
    around = power[..., 0] + 2.0 * power[..., 1:].sum(axis=-1)
    return float((power[..., 0] * rings).sum() / max(float((around * rings).sum()), 1e-12))


def change_of_shares(before: NDArray[np.int64], after: NDArray[np.int64]) -> Answer:
    """Return the total variation distance between the shares of some numbers in two lists."""
    if not len(before) or not len(after):
        return Absent("no good particle")
    values = np.unique(np.concatenate([before, after]))
    shares = [np.array([(part == v).mean() for v in values]) for part in (before, after)]
    return float(0.5 * np.abs(shares[0] - shares[1]).sum())


def _fifths(defocus_a: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return the fifth of the defocus range of each particle; ``None`` where it is unknown."""
    if not np.isfinite(defocus_a).all():
        return None
    edges = np.quantile(defocus_a, np.arange(1, FIFTHS) / FIFTHS)
    return np.searchsorted(edges, defocus_a, side="right").astype(np.int64)


def _area(score: NDArray[np.float64], good: NDArray[np.bool_]) -> Answer:
    """Return the area under the ROC curve; absent where there is only one sort."""
    known = np.isfinite(score)
    area = area_under_roc(score[known], good[known])
    return Absent("only one sort of particle") if np.isnan(area) else area
