"""Logistic regression that learns only what an offset does not already say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Newton's method has arrived when no parameter moves by more than this.
STEP = 1e-10
MOST_STEPS = 100
# Decimals of what is written down.
DIGITS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetGlm:
    """Coefficients on standardised values, with their standard errors.

    A binomial GLM with logit link (McCullagh & Nelder 1989), the rules' sum as its offset and a
    Gaussian prior on the coefficients, which keeps them finite where the classes separate.
    """

    intercept: float
    coefficients: NDArray[np.float64]
    standard_errors: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        z: NDArray[np.float64],
        target: NDArray[np.float64],
        offset: NDArray[np.float64],
        weight: NDArray[np.float64],
        *,
        prior_precision: float,
    ) -> OffsetGlm:
        """Fit ``target`` (0 or 1) on standardised ``z`` ``(rows, features)``.

        ``prior_precision`` is the reciprocal variance of the prior of each coefficient (log-odds
        per robust deviation); the intercept has a flat prior.
        """
        import statsmodels.api as sm
        from statsmodels.base._penalized import PenalizedMixin
        from statsmodels.base._penalties import L2

        class RidgeGlm(PenalizedMixin, sm.GLM):  # type: ignore[misc]
            """A GLM with a quadratic penalty: the logarithm of the Gaussian prior."""

        design = np.column_stack([np.ones(len(z)), z])
        penalty = L2(weights=np.concatenate([[0.0], np.ones(z.shape[1])]))
        model = RidgeGlm(
            target,
            design,
            family=sm.families.Binomial(),
            offset=offset,
            freq_weights=weight,
            penal=penalty,
            pen_weight=prior_precision / 2.0,
        )
        # A quasi-Newton search stops where rounding leads it; this maximum is the maximum.
        best = _maximum(design, target, offset, weight, prior_precision)
        result = model.fit(method="bfgs", start_params=best, maxiter=1, disp=0, warn_convergence=0)
        return cls(
            intercept=_told(best[0]),
            coefficients=_rounded(best[1:]),
            standard_errors=_rounded(np.asarray(result.bse[1:])),
        )

    @classmethod
    def fit_quickly(
        cls,
        z: NDArray[np.float64],
        target: NDArray[np.float64],
        offset: NDArray[np.float64],
        weight: NDArray[np.float64],
        *,
        prior_precision: float,
    ) -> OffsetGlm:
        """Fit as `fit` does, without standard errors, which cross-validation does not look at."""
        design = np.column_stack([np.ones(len(z)), z])
        best = _maximum(design, target, offset, weight, prior_precision)
        return cls(
            intercept=_told(best[0]),
            coefficients=_rounded(best[1:]),
            standard_errors=np.zeros(z.shape[1]),
        )

    @classmethod
    def fit_signed(
        cls,
        z: NDArray[np.float64],
        target: NDArray[np.float64],
        offset: NDArray[np.float64],
        weight: NDArray[np.float64],
        *,
        prior_precision: float,
        monotone: Sequence[int],
    ) -> OffsetGlm:
        """Fit as `fit`, leaving out features whose coefficient contradicts physics.

        ``monotone`` says for each feature whether its coefficient may only be positive (1), only
        negative (−1) or either (0). What is left out has coefficient and standard error 0.
        """
        allowed = np.asarray(monotone)
        used = np.ones(z.shape[1], dtype=bool)
        while True:
            quick = cls.fit_quickly(
                z[:, used], target, offset, weight, prior_precision=prior_precision
            )
            wrong = quick.coefficients * allowed[used] < 0.0
            if not wrong.any():
                break
            used[np.flatnonzero(used)[wrong]] = False
        fit = cls.fit(z[:, used], target, offset, weight, prior_precision=prior_precision)
        coefficients, errors = np.zeros(z.shape[1]), np.zeros(z.shape[1])
        coefficients[used], errors[used] = fit.coefficients, fit.standard_errors
        return cls(intercept=fit.intercept, coefficients=coefficients, standard_errors=errors)

    def terms(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each feature's contribution ``(rows, features)`` in log-odds."""
        contributions: NDArray[np.float64] = z * self.coefficients
        return contributions

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "intercept": self.intercept,
            "coefficients": self.coefficients.tolist(),
            "standard_errors": self.standard_errors.tolist(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> OffsetGlm:
        """Return what `to_dict` wrote."""
        return cls(
            intercept=record["intercept"],
            coefficients=np.array(record["coefficients"]),
            standard_errors=np.array(record["standard_errors"]),
        )


def _maximum(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    offset: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior_precision: float,
) -> NDArray[np.float64]:
    """Return the parameters at the maximum of the penalised likelihood, which is concave.

    Newton's steps, halved where they would go down (Fisher scoring, McCullagh & Nelder 1989).
    """
    ridge = np.full(design.shape[1], prior_precision)
    ridge[0] = 0.0

    def height(parameters: NDArray[np.float64]) -> float:
        """Return the penalised log-likelihood."""
        margin = design @ parameters + offset
        likelihood = weight @ (target * margin - np.logaddexp(0.0, margin))
        return float(likelihood - 0.5 * ridge @ parameters**2)

    best = np.zeros(design.shape[1])
    top = height(best)
    for _ in range(MOST_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ best + offset, -500.0, 500.0)))
        gradient = design.T @ (weight * (target - p)) - ridge * best
        curvature = (design * (weight * p * (1.0 - p))[:, None]).T @ design
        curvature[np.diag_indices_from(curvature)] += ridge + 1e-9
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > STEP and height(best + step) < top:
            step /= 2.0
        best = best + step
        top = height(best)
        if np.abs(step).max() <= STEP:
            break
    return best


def _told(value: float) -> float:
    """Return a number as models are written: rounding of another machine's last digits is gone."""
    return float(np.round(value, DIGITS))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers as models are written."""
    return np.round(values, DIGITS)
