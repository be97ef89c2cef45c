"""The refinement of a CTF against the sectors of a spectrum, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_rings import FREQUENCY_BLOCKS, RingModel, WeighedRings
from cryoverdict.features.ctf_search import Candidate, prior_cost, prior_stiffness
from cryoverdict.features.ctf_tables import FINEST_RING_CELLS

EXPECTED_BLUR_A2 = 300.0
"""Width of the prior on the difference of B-factors between directions, in Å²."""

_STEPS = 20
_NEAR, _NEAREST = 0.1, 1e-4
_LEAST_VARIANCE = 0.2
_PLAIN = 16.0  # squared signal-to-noise ratio of an envelope node
_ALL = np.arange(6)  # mean, vector x and y, blur x and y, phase shift
_BLUR = np.array([3, 4])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """A CTF and what the spectrum says of it.

    ``mean_a``, ``vector_a`` (Å) and ``phase_shift`` (radians) are the CTF; ``covariance`` that of
    (mean, vector x, vector y, blur x, blur y[, phase shift]). ``blur_a2`` is the difference of the
    rings' B-factor between directions, as a vector like the astigmatism's. ``gain`` is the rise in
    log-likelihood over no rings, ``posterior`` the same with the priors. ``envelope``
    ``(sectors, rings)`` is the amplitude of −cos 2χ relative to the background, ``smooth`` of the
    same shape the correction of the background that goes with it.
    """

    mean_a: float
    vector_a: tuple[float, float]
    phase_shift: float
    blur_a2: tuple[float, float]
    covariance: NDArray[np.float64]
    gain: float
    posterior: float
    envelope: NDArray[np.float64]
    smooth: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _State:
    """The model at one CTF: cost (log-likelihood and prior, negative), slope, curvature."""

    cost: float
    prior: float
    stiffness: NDArray[np.float64]
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]
    scores: NDArray[np.float64]
    residual: NDArray[np.float64]
    envelope: NDArray[np.float64]
    ring: NDArray[np.float64]


def refine(
    model: RingModel,
    start: Candidate,
    *,
    phase_plate: bool = False,
    hold: bool = False,
    steps: int = _STEPS,
) -> Refined:
    """Return the CTF of the best agreement near ``start``; with ``hold``, of ``start`` itself.

    Levenberg-Marquardt steps in defocus, astigmatism, blur and phase shift; envelope and
    background, in which the model is linear, are solved for anew in each (variable projection,
    Golub & Pereyra 1973).
    """
    point = np.array([start.mean_a, *start.vector_a, 0.0, 0.0, start.phase_shift])
    free = _BLUR if hold else _ALL if phase_plate else _ALL[:-1]
    rings = WeighedRings.of(model, np.ones_like(model.squared))
    state = _evaluate(rings, point, free)
    for near in (_NEAR, _NEAREST):
        # The noise of a band is what the rings leave unexplained.
        blocks = np.maximum(model.block_square(state.residual), _LEAST_VARIANCE)
        rings = WeighedRings.of(model, rings.variance * model.spread(blocks))
        point, state = _descend(rings, point, free, steps, near)
    unexplained = np.maximum(model.block_square(state.residual), 1e-30)
    ratio = np.maximum(model.block_square(rings.data) / unexplained, 1e-30)
    gain = 0.5 * float(model.bins @ np.log(ratio))
    return Refined(
        mean_a=float(point[0]),
        vector_a=(float(point[1]), float(point[2])),
        phase_shift=float(point[5]),
        blur_a2=(float(point[3]), float(point[4])),
        covariance=_covariance(state),
        gain=gain,
        posterior=gain - state.prior,
        envelope=state.envelope,
        smooth=rings.smooth_part(model.white.rings - state.ring * state.envelope),
    )


def _descend(
    rings: WeighedRings,
    point: NDArray[np.float64],
    free: NDArray[np.int64],
    steps: int,
    near: float,
) -> tuple[NDArray[np.float64], _State]:
    """Return the point of least cost near ``point`` and the state there, weights as they are.

    It ends where a step would gain less than ``near`` in log-likelihood.
    """
    state = _evaluate(rings, point, free)
    damping = 1e-3
    for _ in range(steps):
        curvature = state.hessian + damping * np.diag(np.diag(state.hessian))
        step = np.linalg.solve(curvature, state.gradient)
        trial_point = point.copy()
        trial_point[free] += step
        trial = _evaluate(rings, trial_point, free)
        if trial.cost < state.cost:
            point, state = trial_point, trial
            damping = max(0.1 * damping, 1e-9)
        else:
            damping *= 10.0
        if float(step @ state.hessian @ step) < near or damping > 1e6:
            break
    return point, state


def _evaluate(rings: WeighedRings, point: NDArray[np.float64], free: NDArray[np.int64]) -> _State:
    """Return the model at a CTF, envelope and background solved for."""
    model = rings.model
    double = model.double_phase(float(point[0]), (float(point[1]), float(point[2])), point[5])
    turn = np.abs(np.gradient(double.mean(axis=0))) / (2.0 * pi)
    seen = np.sinc(turn) * (turn < 1.0 / FINEST_RING_CELLS)
    ring = -np.cos(double) * seen
    fading = model.fading(float(point[3]), float(point[4]))
    waves = rings.column((ring * fading)[:, :, None] * model.nodes)
    gram = _damped(waves.T @ waves, 1e-6)
    amplitude = np.linalg.solve(gram, waves.T @ rings.data)[:, 0]
    # Positive, and shrunk by what noise alone would give, so that empty rings steer nothing.
    noise = np.diag(np.linalg.inv(gram))
    strength = np.maximum(amplitude, 0.0)
    significance = amplitude**2 / np.maximum(noise, 1e-30)
    strength *= np.maximum(0.0, 1.0 - 2.0 / np.maximum(significance, 1e-30))
    # Rings fade with frequency: what rises again is noise, unless it is plain.
    for j in range(2, strength.size):
        if significance[j] < _PLAIN:
            strength[j] = min(strength[j], max(strength[j - 1], strength[j - 2]))
    envelope = fading * (model.nodes @ strength)
    residual = rings.data - waves @ strength[:, None]

    slope = np.sin(double) * seen * envelope
    loss = -0.5 * model.squared * ring * envelope
    factors = np.stack(
        [
            slope * model.rate,
            slope * (0.5 * model.rate) * model.cos2,
            slope * (0.5 * model.rate) * model.sin2,
            loss * model.cos2,
            loss * model.sin2,
            2.0 * slope,
        ],
        axis=2,
    )[:, :, free]
    jacobian = rings.column(factors)
    jacobian -= waves @ np.linalg.solve(gram, waves.T @ jacobian)
    astigmatism = float(np.hypot(point[1], point[2]))
    stiffness = np.zeros(point.size)
    stiffness[1:3] = prior_stiffness(astigmatism)
    stiffness[3:5] = EXPECTED_BLUR_A2**-2.0
    hessian = jacobian.T @ jacobian + np.diag(stiffness[free])
    hessian[np.diag_indices_from(hessian)] += 1e-9 * np.diag(hessian) + 1e-15
    prior = prior_cost(astigmatism) + 0.5 * float(stiffness[3:5] @ point[3:5] ** 2)
    return _State(
        cost=0.5 * float(np.sum(residual**2)) + prior,
        prior=prior,
        stiffness=stiffness[free],
        gradient=(jacobian.T @ residual)[:, 0] - (stiffness * point)[free],
        hessian=hessian,
        scores=(jacobian * residual).reshape(*double.shape, free.size),
        residual=residual,
        envelope=envelope,
        ring=ring,
    )


def _covariance(state: _State) -> NDArray[np.float64]:
    """Return the clustered sandwich covariance of the free parameters.

    The residuals are summed within 12 bands of frequency of each sector first, so that a misfit
    which neighbouring cells share widens it. The prior counts as what it is, uncertain: where
    only one direction shows rings, defocus and astigmatism cannot be told apart.
    """
    bread = np.linalg.inv(state.hessian)
    _, rings, free = state.scores.shape
    edges = np.arange(FREQUENCY_BLOCKS) * rings // FREQUENCY_BLOCKS
    scores = np.add.reduceat(state.scores, edges, axis=1).reshape(-1, free)
    return np.asarray(bread @ (scores.T @ scores + np.diag(state.stiffness)) @ bread)


def _damped(gram: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Return a Gram matrix with a small ridge, so that it can be inverted."""
    ridge = ratio * float(np.trace(gram)) / gram.shape[0] + 1e-12
    return np.asarray(gram + ridge * np.eye(gram.shape[0]))
