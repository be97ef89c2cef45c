"""The refinement of a CTF against the sectors of a spectrum, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, pi

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.ctf_background import WhiteSpectrum, hats, orthonormal, smooth_terms
from cryoverdict.features.ctf_polar import SECTORS
from cryoverdict.features.ctf_search import Candidate, prior_cost, prior_stiffness
from cryoverdict.features.ctf_tables import FINEST_RING_CELLS, MODEL_ERROR
from cryoverdict.features.optics import electron_wavelength_a

ENVELOPE_SPACING = 0.03
"""Distance of the nodes of the ring envelope, in 1/Å."""

EXPECTED_BLUR_A2 = 300.0
"""Width of the prior on the difference of B-factors between directions, in Å²."""

_STEPS = 20
_NEAR, _NEAREST = 0.1, 1e-4
_LEAST_VARIANCE = 0.2
_PLAIN = 16.0  # squared signal-to-noise ratio of an envelope node
_FREQUENCY_BLOCKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """A CTF and what the spectrum says of it.

    ``mean_a``, ``vector_a`` (Å) and ``phase_shift`` (radians) are the CTF; ``covariance`` that of
    (mean, vector x, vector y, blur x, blur y[, phase shift]). ``blur_a2`` is the difference of the
    rings' B-factor between directions, as a vector like the astigmatism's. ``gain`` is the rise in
    log-likelihood over no rings, ``posterior`` the same with the priors. ``envelope`` ``(sectors, rings)`` is
    the amplitude of −cos 2χ relative to the background, ``smooth`` of the same shape the correction
    of the background that goes with it.
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


class RingModel:
    """Thon rings on a smooth background: what of a spectrum does not depend on the CTF.

    The relative power in a bin is smooth(s, θ) − E(s, θ)·cos 2χ(s, θ), for CTF² = (1 − cos 2χ)/2:
    linear in the background and in the envelope E ≥ 0, which may fade in one direction.
    """

    def __init__(
        self, white: WhiteSpectrum, *, voltage_kv: float, cs_mm: float, amplitude_contrast: float
    ) -> None:
        """Weigh the data and take the background out of them."""
        s = white.polar.frequency
        wavelength = electron_wavelength_a(voltage_kv)
        self.white = white
        self.squared = s**2
        self.rate = 2.0 * pi * wavelength * s**2
        self.fixed = -self.rate * 0.5 * wavelength**2 * cs_mm * 1e7 * s**2
        self.fixed += 2.0 * asin(amplitude_contrast)
        self.cos2 = np.cos(2.0 * white.polar.azimuth)[:, None]
        self.sin2 = np.sin(2.0 * white.polar.azimuth)[:, None]
        span = float(s[-1] - s[0])
        self.nodes = hats(s, max(4, round(span / ENVELOPE_SPACING) + 1))
        terms = smooth_terms(s, white.basis, white.polar.azimuth)
        self.smooth_terms = terms.reshape(SECTORS * s.size, -1)
        self.blocks = np.arange(_FREQUENCY_BLOCKS) * s.size // _FREQUENCY_BLOCKS
        self.ring_bins = np.count_nonzero(white.polar.cells, axis=0).astype(np.float64)
        self.bins = np.maximum(np.add.reduceat(self.ring_bins, self.blocks), 1.0)
        self.weigh(np.ones(s.size))

    def weigh(self, variance: NDArray[np.float64]) -> None:
        """Weigh the bins, ``variance`` ``(rings,)`` being relative to what the cells alone give."""
        error = np.minimum(self.white.error, 1e3) ** 2 + MODEL_ERROR**2
        self.variance = variance
        self.root = (1.0 / np.sqrt(error * variance)).reshape(-1, 1)
        self.orthogonal = orthonormal(self.smooth_terms * self.root)
        self.data = self.project(self.white.rings.reshape(-1, 1) * self.root)

    def block_square(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean square of weighted residuals in each of 12 bands of frequency."""
        square = (residual.reshape(SECTORS, -1) ** 2).sum(axis=0)
        return np.asarray(np.add.reduceat(square, self.blocks) / self.bins)

    def project(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return weighted columns with their smooth part taken out."""
        return columns - self.orthogonal @ (self.orthogonal.T @ columns)

    def column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(sectors, rings[, n])`` values as weighted columns, the smooth part taken out."""
        return self.project(values.reshape(self.root.size, -1) * self.root)

    def fading(self, x: float, y: float) -> NDArray[np.float64]:
        """Return exp(−s² (q + x cos 2θ + y sin 2θ)/2), q = √(x² + y²): 1 in one direction.

        That is how a Gaussian movement takes the rings away; ``x`` and ``y`` in Å².
        """
        blur = x * self.cos2 + y * self.sin2 + float(np.hypot(x, y))
        return np.asarray(np.exp(np.maximum(-0.5 * self.squared * blur, -30.0)))

    def double_phase(
        self, mean_a: float, vector_a: tuple[float, float], phase_shift: float
    ) -> NDArray[np.float64]:
        """Return 2χ ``(sectors, rings)``."""
        defocus = mean_a + 0.5 * (vector_a[0] * self.cos2 + vector_a[1] * self.sin2)
        return np.asarray(self.rate * defocus + self.fixed + 2.0 * phase_shift)


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
    model: RingModel, start: Candidate, *, phase_plate: bool = False, steps: int = _STEPS
) -> Refined:
    """Return the CTF of the best agreement near ``start``; with ``steps`` 0, ``start`` itself.

    Levenberg-Marquardt steps in defocus, astigmatism and phase shift; envelope and background, in
    which the model is linear, are solved for anew in each (variable projection, Golub & Pereyra
    1973).
    """
    point = np.array([start.mean_a, *start.vector_a, 0.0, 0.0, start.phase_shift])
    free = 6 if phase_plate else 5
    model.weigh(np.ones_like(model.variance))
    state = _evaluate(model, point, free)
    for near in (_NEAR, _NEAREST):
        # The noise of a band is what the rings leave unexplained.
        blocks = np.maximum(model.block_square(state.residual), _LEAST_VARIANCE)
        widths = np.diff([*model.blocks, model.variance.size])
        model.weigh(model.variance * np.repeat(blocks, widths))
        point, state = _descend(model, point, free, steps, near)
    unexplained = model.block_square(state.residual)
    ratio = model.block_square(model.data) / np.maximum(unexplained, 1e-30)
    gain = 0.5 * float(model.bins @ np.log(np.maximum(ratio, 1e-30)))
    rest = model.white.rings - state.ring * state.envelope
    weighted = rest.reshape(-1, 1) * model.root
    smooth = model.orthogonal @ (model.orthogonal.T @ weighted) / model.root
    return Refined(
        mean_a=float(point[0]),
        vector_a=(float(point[1]), float(point[2])),
        phase_shift=float(point[5]),
        blur_a2=(float(point[3]), float(point[4])),
        covariance=_covariance(state),
        gain=gain,
        posterior=gain - state.prior,
        envelope=state.envelope,
        smooth=smooth.reshape(rest.shape),
    )


def _descend(
    model: RingModel, point: NDArray[np.float64], free: int, steps: int, near: float
) -> tuple[NDArray[np.float64], _State]:
    """Return the point of least cost near ``point`` and the state there, weights as they are.

    It ends where a step would gain less than ``near`` in log-likelihood.
    """
    state = _evaluate(model, point, free)
    damping = 1e-3
    for _ in range(steps):
        curvature = state.hessian + damping * np.diag(np.diag(state.hessian))
        step = np.linalg.solve(curvature, state.gradient)
        trial_point = point.copy()
        trial_point[:free] += step
        trial = _evaluate(model, trial_point, free)
        if trial.cost < state.cost:
            point, state = trial_point, trial
            damping = max(0.1 * damping, 1e-9)
        else:
            damping *= 10.0
        if float(step @ state.hessian @ step) < near or damping > 1e6:
            break
    return point, state


def _evaluate(model: RingModel, point: NDArray[np.float64], free: int) -> _State:
    """Return the model at a CTF, envelope and background solved for."""
    double = model.double_phase(float(point[0]), (float(point[1]), float(point[2])), point[5])
    turn = np.abs(np.gradient(double.mean(axis=0))) / (2.0 * pi)
    seen = np.sinc(turn) * (turn < 1.0 / FINEST_RING_CELLS)
    ring = -np.cos(double) * seen
    fading = model.fading(float(point[3]), float(point[4]))
    waves = model.column((ring * fading)[:, :, None] * model.nodes)
    gram = _damped(waves.T @ waves, 1e-6)
    amplitude = np.linalg.solve(gram, waves.T @ model.data)[:, 0]
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
    residual = model.data - waves @ strength[:, None]

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
        ][:free],
        axis=2,
    )
    jacobian = model.column(factors)
    jacobian -= waves @ np.linalg.solve(gram, waves.T @ jacobian)
    astigmatism = float(np.hypot(point[1], point[2]))
    stiffness = np.zeros(free)
    stiffness[1:3] = prior_stiffness(astigmatism)
    stiffness[3:5] = EXPECTED_BLUR_A2**-2.0
    hessian = jacobian.T @ jacobian + np.diag(stiffness)
    hessian[np.diag_indices_from(hessian)] += 1e-9 * np.diag(hessian) + 1e-15
    prior = prior_cost(astigmatism) + 0.5 * float(stiffness[3:5] @ point[3:5] ** 2)
    return _State(
        cost=0.5 * float(np.sum(residual**2)) + prior,
        prior=prior,
        stiffness=stiffness,
        gradient=(jacobian.T @ residual)[:, 0] - stiffness * point[:free],
        hessian=hessian,
        scores=(jacobian * residual).reshape(*double.shape, free),
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
    edges = np.arange(_FREQUENCY_BLOCKS) * rings // _FREQUENCY_BLOCKS
    scores = np.add.reduceat(state.scores, edges, axis=1).reshape(-1, free)
    return np.asarray(bread @ (scores.T @ scores + np.diag(state.stiffness)) @ bread)


def _damped(gram: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Return a Gram matrix with a small ridge, so that it can be inverted."""
    return gram + np.eye(gram.shape[0]) * (ratio * np.trace(gram) / gram.shape[0] + 1e-12)
