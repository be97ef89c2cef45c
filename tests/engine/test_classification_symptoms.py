"""What a finished run shows of itself, and what the rules make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryoverdict.engine.classification_run.class_run import ClassRun
from cryoverdict.engine.classification_run.rerun import judged, told
from cryoverdict.engine.classification_run.symptoms import (
    gini,
    roundness,
    streak_ratio,
    symptoms_of,
)
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.features.feature import Absent
from cryoverdict.rules.rule_loader import load_rules

RULES = load_rules("classification", features=CLASSIFICATION.units())
BOX = 64
VALUES = {
    "classes": 20.0,
    "prior_strength": 1.0,
    "iterations": 25.0,
    "resolution_limit_a": 12.0,
    "mask_diameter_a": 180.0,
}
Y, X = np.mgrid[:BOX, :BOX] - BOX // 2


def noise(seed: int) -> np.ndarray:
    """Return noise without a direction, about as fine as a class average's."""
    from scipy.ndimage import gaussian_filter

    white = np.random.default_rng(seed).standard_normal((BOX, BOX))
    return np.asarray(gaussian_filter(white, 1.2), dtype=np.float32)


def streaks() -> np.ndarray:
    """Return spokes from the centre outwards."""
    return np.asarray(np.sin(9 * np.arctan2(Y, X)) + 0.1 * noise(1), dtype=np.float32)


def run_of(
    count: list[int], *, resolution_a: list[float], average: np.ndarray, last: dict[str, Any]
) -> ClassRun:
    number = np.repeat(np.arange(len(count)), count)
    n, k = len(number), len(count)
    return ClassRun(
        stem="run_it025",
        pixel_size_a=3.5,
        averages=np.repeat(average[None].astype(np.float32), k, axis=0),
        count=np.array(count),
        share=np.array(count) / n,
        resolution_a=np.array(resolution_a, dtype=float),
        rotation_accuracy_deg=np.full(k, 2.0),
        shift_accuracy_a=np.full(k, 2.0),
        names=tuple(f"{i}@p.mrcs" for i in range(n)),
        number=number,
        psi_deg=np.zeros(n),
        origin_a=np.zeros((n, 2)),
        top=np.full(n, 0.5),
        history=(last,),
    )


def verdict(
    run: ClassRun, **of_images: float
) -> tuple[dict[str, tuple[float, float]], tuple[str, ...]]:
    found = judged(
        RULES,
        subject="run_it025_model.star",
        values=VALUES,
        symptoms={**symptoms_of(run, 180.0), **of_images},
        particles=len(run.number),
    )
    return dict(found.changes), found.fired


GOOD = {"number": 25, "changed": 0.05}


def test_gini_of_equal_and_of_one_sided_sizes() -> None:
    assert gini(np.array([4.0, 4.0, 4.0, 4.0])) == 0.0
    assert gini(np.array([0.0, 0.0, 0.0, 8.0])) == pytest.approx(0.75)
    assert gini(np.zeros(3)) == 0.0


def test_streaks_are_told_from_noise_and_from_a_masks_edge() -> None:
    mask = np.clip((22.0 - np.hypot(X, Y)) / 5.0, 0.0, 1.0).astype(np.float32)
    plain = [streak_ratio((noise(s) + 3.0) * mask, 12.0, 20.0) for s in range(5)]
    assert all(r is not None and 0.6 < r < 1.6 for r in plain)
    ratio = streak_ratio(streaks() * mask, 12.0, 20.0)
    assert ratio is not None
    assert ratio > 4.0
    assert streak_ratio(np.zeros((BOX, BOX), dtype=np.float32), 12.0, 20.0) is None
    assert streak_ratio(noise(1), 3.1, 3.2) is None


def test_a_good_run_is_left_alone() -> None:
    run = run_of([150, 120, 100, 90, 80, 60], resolution_a=[14.0] * 6, average=noise(2), last=GOOD)
    assert verdict(run) == ({}, ())


def test_a_collapsed_run_gets_fewer_classes() -> None:
    counts = [500, 400, 300, 5, 0, 0, 0, 0]
    run = run_of(counts, resolution_a=[14.0] * 8, average=noise(2), last=GOOD)
    found = symptoms_of(run, 180.0)
    assert found["empty_class_share"] == pytest.approx(5 / 8)
    changes, fired = verdict(run)
    assert changes == {"classes": (20.0, 8.0)}  # 20 · 3/8, to a whole number
    assert fired == ("classification-rerun-collapsed",)


def test_streaks_weaken_the_prior() -> None:
    run = run_of([100] * 6, resolution_a=[14.0] * 6, average=streaks(), last=GOOD)
    assert verdict(run)[0] == {"prior_strength": (1.0, 0.5)}


def test_detail_that_is_not_there_when_held_back_makes_the_limit_coarser() -> None:
    run = run_of([100] * 6, resolution_a=[14.0] * 6, average=noise(2), last=GOOD)
    changes, fired = verdict(run, held_back_ratio=0.2)
    assert changes["resolution_limit_a"] == pytest.approx((12.0, 15.6))
    assert fired == ("classification-rerun-held-back",)
    coarse = run_of([100] * 6, resolution_a=[21.0] * 6, average=noise(2), last=GOOD)
    assert verdict(coarse, held_back_ratio=0.2)[0]["resolution_limit_a"] == (12.0, 21.0)
    assert verdict(run, held_back_ratio=0.6) == ({}, ())


def test_averages_finer_than_the_ctf_fits_make_the_limit_coarser() -> None:
    run = run_of([100] * 6, resolution_a=[12.0] * 6, average=noise(2), last=GOOD)
    changes, fired = verdict(run, ctf_resolution_a=18.0)
    assert changes == {"resolution_limit_a": (12.0, 18.0)}
    assert fired == ("classification-rerun-beyond-data",)
    assert verdict(run, ctf_resolution_a=5.0) == ({}, ())


def test_blobs_that_are_the_same_all_round_are_a_stall() -> None:
    blob = np.exp(-(np.hypot(X, Y) ** 2) / 200.0).astype(np.float32)
    assert roundness(blob, 24.0) == pytest.approx(1.0, abs=0.01)
    view = blob * np.exp(-((X / 9.0) ** 2)).astype(np.float32)
    assert 0.5 < (roundness(view, 24.0) or 0.0) < 0.95
    assert roundness(np.zeros((BOX, BOX), dtype=np.float32), 24.0) is None
    run = run_of([100] * 6, resolution_a=[30.0] * 6, average=blob, last=GOOD)
    assert verdict(run) == (
        {"prior_strength": (1.0, 2.0)},
        ("classification-rerun-stalled",),
    )
    shaped = run_of([100] * 6, resolution_a=[30.0] * 6, average=view, last=GOOD)
    assert symptoms_of(shaped, 180.0)["round_share"] == 0.0


def test_small_classes_as_fine_as_large_ones_are_overfitted() -> None:
    counts = [400, 380, 360] + [20] * 5
    fine = [12.0, 12.2, 12.4] + [11.0] * 5
    run = run_of(counts, resolution_a=fine, average=noise(2), last=GOOD)
    assert symptoms_of(run, 180.0)["overfit_share"] == pytest.approx(5 / 8)
    assert "resolution_limit_a" in verdict(run)[0]
    coarse = run_of(counts, resolution_a=[12.0] * 3 + [20.0] * 5, average=noise(2), last=GOOD)
    assert symptoms_of(coarse, 180.0)["overfit_share"] == 0.0


def test_a_run_that_does_not_settle_gets_more_iterations() -> None:
    run = run_of(
        [100] * 6, resolution_a=[14.0] * 6, average=noise(2), last={**GOOD, "changed": 0.4}
    )
    assert verdict(run)[0] == {"iterations": (25.0, 40.0)}


def test_blobs_of_many_particles_get_a_stronger_prior() -> None:
    run = run_of([300] * 6, resolution_a=[42.0] * 6, average=noise(2), last=GOOD)
    assert verdict(run)[0] == {"prior_strength": (1.0, 2.0)}
    few = run_of([30] * 6, resolution_a=[42.0] * 6, average=noise(2), last=GOOD)
    assert verdict(few)[0] == {}


def test_what_is_not_told_is_absent_and_changes_nothing() -> None:
    run = run_of(
        [100] * 6,
        resolution_a=[np.nan] * 6,
        average=np.zeros((BOX, BOX), dtype=np.float32),
        last={},
    )
    found = symptoms_of(run, 180.0)
    for name in ("changed_share", "round_share", "class_resolution_a", "streak_ratio"):
        assert isinstance(found[name], Absent), name
    assert verdict(run) == ({}, ())


def test_changes_are_told_in_words() -> None:
    assert told({"classes": (50.0, 20.0), "prior_strength": (1.0, 0.5)}) == (
        "classes 20 instead of 50, prior_strength 0.5 instead of 1"
    )
