"""How many of a micrograph's picks become good particles: a beta-binomial regression.

The share of good ones differs between micrographs that look alike, more than chance alone would
have it; the beta-binomial says by how much. A run has a few dozen micrographs and far more
measurements, so that these are told by their leading directions, and the coefficients are held back
by a Gaussian prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.models.standardisation import Standardisation
from cryoverdict.features.table import FeatureTable

# Fewer micrographs than this say nothing of what their yield hangs on.
FEWEST_MICROGRAPHS = 8
# One direction of the measurements for so many micrographs, and never more than the most.
MICROGRAPHS_A_DIRECTION, MOST_DIRECTIONS = 10, 3
# Directions are found without the micrographs whose scores along them the regression sees: what
# fits its own micrographs by chance would be taken for knowledge, and intervals be too narrow.
FOLDS = 10
# Reciprocal variance of the prior of a coefficient (log-odds a deviation of its direction).
PRIOR_PRECISION = 4.0
# Prior of the logarithm of the dispersion ρ / (1 − ρ): micrographs of one session are alike.
DISPERSION_CENTRE, DISPERSION_SPREAD = -3.0, 1.5
# A micrograph with less than this part of the session's usual share is not worth keeping.
WORTH = 0.5
DRAWS = 400
DIGITS = 7
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected of some micrographs, ``(n,)`` each.

    ``share`` of the picks that are good, with its 95 % interval ``low`` to ``high``; ``worth`` the
    probability that the share is at least `WORTH` of what is usual in the session.
    """

    share: Array
    low: Array
    high: Array
    worth: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class YieldModel:
    """Good among picked, as beta-binomial over the leading directions of the measurements.

    ``directions`` ``(d, features)`` act on standardised measurements. ``mean`` ``(d + 2,)`` holds
    intercept, coefficients and the dispersion's logarithm, ``covariance`` their uncertainty.
    """

    features: tuple[str, ...]
    standardisation: Standardisation
    directions: Array
    mean: Array
    covariance: Array
    usual_share: float

    @classmethod
    def fit(cls, values: Array, features: Sequence[str], good: Array, picked: Array) -> YieldModel:
        """Fit ``good`` of ``picked`` ``(n,)`` on measurements ``(n, features)``, NaN where absent.

        Raises `EngineError` for too few micrographs with picks.
        """
        used = picked > 0
        if int(used.sum()) < FEWEST_MICROGRAPHS:
            msg = (
                f"yield: {int(used.sum())} micrographs with picks; accepted are "
                f"{FEWEST_MICROGRAPHS} or more"
            )
            raise EngineError(msg)
        values, good, picked = values[used], good[used], picked[used]
        scale = Standardisation.of(values)
        z = scale.apply(values)
        count = int(np.clip(len(z) // MICROGRAPHS_A_DIRECTION, 1, MOST_DIRECTIONS))
        directions = leading_directions(z, good, picked, count)
        mean, covariance = _fitted(_held_out_scores(z, good, picked, len(directions)), good, picked)
        return cls(
            features=tuple(features),
            standardisation=scale,
            directions=np.round(directions, DIGITS),
            mean=np.round(mean, DIGITS),
            covariance=np.round(covariance, DIGITS),
            usual_share=round(float(good.sum() / picked.sum()), DIGITS),
        )

    @property
    def dispersion(self) -> float:
        """Correlation ρ of two picks of one micrograph being good; 0 would be the binomial."""
        ratio = float(np.exp(self.mean[-1]))
        return ratio / (1.0 + ratio)

    def forecast(self, values: Array, *, seed: int = 0) -> Forecast:
        """Return what is expected of micrographs with these measurements ``(n, features)``."""
        from scipy.special import expit

        rng = np.random.default_rng((seed, 41))
        draws = self._draws(rng)
        linear = self._linear(values, draws)
        concentration = np.exp(-draws[:, -1])[:, None]
        mean = expit(linear)
        shares = rng.beta(
            np.maximum(mean * concentration, 1e-3), np.maximum((1 - mean) * concentration, 1e-3)
        )
        return Forecast(
            share=mean.mean(axis=0),
            low=np.quantile(shares, 0.025, axis=0),
            high=np.quantile(shares, 0.975, axis=0),
            worth=(shares >= WORTH * self.usual_share).mean(axis=0),
        )

    def intervals(self, values: Array, picked: Array, *, seed: int = 0) -> tuple[Array, Array]:
        """Return the 95 % interval of the number of good ones among ``picked`` of each."""
        from scipy.special import expit

        rng = np.random.default_rng((seed, 43))
        draws = self._draws(rng)
        mean = expit(self._linear(values, draws))
        concentration = np.exp(-draws[:, -1])[:, None]
        share = rng.beta(
            np.maximum(mean * concentration, 1e-3), np.maximum((1 - mean) * concentration, 1e-3)
        )
        good = rng.binomial(picked.astype(np.int64)[None, :], share)
        return np.quantile(good, 0.025, axis=0), np.quantile(good, 0.975, axis=0)

    def values_of(self, table: FeatureTable) -> Array:
        """Return a table's measurements as the model takes them; NaN where it lacks one."""
        have = set(table.features)
        nothing = np.full(len(table.subjects), np.nan)
        return np.column_stack([table.column(f) if f in have else nothing for f in self.features])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "features": list(self.features),
            "standardisation": self.standardisation.to_dict(),
            "directions": self.directions.tolist(),
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "usual_share": self.usual_share,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> YieldModel:
        """Return what `to_dict` wrote."""
        return cls(
            features=tuple(record["features"]),
            standardisation=Standardisation.from_dict(record["standardisation"]),
            directions=np.array(record["directions"], np.float64),
            mean=np.array(record["mean"], np.float64),
            covariance=np.array(record["covariance"], np.float64),
            usual_share=float(record["usual_share"]),
        )

    def _draws(self, rng: np.random.Generator) -> Array:
        """Return parameters ``(DRAWS, d + 2)`` drawn from what the fit leaves open."""
        return rng.multivariate_normal(self.mean, self.covariance, DRAWS, method="cholesky")

    def _linear(self, values: Array, draws: Array) -> Array:
        """Return the log-odds ``(DRAWS, n)`` of a good pick."""
        scores = self.standardisation.apply(values) @ self.directions.T
        return draws[:, :1] + draws[:, 1:-1] @ scores.T


def leading_directions(z: Array, good: Array, picked: Array, count: int) -> Array:
    """Return ``(count, features)`` directions of unit spread that go with the share of good picks.

    Partial least squares (Wold 1975): each direction is that of greatest covariance with what the
    ones before it leave of the empirical log-odds.
    """
    share = np.log((good + 0.5) / (picked - good + 0.5))
    weight = picked / (picked + 20.0)
    centre = np.average(share, weights=weight)
    left, rest = (share - centre) * weight, z - z.mean(axis=0)
    found = []
    for _ in range(count):
        along = rest.T @ left
        length = np.linalg.norm(along)
        if length < 1e-9:
            break
        along /= length
        score = rest @ along
        spread = max(float(score.std()), 1e-9)
        found.append(along / spread)
        unit = score / max(float(np.linalg.norm(score)), 1e-9)
        rest = rest - np.outer(unit, unit @ rest)
        left = left - unit * (unit @ left)
    return np.array(found).reshape(-1, z.shape[1])


def _held_out_scores(z: Array, good: Array, picked: Array, count: int) -> Array:
    """Return the scores ``(n, count)`` of micrographs along directions found without them."""
    scores = np.zeros((len(z), count))
    fold = np.arange(len(z)) % min(FOLDS, len(z))
    for k in np.unique(fold):
        seen = fold != k
        found = leading_directions(z[seen], good[seen], picked[seen], count)
        scores[fold == k, : len(found)] = z[fold == k] @ found.T
    return scores


def _fitted(scores: Array, good: Array, picked: Array) -> tuple[Array, Array]:
    """Return the parameters of greatest posterior probability, and their covariance."""
    from scipy.special import betaln, expit, gammaln
    from statsmodels.base.model import GenericLikelihoodModel

    design = np.column_stack([np.ones(len(scores)), scores])
    width = design.shape[1]

    class BetaBinomial(GenericLikelihoodModel):  # type: ignore[misc]
        """The beta-binomial with a Gaussian prior on coefficients and dispersion."""

        def loglike(self, params: Array) -> float:
            """Return the log-likelihood plus the logarithm of the prior."""
            mean = np.clip(expit(self.exog @ params[:width]), 1e-6, 1.0 - 1e-6)
            total = np.exp(-np.clip(params[-1], -12.0, 6.0))
            a, b = mean * total, (1.0 - mean) * total
            choose = gammaln(picked + 1) - gammaln(good + 1) - gammaln(picked - good + 1)
            likelihood = choose + betaln(good + a, picked - good + b) - betaln(a, b)
            prior = -0.5 * PRIOR_PRECISION * np.sum(params[1:width] ** 2)
            away = (params[-1] - DISPERSION_CENTRE) / DISPERSION_SPREAD
            return float(likelihood.sum() + prior - 0.5 * away**2)

    share = (good.sum() + 0.5) / (picked.sum() + 1.0)
    start = np.zeros(width + 1)
    start[0], start[-1] = np.log(share / (1.0 - share)), DISPERSION_CENTRE
    model = BetaBinomial(good, design, extra_params_names=["dispersion"])
    found = model.fit(start_params=start, method="bfgs", maxiter=500, disp=0, skip_hessian=True)
    mean = np.asarray(found.params, np.float64)
    curvature = -np.asarray(model.hessian(mean), np.float64)
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    spread = 1.0 / np.clip(values, 0.05, None)
    return mean, (vectors * spread) @ vectors.T
