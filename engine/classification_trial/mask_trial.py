"""Trying a few mask diameters on a part of the particles, instead of running everything for each.

The particles are split in two halves that never meet. Each half is classified by itself under each
candidate mask; the better a mask isolates the particle, the more detail the two halves' averages
share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import Classification
from cryoverdict.engine.classification.classifier import classify
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack, part_of
from cryoverdict.engine.classification_trial.agreement import SharedDetail, shared_detail

# A few thousand particles tell masks apart; more would cost what the full run does.
MOST_PARTICLES = 3000
FEWEST_PARTICLES = 200
PER_CLASS = 60
FEWEST_CLASSES, MOST_CLASSES = 3, 14
ITERATIONS = 13
WIDTHS = (1.0, 1.1, 1.25, 1.45)
USUAL_WIDTH = 1.1
ROOM = 0.9  # of the box, the widest mask
# A difference of fewer standard errors than this decides nothing.
TOLD_APART = 1.0
SHOWN = 10
EDGE_PX = 5.0  # the fall of a mask's edge, as wide in the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One mask diameter with what it gave: shared detail, largest averages ``(≤ SHOWN, b, b)``."""

    mask_diameter_a: float
    detail: SharedDetail
    averages: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrial:
    """The candidates in ascending order, the chosen one, and whether the trial could tell.

    ``low_a``, ``high_a``: the smallest and the largest diameter that did not do worse than the
    best. ``shift_95_a``: 95 % of the particles lie within this of their pick. ``views``: effective
    number of different averages.
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    decided: bool
    low_a: float
    high_a: float
    particles: int
    classes: int
    shift_95_a: float
    views: float

    @property
    def sentence(self) -> str:
        """What was done and found, for the page and the record."""
        tried = ", ".join(f"{c.mask_diameter_a:.0f}" for c in self.candidates)
        best = max(self.candidates, key=lambda c: c.detail.bits)
        head = (
            f"Masks of {tried} Å were tried on {self.particles} particles: two halves, each sorted"
            f" into {self.classes} classes by itself, share most detail at"
            f" {best.mask_diameter_a:.0f} Å"
            f" ({best.detail.bits:.0f} ± {best.detail.error:.0f} bits a class)"
        )
        if self.decided:
            return head + "."
        return (
            f"{head}; the difference is within the error, so that the usual width of"
            f" {USUAL_WIDTH:g} diameters is taken."
        )


def mask_candidates(diameter_a: float, box_a: float) -> tuple[float, ...]:
    """Return two to four diameters (Å) that cover the particle and fit the box.

    >>> mask_candidates(200.0, 300.0)
    (200.0, 220.0, 250.0)
    """
    fit = [round(w * diameter_a, 1) for w in WIDTHS if w * diameter_a <= ROOM * box_a]
    return tuple(fit)


def run_mask_trial(
    stack: ParticleStack,
    *,
    diameter_a: float,
    resolution_limit_a: float,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> MaskTrial | None:
    """Return the trial, or ``None`` where two masks do not fit or particles are too few.

    Bounded: at most `MOST_PARTICLES` particles, `MOST_CLASSES` classes, `ITERATIONS` iterations for
    each half and candidate. The same particles, seed and threads give the same choice.
    """
    import torch

    masks = mask_candidates(diameter_a, stack.box * stack.pixel_size_a)
    count = min(len(stack), MOST_PARTICLES)
    if len(masks) < 2 or count < FEWEST_PARTICLES:
        return None
    order = np.random.default_rng((seed, count)).permutation(len(stack))[:count]
    halves = [part_of(stack, np.sort(order[i::2])) for i in (0, 1)]
    classes = int(np.clip(count // 2 // PER_CLASS, FEWEST_CLASSES, MOST_CLASSES))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # lanes are the parallelism
    try:
        found = []
        for mask in masks:
            progress(f"mask {mask:.0f} Å")
            parameters = ClassificationParameters(
                classes=classes,
                mask_diameter_a=mask,
                resolution_limit_a=resolution_limit_a,
                iterations=ITERATIONS,
                starts=1,
                correct_ctf=_has_ctf(stack),
            )
            runs = [
                classify(h, parameters, seed=seed, device="cpu", threads=threads) for h in halves
            ]
            found.append((mask, runs))
    finally:
        torch.set_num_threads(before)
    # Two averages with the same mask's edge in them look alike for that alone: detail is compared
    # in a disc that no candidate's edge reaches.
    edge_a = found[0][1][0].pixel_size_a * EDGE_PX
    common_a = max(0.5 * masks[0], masks[0] - 2.0 * edge_a)
    candidates = tuple(
        _candidate(mask, runs, common_a=common_a, limit_a=resolution_limit_a)
        for mask, runs in found
    )
    return _chosen(candidates, found, diameter_a, count, classes)


def _has_ctf(stack: ParticleStack) -> bool:
    """Say whether the particles' CTF is known."""
    return stack.defocus_a is not None and not any(o.missing_for_ctf for o in stack.optics)


def _candidate(
    mask: float, runs: Sequence[Classification], *, common_a: float, limit_a: float
) -> Candidate:
    """Return what one mask gave; detail is compared in the disc that all candidates share."""
    shares = [np.bincount(r.number, minlength=len(r.averages)).astype(float) for r in runs]
    detail = shared_detail(
        runs[0].averages,
        runs[1].averages,
        (shares[0], shares[1]),
        pixel_size_a=runs[0].pixel_size_a,
        mask_diameter_a=common_a,
        resolution_limit_a=limit_a,
    )
    order = np.argsort(-shares[0], kind="stable")[:SHOWN]
    return Candidate(mask_diameter_a=mask, detail=detail, averages=runs[0].averages[order])


def _chosen(
    candidates: tuple[Candidate, ...],
    found: Sequence[tuple[float, Sequence[Classification]]],
    diameter_a: float,
    count: int,
    classes: int,
) -> MaskTrial:
    """Return the trial with the best candidate, or the usual one where the best is not told."""
    chosen, decided = usual_or_best(candidates, diameter_a)
    best = max(candidates, key=lambda c: c.detail.bits)
    level = [c for c in candidates if not _apart(best, c)]
    runs = dict(found)[chosen.mask_diameter_a]
    shifts = np.concatenate([np.hypot(*r.shift_px.T) for r in runs]) * runs[0].pixel_size_a
    return MaskTrial(
        candidates=candidates,
        chosen=chosen,
        decided=decided,
        low_a=min(c.mask_diameter_a for c in level),
        high_a=max(c.mask_diameter_a for c in level),
        particles=count,
        classes=classes,
        shift_95_a=float(np.quantile(shifts, 0.95)),
        views=effective_views(runs),
    )


def usual_or_best(candidates: Sequence[Candidate], diameter_a: float) -> tuple[Candidate, bool]:
    """Return the candidate to take, and whether the trial could tell it from the usual one."""
    best = max(candidates, key=lambda c: c.detail.bits)
    usual = min(candidates, key=lambda c: abs(c.mask_diameter_a - USUAL_WIDTH * diameter_a))
    decided = best is usual or _apart(best, usual)
    return (best if decided else usual), decided


def _apart(better: Candidate, other: Candidate) -> bool:
    """Say whether one candidate is better by more than the error of the difference."""
    error = float(np.hypot(better.detail.error, other.detail.error))
    return better.detail.bits - other.detail.bits > TOLD_APART * error


def effective_views(runs: Sequence[Classification]) -> float:
    """Return the effective number of different averages of the halves, by their particles.

    The exponential of the entropy of the eigenvalues of the averages' correlations, their rotation
    taken out by comparing only how their power is spread over rings and orders (as the Vendi score
    of Friedman and Dieng 2023 counts what is distinct).
    """
    numbers = []
    for run in runs:
        weight = np.bincount(run.number, minlength=len(run.averages)).astype(float)
        used = weight > 0
        flat = _profiles(run.averages[used])
        weight = weight[used] / weight.sum()
        flat = flat - (weight[:, None] * flat).sum(axis=0)
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        kernel = (flat @ flat.T) ** 2 * np.sqrt(weight[:, None] * weight[None, :])
        values = np.clip(np.linalg.eigvalsh(kernel), 1e-12, None)
        values /= values.sum()
        numbers.append(float(np.exp(-(values * np.log(values)).sum())))
    return float(np.mean(numbers))


def _profiles(averages: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return amplitudes of the averages' angular harmonics on circles: the same at every turn."""
    box = averages.shape[-1]
    radii = np.arange(2.0, box / 2 - 1, 2.0)
    turns = np.arange(48) * (2 * np.pi / 48)
    y = np.rint(box // 2 + radii[:, None] * np.sin(turns)).astype(int)
    x = np.rint(box // 2 + radii[:, None] * np.cos(turns)).astype(int)
    circles = averages[:, y, x].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(circles, axis=-1))[..., :9] * np.sqrt(radii)[None, :, None]
    flat: NDArray[np.float64] = spectrum.reshape(len(averages), -1)
    return flat
