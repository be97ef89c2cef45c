"""What looks after a selection as a whole: rare views, too much rejected, the price of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.selection import Price, TotalPrice
from cryoverdict.engine.decision import Decision, installed_version
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation
from cryoverdict.features.class_average import Assignments
from cryoverdict.features.class_company import likeness
from cryoverdict.features.class_view import ClassView
from cryoverdict.features.table import FeatureTable

GUARD = "class-guard"
RARE_VIEW, REJECTED_CLASSES, REJECTED_PARTICLES = (
    "rare-view",
    "rejected-classes",
    "rejected-particles",
)
# SIMPLE does not act where it would reject more than 70 % of the classes.
MOST_CLASSES, MOST_PARTICLES = 0.7, 0.6
# Below this correlation with every kept class an average shows something of its own; views that
# are neighbours on the sphere of directions correlate by more.
OWN_VIEW, SAME_VIEW = 0.75, 0.9
# What looks real: one thing in the middle that has more structure than the rim, and no edge. The
# judge itself must have been in doubt.
REAL: Mapping[str, tuple[float, float]] = {
    "object_contrast": (4.0, np.inf),
    "middle_centre_edge": (0.4, np.inf),
    "object_offset": (-np.inf, 0.3),
    "straight_edge_score": (-np.inf, 0.3),
    "plane_share": (-np.inf, 0.15),
    "overfit_score": (-np.inf, 0.2),
    "particle_number": (8.0, np.inf),
    "half_correlation_mean": (0.4, np.inf),
}
LEAST_PROBABILITY = 0.2
# A class that the guard keeps is kept by this much, and no more.
KEPT_BY = 0.05
FIFTHS = 5


def keep_rare_views(
    decisions: Sequence[Decision], views: Sequence[ClassView], table: FeatureTable
) -> tuple[tuple[Decision, ...], tuple[Decision, ...]]:
    """Return the decisions with rare views kept and flagged, and the guard's own decisions.

    A rejected class that no gate has shut is kept where it looks real and differs from all kept
    classes: minority views are what a reconstruction lacks most (RELION's advice on selection).
    """
    alike = likeness(views[0].run) if views else np.zeros((0, 0))
    kept = np.array([d.explanation.favourable for d in decisions], dtype=bool)
    changed, guards = list(decisions), []
    # The most probable first: of two that show the same rare view one is enough.
    order = sorted(range(len(decisions)), key=lambda i: -decisions[i].explanation.log_odds)
    for i in order:
        decision = decisions[i]
        if kept[i] or not kept.any() or not _looks_real(decision, table):
            continue
        nearest = float(np.nanmax(np.where(kept, alike[i], -1.0)))
        if nearest >= OWN_VIEW:
            continue
        text = (
            f"It looks real and is unlike every kept class (nearest: {nearest:.2f}): a rare view "
            "is kept, and flagged."
        )
        needed = KEPT_BY - decision.explanation.log_odds
        evidence = Evidence(
            source="rule", name=RARE_VIEW, log_odds=needed, text=text, value=nearest
        )
        old = decision.explanation
        changed[i] = replace(
            decision,
            outcome="good",
            explanation=replace(old, evidence=(*old.evidence, evidence)),
            defects=(),
            review=True,
            review_reasons=(*decision.review_reasons, "kept as a possible rare view"),
        )
        kept[i] = True
        guards.append(_guard(decision.subject, RARE_VIEW, nearest, OWN_VIEW, text, decision))
    return tuple(changed), tuple(guards)


def mass_guards(
    decisions: Sequence[Decision], views: Sequence[ClassView], template: Decision
) -> tuple[Decision, ...]:
    """Return the two guards over how much is rejected; blank averages do not count."""
    shown = [d for d, v in zip(decisions, views, strict=True) if not v.blank]
    lost = sum(not d.explanation.favourable for d in shown) / max(len(shown), 1)
    text = (
        f"{lost:.0%} of the classes that show anything are rejected; more than 70 % is a warning."
    )
    guards = [_guard("run", REJECTED_CLASSES, lost, MOST_CLASSES, text, template)]
    members = [v.average.members for v in views]
    if all(m is not None for m in members):
        counts = np.array(members, dtype=float)
        rejected = np.array([not d.explanation.favourable for d in decisions])
        part = float(counts[rejected].sum() / max(float(counts.sum()), 1.0))
        text = f"{part:.0%} of the particles lie in rejected classes; more than 60 % is a warning."
        guards.append(_guard("run", REJECTED_PARTICLES, part, MOST_PARTICLES, text, template))
    return tuple(guards)


def prices_of(
    decisions: Sequence[Decision], views: Sequence[ClassView], assignments: Assignments | None
) -> tuple[dict[str, Price], TotalPrice]:
    """Return the price of each rejection, and of all together.

    A class is a view of its own as probably as it is good, and its rejection loses the view unless
    a kept class shows it too.
    """
    rejected = np.array([not d.explanation.favourable for d in decisions], dtype=bool)
    alike = likeness(views[0].run)
    worth = np.array([d.explanation.favourable_probability for d in decisions])
    worth /= max(float(worth.sum()), 1e-9)
    fifth = _defocus_fifths(assignments)
    total = 0 if assignments is None else len(assignments)
    prices = {}
    for i in np.flatnonzero(rejected).tolist():
        average = views[i].average
        shown = bool((alike[i][~rejected] >= SAME_VIEW).any())
        counted = average.members is not None and total > 0
        prices[decisions[i].subject] = Price(
            subject=decisions[i].subject,
            particles=average.members,
            share=(average.members or 0) / total if counted else average.share,
            view_share=0.0 if shown or views[i].blank else float(worth[i]),
            defocus_share=_hardest_hit(assignments, fifth, average.number),
        )
    filled = np.array([not v.blank for v in views])
    parts = [p.share for p in prices.values()]
    known = all(v.average.members is not None for v in views)
    return prices, TotalPrice(
        classes=float((rejected & filled).sum() / max(int(filled.sum()), 1)),
        particles=float(sum(p for p in parts if p is not None)) if known else None,
        views=float(sum(p.view_share for p in prices.values())),
        defocus_range=_range_lost(assignments, decisions, views),
    )


def _looks_real(decision: Decision, table: FeatureTable) -> bool:
    """Say whether a rejected average has all that a real view has, as far as is known."""
    if decision.explanation.gates:
        return False
    if decision.explanation.favourable_probability < LEAST_PROBABILITY:
        return False
    known = table.row(decision.subject)
    return all(
        low <= known[name] <= high for name, (low, high) in REAL.items() if name in known
    ) and {"object_contrast", "middle_centre_edge"} <= set(known)


def _guard(
    subject: str, name: str, value: float, limit: float, text: str, template: Decision
) -> Decision:
    """Return a guard as a decision: held while the value is within its limit.

    Its log-odds are those of the limit over those of the value, so that 0 is at the limit.
    """
    at, own = (min(max(x, 1e-3), 1.0 - 1e-3) for x in (limit, value))
    odds = log(at / (1.0 - at)) - log(own / (1.0 - own))
    # A rare view is raised by being found at all.
    odds = -abs(odds) - 1e-6 if name == RARE_VIEW else odds
    evidence = Evidence(source="rule", name=name, log_odds=odds, text=text, value=value)
    explanation = Explanation(prior_log_odds=0.0, evidence=(evidence,))
    return Decision(
        kind=GUARD,
        subject=f"{name}: {subject}",
        outcome="held" if explanation.favourable else "raised",
        explanation=explanation,
        review=not explanation.favourable,
        review_reasons=() if explanation.favourable else (text,),
        digests=template.digests,
        version=installed_version(),
    )


def _defocus_fifths(assignments: Assignments | None) -> NDArray[np.int64] | None:
    """Return which fifth of the defocus range each particle lies in."""
    if assignments is None or assignments.defocus_a is None or not len(assignments):
        return None
    values = assignments.defocus_a.astype(float)
    edges = np.nanquantile(values, np.arange(1, FIFTHS) / FIFTHS)
    known = np.nan_to_num(values, nan=float(edges[-1]))
    return np.asarray(np.searchsorted(edges, known, side="right"), dtype=np.int64)


def _hardest_hit(
    assignments: Assignments | None, fifth: NDArray[np.int64] | None, number: int
) -> float | None:
    """Return the largest share that a class has in a fifth of the defocus range."""
    if assignments is None or fifth is None:
        return None
    mine = np.bincount(fifth[assignments.number == number], minlength=FIFTHS)
    return float((mine / np.maximum(np.bincount(fifth, minlength=FIFTHS), 1)).max())


def _range_lost(
    assignments: Assignments | None, decisions: Sequence[Decision], views: Sequence[ClassView]
) -> float | None:
    """Return the share of the defocus range (5 to 95 %) that the kept particles no longer span."""
    if assignments is None or assignments.defocus_a is None or not len(assignments):
        return None
    good = [
        v.average.number for d, v in zip(decisions, views, strict=True) if d.explanation.favourable
    ]
    kept = np.isin(assignments.number, good)
    if not kept.any():
        return 1.0
    low, high = np.nanquantile(assignments.defocus_a, (0.05, 0.95))
    below, above = np.nanquantile(assignments.defocus_a[kept], (0.05, 0.95))
    if high <= low:
        return 0.0
    return float(1.0 - (min(high, above) - max(low, below)) / (high - low))
