"""The mask trial: what two halves share, and how a diameter is chosen by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification.particle_stack import open_stack, part_of  # noqa: E402
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    simulated_particles,
    write_particles,
)
from cryoverdict.engine.classification_trial.agreement import (  # noqa: E402
    SharedDetail,
    shared_detail,
)
from cryoverdict.engine.classification_trial.mask_trial import (  # noqa: E402
    Candidate,
    mask_candidates,
    run_mask_trial,
    usual_or_best,
)

torch.set_num_threads(1)  # small work: a second thread only waits
BOX = 40


def blob(seed: int) -> np.ndarray:
    """Return an image with smooth detail inside a disc."""
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    image = gaussian_filter(np.random.default_rng(seed).standard_normal((BOX, BOX)), 1.5)
    return np.asarray(image / image.std() * (np.hypot(x, y) < 14), dtype=np.float32)


def noisy(images: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(images.shape)
    return np.asarray(images + deviation * noise, dtype=np.float32)


def bits(first: np.ndarray, second: np.ndarray) -> float:
    shares = (np.full(len(first), 10.0), np.full(len(second), 10.0))
    found = shared_detail(
        first,
        second,
        shares,
        pixel_size_a=5.0,
        mask_diameter_a=120.0,
        resolution_limit_a=16.0,
    )
    return found.bits


def test_halves_share_what_is_the_same_and_not_noise() -> None:
    true = np.stack([blob(1), blob(2), blob(3)])
    clear = bits(noisy(true, 0.2, 1), noisy(true, 0.2, 2))
    faint = bits(noisy(true, 1.0, 3), noisy(true, 1.0, 4))
    nothing = bits(noisy(0 * true, 1.0, 5), noisy(0 * true, 1.0, 6))
    assert clear > 1.5 * faint > 3.0 * nothing


def test_a_turned_and_moved_average_is_the_same() -> None:
    true = np.stack([blob(1), blob(2)])
    moved = np.roll(np.rot90(true, axes=(1, 2)), (1, -1), axis=(1, 2))[::-1]
    straight = bits(noisy(true, 0.2, 1), noisy(true, 0.2, 2))
    turned = bits(noisy(true, 0.2, 1), noisy(np.ascontiguousarray(moved), 0.2, 2))
    assert turned == pytest.approx(straight, rel=0.2)


def test_candidates_cover_the_particle_and_fit_the_box() -> None:
    assert mask_candidates(100.0, 170.0) == (100.0, 110.0, 125.0, 145.0)
    assert mask_candidates(100.0, 140.0) == (100.0, 110.0, 125.0)
    assert mask_candidates(100.0, 115.0) == (100.0,)


def candidate(width: float, bits: float, error: float) -> Candidate:
    detail = SharedDetail(bits=bits, error=error)
    return Candidate(mask_diameter_a=width, detail=detail, averages=np.zeros((1, 4, 4), np.float32))


def test_a_difference_within_the_error_leaves_the_usual_mask() -> None:
    close = (candidate(100, 52, 4), candidate(110, 50, 4), candidate(125, 40, 4))
    assert usual_or_best(close, 100.0) == (close[1], False)
    clear = (candidate(100, 80, 4), candidate(110, 50, 4), candidate(125, 40, 4))
    assert usual_or_best(clear, 100.0) == (clear[0], True)
    usual = (candidate(100, 40, 4), candidate(110, 80, 4), candidate(125, 79, 4))
    assert usual_or_best(usual, 100.0) == (usual[1], True)


def test_a_trial_on_particles_is_bounded_and_repeatable(tmp_path: Path) -> None:
    truth = simulated_particles(
        seed=2,
        count=220,
        species=("barrel",),
        junk_share=0.1,
        contrast=1.5,
        box=BOX,
        pixel_size_a=7.0,
    )
    stack = open_stack(write_particles(truth, tmp_path))
    told: list[str] = []
    found = run_mask_trial(
        stack, diameter_a=170.0, resolution_limit_a=24.0, seed=1, progress=told.append
    )
    assert found is not None
    assert [c.mask_diameter_a for c in found.candidates] == [170.0, 187.0, 212.5, 246.5]
    assert len(told) == 4
    assert (found.particles, found.classes) == (220, 3)
    assert found.low_a <= found.chosen.mask_diameter_a <= found.high_a
    assert all(c.detail.bits > 1.0 for c in found.candidates)
    assert 0.0 < found.shift_95_a < 40.0
    assert 1.0 <= found.views <= 3.0
    few = part_of(stack, np.arange(100))
    assert run_mask_trial(few, diameter_a=170.0, resolution_limit_a=24.0) is None
    assert run_mask_trial(stack, diameter_a=250.0, resolution_limit_a=24.0) is None
