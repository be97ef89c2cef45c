"""What is measured of a finished classification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.simulated_particles import JUNK, SimulatedParticles
from tests.benchmarks.classification_programs import Run

GOOD = ("good_refined", "good_selected")


def simulated_figures(
    truth: SimulatedParticles, run: Run, junk_allowed: float | None = None
) -> dict[str, float]:
    """Return how well a run's classes agree with the truth.

    Both normalised figures, ``nmi`` and ``ami``, fall with the number of classes that hold
    particles, ``homogeneity`` (the share of what there is to know of species and junk that the
    class tells) does not. ``kept`` and ``junk_left`` are those of keeping every class of mostly
    true particles; ``kept_at`` the most true particles that whole classes can keep with no more
    than ``junk_allowed`` junk left (by default with what this run leaves).
    """
    from sklearn.metrics import (
        adjusted_mutual_info_score,
        homogeneity_score,
        normalized_mutual_info_score,
    )

    kind, number = truth.species, run.number
    counts = np.zeros((len(run.shares), len(truth.names) + 1), dtype=np.int64)
    np.add.at(counts, (number, kind + 1), 1)
    most = counts.argmax(axis=1) - 1
    used = counts.sum(axis=1) > 0
    good = counts[:, 1:].sum(axis=1) >= 0.5 * counts.sum(axis=1)
    kept = good[number] & used[number]
    true = kind != JUNK
    junk_left = float((~true[kept]).mean()) if kept.any() else 0.0
    return {
        "purity": float(counts.max(axis=1).sum() / len(kind)),
        "nmi": float(normalized_mutual_info_score(kind, number)),
        "ami": float(adjusted_mutual_info_score(kind, number)),
        "homogeneity": float(homogeneity_score(kind, number)),
        "kept": float(kept[true].mean()),
        "junk_left": junk_left,
        "kept_at": most_kept(counts, junk_left if junk_allowed is None else junk_allowed),
        "auc_true": share_auc(true, number),
        "agreement": agreement(truth, run),
        "fewest_classes": float(min((most[used] == s).sum() for s in range(len(truth.names)))),
        **common_figures(run),
    }


def real_figures(labels: NDArray[np.str_], run: Run) -> dict[str, float]:
    """Return the ROC areas of the share of good particles in a particle's class."""
    good = np.isin(labels, GOOD)
    figures = {}
    for name, bad in (
        ("auc_rejected", ("rejected_by_2D",)),
        ("auc_all", ("rejected_by_2D", "not_picked_by_template")),
    ):
        used = good | np.isin(labels, bad)
        figures[name] = share_auc(good[used], run.number[used])
    return {**figures, **common_figures(run)}


def share_auc(good: NDArray[np.bool_], number: NDArray[np.int64]) -> float:
    """Return the ROC area of the share of good particles in a particle's class."""
    from sklearn.metrics import roc_auc_score

    y = good.astype(float)
    size, sum_good = np.bincount(number), np.bincount(number, y)
    score = (sum_good[number] - y + y.mean()) / size[number]  # itself left out, an average one in
    return float(roc_auc_score(y, score))


def most_kept(counts: NDArray[np.int64], junk_allowed: float) -> float:
    """Return the share of true particles in the classes taken best first, while junk allows.

    ``counts`` ``(K, 1 + species)``: particles of each class, junk first.
    """
    junk, true = counts[:, 0], counts[:, 1:].sum(axis=1)
    order = np.argsort(junk / np.maximum(junk + true, 1), kind="stable")
    taken_junk, taken_true = np.cumsum(junk[order]), np.cumsum(true[order])
    allowed = taken_junk <= (junk_allowed + 1e-9) * np.maximum(taken_junk + taken_true, 1)
    return float(np.where(allowed, taken_true, 0).max() / max(true.sum(), 1))


def common_figures(run: Run) -> dict[str, float]:
    """Return what says something without a truth."""
    sizes = np.bincount(run.number, minlength=len(run.shares))
    part = sizes[sizes > 0] / sizes.sum()
    known = run.resolutions_a[(run.resolutions_a < 500) & (sizes > 0)]
    return {
        "alive": float((sizes > 0.1 * sizes.mean()).sum()),
        "effective": float(np.exp(-(part * np.log(part)).sum())),
        "largest": float(sizes.max() / sizes.sum()),
        "resolution_a": float(np.median(known)) if len(known) else float("nan"),
    }


def agreement(truth: SimulatedParticles, run: Run) -> float:
    """Return how alike a class's true particles are, turned as found: 1 all the same, 0 unrelated.

    The power of the mean of their clean images over the images' mean power, over all classes.
    """
    from scipy.ndimage import affine_transform

    middle = truth.clean.shape[-1] // 2
    shared, total = 0.0, 0.0
    for k in range(len(run.shares)):
        members = np.flatnonzero((run.number == k) & (truth.species != JUNK))[:200]
        if len(members) < 5:
            continue
        aligned = []
        for i in members:
            c, s = np.cos(np.radians(run.turn_deg[i])), np.sin(np.radians(run.turn_deg[i]))
            turn = np.array([[c, s], [-s, c]])
            offset = middle - turn @ (middle, middle)
            aligned.append(affine_transform(truth.clean[i], turn, offset, order=1).reshape(-1))
        flat = np.array(aligned)
        flat -= flat.mean(axis=1, keepdims=True)
        each = float((flat**2).sum(axis=1).mean())
        mean = float((flat.mean(axis=0) ** 2).sum())
        n = len(members)
        shared += n * (mean - each / n) * n / (n - 1)  # without each image's likeness to itself
        total += n * each
    return shared / total if total else 0.0
