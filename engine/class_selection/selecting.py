"""From the class averages of a run to what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryoverdict.engine.class_selection.adapting import (
    adapted_judge,
    passed_evidence,
    run_threshold,
    threshold_evidence,
    told_apart,
)
from cryoverdict.engine.class_selection.guards import keep_rare_views, mass_guards, prices_of
from cryoverdict.engine.class_selection.keep_particles import judge_particles
from cryoverdict.engine.class_selection.selection import ClassSelection
from cryoverdict.engine.decision import Decision
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.judging import decide_table
from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_company import likeness
from cryoverdict.features.class_families import measure_views
from cryoverdict.features.class_view import ClassView, prepare_classes
from cryoverdict.features.table import FeatureTable

# Averages more alike than this show one view twice; junk says nothing of views.
DUPLICATE = 0.97


def select_classes(
    classes: ClassSet,
    judge: Judge,
    *,
    rule_layers: Sequence[Path] = (),
    passed_share: float | None = None,
) -> ClassSelection:
    """Judge all class averages of a run, and its particles where they are listed.

    ``passed_share`` is how many of the particles are good as a selection before this one expects,
    where there was one.
    """
    views = prepare_classes(classes)
    table = measure_views(views)
    before = () if passed_share is None else (passed_evidence(passed_share),)
    threshold = threshold_of(classes, judge, table, sum(e.log_odds for e in before))
    asked = threshold_evidence(threshold)
    shifts = before if asked is None else (*before, asked)
    adapted = adapted_judge(judge, sum(e.log_odds for e in shifts))
    found = tuple(told_apart(decide_table(adapted, table), judge, shifts))
    found, rare = keep_rare_views(found, views, table)
    guards = (*rare, *mass_guards(found, views, found[0]))
    prices, total = prices_of(found, views, classes.assignments)
    particles = decision = None
    if classes.assignments is not None:
        digests = {k: v for k, v in found[0].digests.items() if k != "rules"}
        reasons = {
            a.number: f"{_named(d)}: class {a.number}"
            for a, d in zip(classes.averages, found, strict=True)
            if not d.explanation.favourable
        }
        # A number that no class has is no class's particle.
        known = {a.number for a in classes.averages}
        strangers = set(np.unique(classes.assignments.number).tolist()) - known
        reasons |= {n: f"no class of the list: class {n}" for n in sorted(strangers)}
        particles, decision = judge_particles(classes.assignments, reasons, rule_layers, digests)
    return ClassSelection(
        classes=classes,
        views=views,
        table=table,
        decisions=found,
        guards=guards,
        prices=prices,
        total=total,
        particles=particles,
        particle_decision=decision,
        notes=notes_on(classes, views, found, threshold),
    )


def threshold_of(classes: ClassSet, judge: Judge, table: FeatureTable, known: float = 0.0) -> float:
    """Return the probability from which a class of this run is kept.

    ``known`` is what is added to the judge's log-odds, from before.
    """
    statistics = judge.rules.statistics(table)
    log_odds = judge.log_odds(table, statistics) + known
    members = [a.members for a in classes.averages]
    counted = all(m is not None for m in members) and sum(m or 0 for m in members) > 0
    weights = np.array([float(m or 0) if counted else 1.0 for m in members])
    return run_threshold(log_odds, weights)


def _named(decision: Decision) -> str:
    """Return what is wrong with a rejected class in a word or two."""
    return ", ".join(d.name for d in decision.defects) or "junk"


def notes_on(
    classes: ClassSet, views: Sequence[ClassView], found: Sequence[Decision], threshold: float
) -> tuple[str, ...]:
    """Return sentences about the run."""
    run = views[0].run
    notes = list(classes.notes)
    if run.inverted:
        notes.append("Particles are darker than their ground; the averages were inverted.")
    if classes.averages[0].pixel_size_a is None:
        notes.append("The pixel size is unknown: what needs it could not say.")
    if threshold < 0.5:
        notes.append(f"A class of this run is kept from a probability of {threshold:.0%}.")
    kept = [i for i, d in enumerate(found) if d.explanation.favourable]
    alike = likeness(run)[np.ix_(kept, kept)]
    twice = int((np.nan_to_num(alike, nan=-1.0) >= DUPLICATE).any(axis=1).sum()) if kept else 0
    if twice:
        notes.append(f"{twice} kept classes show a view that another kept class shows too.")
    return tuple(notes)
