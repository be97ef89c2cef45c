"""Logistic regression that learns only what an offset does not already say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        # The penalised likelihood is concave: there is one maximum, and a line search finds it.
        result = model.fit(
            method="bfgs", start_params=np.zeros(design.shape[1]), maxiter=500, disp=0
        )
        return cls(
            intercept=float(result.params[0]),
            coefficients=np.asarray(result.params[1:]),
            standard_errors=np.asarray(result.bse[1:]),
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
            fit = cls.fit(z[:, used], target, offset, weight, prior_precision=prior_precision)
            wrong = fit.coefficients * allowed[used] < 0.0
            if not wrong.any():
                break
            used[np.flatnonzero(used)[wrong]] = False
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
