"""Why a decision fell as it did: the computation itself, kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

from cryoverdict.engine.evidence import Evidence

# A gate settles the outcome; in the common currency it brings the log-odds down to this.
GATE_LOG_ODDS = -6.0


def logistic(log_odds: float) -> float:
    """Return the probability that has these log-odds, without overflow.

    >>> logistic(0.0)
    0.5
    """
    if log_odds >= 0:
        return 1.0 / (1.0 + exp(-log_odds))
    return exp(log_odds) / (1.0 + exp(log_odds))


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldNotSay:
    """A rule that might have spoken, had these measurements not been missing."""

    rule: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Prior and evidence, whose sum is the log-odds of the favourable outcome.

    ``gates`` names the rules that decided alone; they stand in ``evidence`` too, with the
    log-odds that bring the sum to `GATE_LOG_ODDS`, so that prior + Σ evidence = logit(probability)
    holds with gates and without.
    """

    prior_log_odds: float
    evidence: tuple[Evidence, ...]
    gates: tuple[str, ...] = ()
    could_not_say: tuple[CouldNotSay, ...] = field(default=())

    @property
    def log_odds(self) -> float:
        """Log-odds of the favourable outcome."""
        return self.prior_log_odds + sum(e.log_odds for e in self.evidence)

    @property
    def favourable_probability(self) -> float:
        """Probability of the favourable outcome."""
        return logistic(self.log_odds)

    @property
    def favourable(self) -> bool:
        """Whether the favourable outcome is the more probable one."""
        # NumPy's numbers compare to a truth value that JSON does not know.
        return bool(self.log_odds >= 0.0)


def gated(
    prior_log_odds: float,
    evidence: tuple[Evidence, ...],
    gates: tuple[Evidence, ...],
    could_not_say: tuple[CouldNotSay, ...] = (),
) -> Explanation:
    """Return the explanation in which the ``gates`` share what is left to reach `GATE_LOG_ODDS`.

    The log-odds that the gates bring along are not read; where the evidence is already below
    `GATE_LOG_ODDS` they add nothing.
    """
    total = prior_log_odds + sum(e.log_odds for e in evidence)
    share = min(0.0, GATE_LOG_ODDS - total) / len(gates) if gates else 0.0
    weighed = tuple(
        Evidence(
            source="gate", name=g.name, log_odds=share, text=g.text, value=g.value, unit=g.unit
        )
        for g in gates
    )
    return Explanation(
        prior_log_odds=prior_log_odds,
        evidence=weighed + evidence,
        gates=tuple(g.name for g in gates),
        could_not_say=could_not_say,
    )
