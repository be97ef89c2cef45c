"""The page of one `decide-classification` run, from what the engine left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryoverdict.engine.classification_decision.deciding import ClassificationDecided
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.reports.chart import error_chart
from cryoverdict.reports.classification_page import (
    ClassificationPage,
    Judged,
    Trial,
    TriedMask,
    write_classification_page,
)
from cryoverdict.reports.classification_report import facts_of
from cryoverdict.reports.number import write_quantity

HEAD = (
    ("box_px", "px"),
    ("binned_box_px", "px"),
    ("binned_pixel_size_a", "A"),
    ("classes", "1"),
    ("mask_diameter_a", "A"),
    ("resolution_limit_a", "A"),
)


def report_decision(
    output: Path, decided: ClassificationDecided, *, notes: Sequence[str] = ()
) -> Path:
    """Write ``output/report`` and return its first page."""
    decision = decided.decision
    outcome = decision.outcome
    page = ClassificationPage(
        title="Extraction and 2D classification: how, and why",
        sentence=_sentence(decision),
        numbers=tuple(
            (name.removesuffix("_a").removesuffix("_px").replace("_", " "), _told(outcome, name, u))
            for name, u in HEAD
        ),
        notes=(*notes, *decision.findings, *decision.review_reasons),
        trial=_trial(decided),
        judged=(
            Judged(
                heading="Parameters",
                sentence="What is known of the data set, and who settled each value.",
                facts=facts_of(decision),
                record=decision.to_dict(),
            ),
        ),
    )
    return write_classification_page(output / "report", page)


def _sentence(decision: ParameterDecision) -> str:
    """Say what was settled in one sentence."""
    by = [str(p.settled_by) for p in decision.parameters]
    parts = [
        f"{by.count(who)} {words}"
        for who, words in (
            ("statistics", "measured"),
            ("rule", "settled by rules"),
            ("given", "given"),
            ("none", "not settled"),
        )
        if by.count(who)
    ]
    return f"{len(by)} parameters: {', '.join(parts)}."


def _told(outcome: dict[str, float | None], name: str, unit: str) -> str:
    """Return a value as the head of the page writes it."""
    return write_quantity(outcome[name], unit)


def _trial(decided: ClassificationDecided) -> Trial | None:
    """Return the mask trial as the page shows it."""
    trial = decided.trial
    if trial is None:
        return None
    points = [(c.mask_diameter_a, c.detail.bits, c.detail.error) for c in trial.candidates]
    return Trial(
        sentence=trial.sentence,
        chart=error_chart("Detail shared by two halves, bits a class", "mask diameter, Å", points),
        masks=tuple(
            TriedMask(
                diameter=write_quantity(c.mask_diameter_a, "A"),
                score=f"{c.detail.bits:.0f} ± {c.detail.error:.0f} bits",
                chosen=c is trial.chosen,
                averages=c.averages,
            )
            for c in trial.candidates
        ),
    )
