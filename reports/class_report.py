"""The page of one `decide-classes` run, from what the engine left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryoverdict.engine.class_selection.selection import ClassSelection, Price, TotalPrice
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.ledger import Bin, Ledger
from cryoverdict.reports.class_page import ClassPage, ClassTile, write_class_page
from cryoverdict.reports.class_picture import draw_average
from cryoverdict.reports.micrograph_report import model_notes, rule_effects
from cryoverdict.reports.number import write_number


def report_classes(
    output: Path, *, selection: ClassSelection, judge: Judge, ledger: Ledger
) -> Path:
    """Write ``output/report`` and return its first page."""
    inverted = selection.views[0].run.inverted
    tiles = [
        ClassTile(
            record=decision.to_dict(),
            grey=draw_average(average.pixels, inverted=inverted),
            number=average.number,
            members=average.members,
            price=_priced(selection.prices, decision.subject),
        )
        for decision, average in zip(selection.decisions, selection.classes.averages, strict=True)
    ]
    kept = selection.particles
    outliers = selection.particle_decision
    counted = ledger.bins
    notes = (
        [f"Every class and particle is in one bin: {_bins(counted)}."] if kept is not None else []
    )
    page = ClassPage(
        tiles=tiles,
        table=selection.table,
        features=judge.kind.features(),
        guards=[
            (g.explanation.favourable, g.subject, g.explanation.evidence[0].text)
            for g in selection.guards
        ],
        particles=None if kept is None else (int(kept.kept.sum()), int((~kept.kept).sum())),
        outliers="" if outliers is None else outliers.explanation.evidence[0].text,
        price=_total(selection.total),
        rules=rule_effects(judge, selection.decisions),
        notes=(*selection.notes, *notes, *model_notes(judge)),
        errors=selection.classes.unreadable,
    )
    return write_class_page(output / "report", page)


def _bins(bins: Mapping[Bin, int]) -> str:
    """Return the bins of a ledger in words."""
    return ", ".join(f"{write_number(n)} {word}" for word, n in bins.items() if n)


def _priced(prices: Mapping[str, Price], subject: str) -> str:
    """Return in words what a rejection takes."""
    price = prices.get(subject)
    if price is None:
        return ""
    words = []
    if price.particles is not None:
        share = "" if price.share is None else f" ({price.share:.1%})"
        words.append(f"{write_number(price.particles)} particles{share}")
    if price.view_share:
        words.append(f"{price.view_share:.1%} of the views")
    if price.defocus_share:
        words.append(f"up to {price.defocus_share:.1%} of one fifth of the defocus range")
    return ", ".join(words) or "nothing that is known"


def _total(total: TotalPrice) -> str:
    """Return in words what all rejections take."""
    words = [f"{total.classes:.0%} of the classes"]
    if total.particles is not None:
        words.append(f"{total.particles:.1%} of the particles")
    words.append(f"{total.views:.0%} of the views")
    if total.defocus_range is not None:
        words.append(f"{max(total.defocus_range, 0.0):.0%} of the defocus range")
    return ", ".join(words)
