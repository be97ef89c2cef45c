"""From accepted micrographs to the settled parameters of picking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.parameter_decision import Estimate, ParameterDecision
from cryoverdict.engine.parameter_flags import with_flags
from cryoverdict.engine.picking.class_diameter import class_sizes
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.survey import survey
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.settling import settle_all
from cryoverdict.rules.rule_set import RuleSet

NO_PARTICLE = "The class averages show no particle: they were left aside."
RATE, THRESHOLD = "false_discovery_rate", "score_threshold"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickingDecided:
    """A picking decision with the survey that it rests on, and the classes given to it."""

    decision: ParameterDecision
    survey: PickingSurvey
    class_averages: Templates | None = None


def decide_picking(
    subjects: Sequence[PickingMicrograph],
    rules: RuleSet,
    *,
    name: str,
    given: Mapping[str, float] | None = None,
    class_averages: Templates | None = None,
    findings: Sequence[str] = (),
    threads: int = 1,
    seed: int = 0,
) -> PickingDecided:
    """Survey the micrographs and settle every picking parameter.

    ``name`` is how the decision calls the data set; ``given`` are values the user insists on, of
    which the diameter is also the survey's prior. Class averages that show no particle are left
    aside, with a finding. The rules settle the false discovery rate, within
    which the survey finds the threshold. Raises `InputError` where no micrograph
    can be used.
    """
    import scipy.linalg  # noqa: F401 brings a BLAS; only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    given = given or {}
    if class_averages is not None and class_sizes(class_averages) is None:
        findings = (*findings, NO_PARTICLE)
        class_averages = None
    first = settle_all(PICKING, rules, subject=name, facts={}, estimates={}, given=given)
    rate = first.outcome[RATE]
    # Sums of several BLAS threads round differently from run to run.
    with threadpool_limits(1):
        found = survey(
            subjects,
            given_diameter_a=given.get("diameter_a"),
            class_averages=class_averages,
            threads=threads,
            seed=seed,
            **({} if rate is None else {"false_discovery_rate": rate}),
        )

    def settled(estimates: Mapping[str, Estimate]) -> ParameterDecision:
        """Return the decision that follows from some estimates."""
        return settle_all(
            PICKING,
            rules,
            subject=name,
            facts=found.facts,
            estimates=estimates,
            given=given,
            findings=(*found.findings, *findings),
            review_reasons=found.review_reasons,
        )

    decision = settled(found.estimates)
    wanted = decision.outcome[RATE]
    at_rate = None if wanted in (None, rate) else threshold_at(found.curves, wanted)
    if at_rate is not None:  # what the survey found has changed the rate
        decision = settled({**found.estimates, THRESHOLD: at_rate})
    return PickingDecided(
        decision=with_flags(decision, PICKING, rules), survey=found, class_averages=class_averages
    )


def threshold_at(curves: Mapping[str, NDArray[np.float64]], rate: float) -> Estimate | None:
    """Return the score with the best expected F1 among those whose false discoveries are few.

    Few is a share of at most ``rate``. Without a curve of F1 it is the lowest such score; ``None``
    where the survey gives no curve at all. Where the rate is never reached, the threshold is the
    highest score of the curve.
    """
    scores, fdr = curves.get("fdr_scores"), curves.get("fdr")
    if scores is None or fdr is None or not len(scores):
        return None
    held = np.flatnonzero(fdr <= rate)
    if not held.size:
        text = f"No score holds a false discovery rate of {rate:.0%}; this is the highest seen."
        return Estimate(value=float(scores.max()), text=text)
    f1 = curves.get("expected_f1")
    worth = -scores if f1 is None else f1
    place = int(held[np.argmax(worth[held])])
    text = f"Above this score chance explains {fdr[place]:.0%} of the picks, at most {rate:.0%}."
    return Estimate(value=float(scores[place]), text=text)
