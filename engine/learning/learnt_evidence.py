"""What was learnt of micrographs, joined to the decisions on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cryoverdict.engine.decision import Decision
from cryoverdict.engine.learning.micrograph_yields import learnt_evidence
from cryoverdict.engine.learning.model_record import model_digest, read_model_record
from cryoverdict.engine.learning.yield_model import YieldModel
from cryoverdict.features.table import FeatureTable

TURNED = "what was learnt from the good stack turned the outcome"


def with_learnt(
    decisions: Sequence[Decision], folder: Path, table: FeatureTable
) -> Iterator[Decision]:
    """Yield decisions with the learnt yield as one more piece of evidence; gates stay closed.

    Models that say nothing of yields on held-out micrographs leave every decision as it is. An
    outcome that turns is flagged, and its counterfactual, which spoke of another sum, is gone.
    """
    record = read_model_record(folder)
    yields = record["yields"]
    if yields is None or record["card"]["yields"]["correlation"] <= 0.0:
        yield from decisions
        return
    evidence = learnt_evidence(YieldModel.from_dict(yields), table)
    digest = model_digest(folder)
    for decision in decisions:
        before = decision.explanation
        if before.gates:
            yield decision
            continue
        after = replace(before, evidence=(*before.evidence, evidence[decision.subject]))
        turned = after.favourable != before.favourable
        yield replace(
            decision,
            explanation=after,
            outcome="keep" if after.favourable else "reject",
            grade=None if turned else decision.grade,
            defects=() if turned else decision.defects,
            review=decision.review or turned,
            review_reasons=(*decision.review_reasons, *((TURNED,) if turned else ())),
            counterfactual=None if turned else decision.counterfactual,
            digests={**decision.digests, "learnt": digest},
        )
