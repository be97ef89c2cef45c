"""The page of one `decide-micrographs` run, from what the engine left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryoverdict.engine.decision import Decision
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.judging import Measurements, ledger_of
from cryoverdict.features.area_map import AreaKind
from cryoverdict.reports.micrograph_page import write_micrograph_page
from cryoverdict.reports.pictures import PagePictures
from cryoverdict.rules.effect import describe_effect


def report_micrographs(
    output: Path, *, measured: Measurements, decisions: Sequence[Decision], judge: Judge
) -> Path:
    """Write ``output/report`` and return its first page."""

    def pictures(subject: str) -> PagePictures | None:
        """Return what was drawn of a subject while it was measured."""
        if not measured.store.path(subject).exists():
            return None
        return PagePictures.of(measured.store.read(subject).pictures)

    return write_micrograph_page(
        output / "report",
        decisions=(d.to_dict() for d in decisions),
        table=measured.table,
        features=judge.kind.features(),
        pictures=pictures,
        ledger=ledger_of(decisions, measured.errors).to_dict(),
        rules=rule_effects(judge, decisions),
        area_kinds=tuple(kind.name.lower() for kind in AreaKind),
        title="Micrographs: which to keep, and why",
        notes=(*measured.notes(), *model_notes(judge)),
    )


def rule_effects(judge: Judge, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return for each rule how often it fired, could not say, and alone spoke against a subject."""
    fired: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for decision in decisions:
        spoke = [e for e in decision.explanation.evidence if e.source in ("rule", "gate")]
        fired.update(e.name for e in spoke)
        against = [e.name for e in spoke if e.source == "gate" or e.log_odds < 0]
        if len(against) == 1:
            alone.update(against)
        silent.update(c.rule for c in decision.explanation.could_not_say)
    return [
        {
            "id": rule.id,
            "title": rule.title,
            "effect": describe_effect(rule.effect),
            "because": rule.because.template,
            "fired": fired[rule.id],
            "could_not_say": silent[rule.id],
            "fired_alone": alone[rule.id],
        }
        for rule in judge.rules.rules
    ]


def model_notes(judge: Judge) -> tuple[str, ...]:
    """Return what a reader must know of the model before believing it."""
    card = judge.model.card
    return tuple(str(card[name]) for name in ("learnt_from", "limits") if name in card)
