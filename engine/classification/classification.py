"""The outcome of a 2D classification, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
# Iterations between two looks at the averages of a run that still goes on.
WATCH_EVERY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationReport:
    """What one iteration did: for a progress line, and for the convergence plot.

    ``start``: which of the random beginnings (from 1); ``number`` of ``total`` iterations;
    ``alive``: classes with more than a tenth of a mean class's particles; ``compared_a``: the
    finest detail compared, ``resolution_a`` that of the averages by the Fourier ring correlation
    of their halves (median over the alive classes, ``None`` where it says nothing); ``top``: mean
    over the particles of the probability of their best place; ``changed``: share of the particles
    seen that changed their class (``None`` in the first iteration); ``refilled``: empty classes
    that were given new particles.
    """

    start: int
    number: int
    total: int
    alive: int
    compared_a: float
    resolution_a: float | None
    top: float
    log_evidence: float
    changed: float | None
    refilled: int
    particles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMeasure:
    """What is known of one class average, and how well particles of it can be placed.

    ``share``: part of all particles. ``resolution_a``: where the Fourier ring correlation of its
    two halves falls below 0.143, ``ssnr_resolution_a`` where the ratio of signal to noise power in
    the average falls below 1 (what RELION calls estimated resolution); ``None`` where there is
    none, as in a class without particles. ``rotation_accuracy_deg``, ``shift_accuracy_a``: the
    error that makes a particle's likelihood fall to a hundredth.
    Per ring: ``ring_correlation``, ``ssnr``, ``noise_power``, ``signal_power``.
    """

    share: float
    resolution_a: float | None
    ssnr_resolution_a: float | None
    rotation_accuracy_deg: float | None
    shift_accuracy_a: float | None
    ring_correlation: FloatArray
    ssnr: FloatArray
    noise_power: FloatArray
    signal_power: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Every particle's class and place, every class's average and measures.

    Per particle, in the order of the stack: ``number`` ``(n,)`` class from 0 (the most probable one
    over all places); ``probability`` ``(n, K)`` float16; ``turn_deg`` ``(n,)`` and ``shift_px``
    ``(n, 2)`` (x, y): the average, turned by ``turn_deg`` from the x axis towards the y axis and
    then moved by ``shift_px``, is the particle; ``top``, ``log_evidence``, ``significant`` as in
    RELION's MaxValueProbDistribution, LogLikeliContribution and NrOfSignificantSamples.
    ``averages`` ``(K, box, box)``; ``noise`` ``(G, R)`` power per optics group; ``frequencies``
    ``(R,)`` in 1/Å. ``box``, ``pixel_size_a``, ``mask_share``: the geometry.
    """

    number: NDArray[np.int32]
    probability: NDArray[np.float16]
    turn_deg: FloatArray
    shift_px: FloatArray
    top: FloatArray
    log_evidence: FloatArray
    significant: NDArray[np.int32]
    averages: FloatArray
    classes: tuple[ClassMeasure, ...]
    noise: FloatArray
    frequencies: FloatArray
    box: int
    pixel_size_a: float
    mask_share: float
    history: tuple[IterationReport, ...]
