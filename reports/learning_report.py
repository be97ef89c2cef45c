"""The pages of learning: what was learnt and may be used, and what it says of new particles."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoverdict.reports.table_page import TablePart, write_table_page

if TYPE_CHECKING:
    from cryoverdict.engine.learning.classifying import SortedParticles
    from cryoverdict.engine.learning.confirming import Confirmation
    from cryoverdict.engine.learning.learning import Learnt

REPORT = "report"
RECALLS = (0.9, 0.95, 0.98)
STRONGEST = 12


def report_learning(output: Path, learnt: Learnt) -> Path:
    """Write the page of what was learnt; return its path."""
    from cryoverdict.engine.kinds.learning import LEARNING

    card = learnt.model.card
    meaning = {fact.name: fact.meaning for fact in LEARNING.facts}
    facts: Mapping[str, float] = card["facts"]
    back = learnt.trained.kept_back
    good, said = learnt.lesson.good[back], learnt.trained.held_out[back]
    rows = []
    for recall in RECALLS:
        kept = said >= learnt.model.particles.threshold(recall)
        right = int((kept & good).sum())
        rows.append(
            (
                f"{recall:.0%}",
                f"{right} of {int(good.sum())}",
                f"{int(kept.sum()) - right} of {int((~good).sum())}",
            )
        )
    parts = [
        TablePart(
            title="What taught",
            sentences=(
                f"Runs: {', '.join(card['learnt_from'])}.",
                f"{card['particles']['good']} particles of the good stack, "
                f"{card['particles']['junk']} places that are not in it, in "
                f"{card['particles']['micrographs']} micrographs.",
                str(card["limits"]),
            ),
        ),
        TablePart(
            title="Guards",
            sentences=("No guard speaks against using it.",),
            head=("measured", "value", "meaning"),
            rows=tuple((name, f"{v:.4g}", meaning[name]) for name, v in facts.items()),
        ),
        TablePart(
            title="On micrographs that had no part",
            sentences=(
                f"{card['particles']['kept_back']} micrographs were kept back; good is what the "
                "run put into its stack.",
            ),
            head=("recall asked", "good kept", "others kept"),
            rows=tuple(rows),
        ),
        _yield_part(card["yields"]),
    ]
    return write_table_page(output / REPORT, "What was learnt", parts)


def report_sorted(output: Path, found: SortedParticles) -> Path:
    """Write the page of particles that a learnt model sorted; return its path."""
    probability = found.probability
    edges = [i / 10 for i in range(11)]
    rows = []
    for low, high in pairwise(edges):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        kept = int((inside & found.kept).sum())
        rows.append((f"{low:.0%} to {high:.0%}", str(int(inside.sum())), str(kept)))
    parts = [
        TablePart(
            title="Particles",
            sentences=(
                *(e.text for e in found.decision.explanation.evidence),
                f"{found.expected_good:.0f} good ones are expected among all.",
                f"{found.strange:.1%} of the measurements lie outside what the model learnt from; "
                "1 % would be usual.",
            ),
            head=("probability of good", "particles", "kept"),
            rows=tuple(rows),
        ),
        TablePart(
            title="What tells good from junk",
            sentences=("Mean contribution of a measurement to the log-odds, the strongest first.",),
            head=("measurement", "log-odds"),
            rows=tuple((n, f"{v:.2f}") for n, v in list(found.terms.items())[:STRONGEST]),
        ),
    ]
    return write_table_page(output / REPORT, "Particles, by the learnt model", parts)


def report_confirmation(output: Path, found: Confirmation) -> Path:
    """Write the page that compares the model with 2D classification; return its path."""
    against = tuple(e.text for e in found.decision.explanation.evidence if e.source == "gate")
    parts = [
        TablePart(
            title="A sample, judged twice",
            sentences=against
            or ("2D classification of the sample and the learnt model agree well enough.",),
            head=("of the sample", "2D selects", "2D rejects"),
            rows=(
                ("kept by the model", str(found.both), str(found.kept)),
                ("rejected by the model", str(found.selected), str(found.neither)),
            ),
        )
    ]
    return write_table_page(output / REPORT, "Does 2D classification agree?", parts)


def _yield_part(yields: Mapping[str, Any] | None) -> TablePart:
    """Return the panel of the micrographs' yield."""
    title = "Yield of micrographs"
    if yields is None:
        return TablePart(title=title, sentences=("Too few micrographs to learn their yield.",))
    return TablePart(
        title=title,
        sentences=(
            f"{yields['good']} of {yields['picked']} picks were good; in decisions on "
            f"micrographs: {yields['says']}.",
        ),
        head=("measured", "value", "meaning"),
        rows=(
            ("dispersion", f"{yields['dispersion']:.3g}", "correlation of picks of a micrograph"),
            ("covered", f"{yields['covered']:.0%}", "held-out counts inside their 95 % interval"),
            ("correlation", f"{yields['correlation']:+.2f}", "expected and seen share, held out"),
        ),
    )
