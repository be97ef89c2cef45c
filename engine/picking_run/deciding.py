"""From accepted micrographs to the settled parameters of picking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.parameter_decision import Estimate, ParameterDecision
from cryoverdict.engine.parameter_flags import with_flags
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.survey import survey
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.settling import settle_all
from cryoverdict.rules.rule_set import RuleSet

RATE, THRESHOLD = "false_discovery_rate", "score_threshold"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickingDecided:
    """A picking decision with the survey that it rests on."""

    decision: ParameterDecision
    survey: PickingSurvey


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
    which the diameter is also the survey's prior. The rules settle the false discovery rate, and
    the threshold follows from it by the survey's curve. Raises `InputError` where no micrograph
    can be used.
    """
    given = given or {}
    found = survey(
        subjects,
        given_diameter_a=given.get("diameter_a"),
        class_averages=class_averages,
        threads=threads,
        seed=seed,
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
    rate = decision.outcome[RATE]
    at_rate = None if rate is None else threshold_at(found.curves, rate)
    if at_rate is not None:
        decision = settled({**found.estimates, THRESHOLD: at_rate})
    return PickingDecided(decision=with_flags(decision, PICKING, rules), survey=found)


def threshold_at(curves: Mapping[str, NDArray[np.float64]], rate: float) -> Estimate | None:
    """Return the lowest score from which on the false discovery rate is at most ``rate``.

    ``None`` where the survey gives no curve. Where the rate is never reached, the threshold is the
    highest score of the curve.
    """
    scores, fdr = curves.get("fdr_scores"), curves.get("fdr")
    if scores is None or fdr is None or not len(scores):
        return None
    above = np.flatnonzero(fdr > rate)
    place = 0 if above.size == 0 else min(int(above[-1]) + 1, len(scores) - 1)
    held = fdr[place] <= rate
    text = (
        f"Above this score chance explains at most {rate:.0%} of the picks."
        if held
        else f"No score holds a false discovery rate of {rate:.0%}; this is the highest seen."
    )
    return Estimate(value=float(scores[place]), text=text)
