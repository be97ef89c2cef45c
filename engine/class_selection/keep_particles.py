"""Outliers among the particles of good classes: decided for all of them by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.selection import ParticleVerdicts
from cryoverdict.engine.decision import Decision, installed_version
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation, logistic
from cryoverdict.engine.kinds.keep_particles import KEEP_PARTICLES
from cryoverdict.features.class_average import Assignments
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.effect import LogOdds
from cryoverdict.rules.rule_loader import load_rules

# A particle of a good class is taken for good: nine in ten are, in simulated runs.
PRIOR_LOG_ODDS = 2.0
# Fewer particles than this have no usual value to be far from.
FEWEST = 20
NOT_SAID = "the run does not say it"
TOO_FEW = "fewer than 20 particles to compare with"


def judge_particles(
    assignments: Assignments,
    reasons: Mapping[int, str],
    rule_layers: Sequence[Path],
    digests: Mapping[str, str],
) -> tuple[ParticleVerdicts, Decision]:
    """Return the verdict on every particle, and the one decision on those of good classes.

    ``reasons`` gives for each rejected class number why; all of its particles go with it.
    """
    rules = load_rules(KEEP_PARTICLES.id, rule_layers, features=KEEP_PARTICLES.units())
    within = ~np.isin(assignments.number, list(reasons))
    table = particle_table(assignments, within)
    answers = rules.answers(table) == 1
    weights = np.array(
        [r.effect.value if isinstance(r.effect, LogOdds) else 0.0 for r in rules.rules]
    )
    log_odds = PRIOR_LOG_ODDS + weights @ answers
    kept = np.zeros(len(assignments), dtype=bool)
    kept[within] = log_odds >= 0.0
    probability = np.full(len(assignments), np.nan)
    probability[within] = 1.0 / (1.0 + np.exp(-log_odds))
    reason = [reasons.get(int(n), "") for n in assignments.number]
    places = np.flatnonzero(within)
    for j in np.flatnonzero(log_odds < 0.0):
        spoke = [r.id for r, yes in zip(rules.rules, answers[:, j], strict=True) if yes]
        reason[places[j]] = f"outlier: {', '.join(spoke)}"
    counts = {r.id: int(a.sum()) for r, a in zip(rules.rules, answers, strict=True)}
    verdicts = ParticleVerdicts(
        kept=kept, reason=tuple(reason), probability=probability, rules=counts
    )
    total, lost = int(within.sum()), int((log_odds < 0.0).sum())
    return verdicts, _group_decision(
        total,
        lost,
        {r.title: counts[r.id] for r in rules.rules},
        {**digests, "rules": rules.digest},
    )


def particle_table(assignments: Assignments, within: NDArray[np.bool_]) -> FeatureTable:
    """Return what rules may know of the particles of good classes.

    Each value is compared with the particles of the same class: what is usual differs from view to
    view. Likelihoods are first taken about the median of their micrograph, for thick ice and high
    defocus lower them for all.
    """
    number = assignments.number
    columns: dict[str, NDArray[np.float64] | None] = {
        "likelihood_outlier": None,
        "probability_ratio": None,
        "offset_outlier": None,
    }
    if assignments.log_likelihood is not None:
        values = assignments.log_likelihood.astype(float)
        if assignments.micrograph is not None:
            _, where = np.unique(np.array(assignments.micrograph), return_inverse=True)
            values = values - _medians(values, where, fewest=FEWEST)
        columns["likelihood_outlier"] = _deviations(values, number)
    if assignments.top is not None:
        top = assignments.top.astype(float)
        usual = _medians(top, number, fewest=FEWEST, lacking=np.nan)
        columns["probability_ratio"] = top / np.where(usual > 0, usual, np.nan)
    if assignments.offset_a is not None:
        length = np.hypot(*assignments.offset_a.astype(float).T)
        columns["offset_outlier"] = _deviations(length, number)
    names = tuple(columns)
    size = int(within.sum())
    values = np.full((size, len(names)), np.nan)
    reasons = {}
    for j, (name, column) in enumerate(columns.items()):
        reasons[name] = NOT_SAID if column is None else TOO_FEW
        if column is not None:
            values[:, j] = np.where(np.isfinite(column[within]), column[within], np.nan)
    subjects = tuple(str(i) for i in np.flatnonzero(within))
    return FeatureTable(
        subjects=subjects,
        features=names,
        units=dict.fromkeys(names, "1"),
        values=values,
        absent={
            (subjects[i], names[j]): reasons[names[j]] for i, j in np.argwhere(np.isnan(values))
        },
    )


def _medians(
    values: NDArray[np.float64],
    group: NDArray[np.integer],
    *,
    fewest: int,
    lacking: float | None = None,
) -> NDArray[np.float64]:
    """Return for each value the median of its group; of all where the group is small."""
    every = float(np.nanmedian(values)) if lacking is None else lacking
    out = np.full(len(values), every)
    order = np.argsort(group, kind="stable")
    edges = np.flatnonzero(np.diff(group[order])) + 1
    for members in np.split(order, edges):
        if len(members) >= fewest:
            out[members] = np.nanmedian(values[members])
    return out


def _deviations(values: NDArray[np.float64], group: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return robust deviations from the median of the own group; NaN in small groups."""
    middle = _medians(values, group, fewest=FEWEST, lacking=np.nan)
    spread = 1.4826 * _medians(np.abs(values - middle), group, fewest=FEWEST, lacking=np.nan)
    return (values - middle) / np.where(spread > 0, spread, np.nan)


def _group_decision(
    total: int, lost: int, spoke: Mapping[str, int], digests: Mapping[str, str]
) -> Decision:
    """Return the decision on the particles of good classes as a group.

    Its probability is the share that is kept: what a particle drawn from them may expect.
    """
    share = (total - lost + 0.5) / (total + 1.0)
    odds = float(np.log(share / (1.0 - share)))
    told = [f"{title}: {n} of {total}" for title, n in spoke.items() if n]
    text = "; ".join(told) or "no rule spoke against any particle"
    evidence = Evidence(
        source="rule",
        name="outliers-of-good-classes",
        log_odds=odds - PRIOR_LOG_ODDS,
        text=f"{lost} of {total} particles of good classes are outliers ({text}).",
        value=float(lost),
        unit="count",
    )
    explanation = Explanation(prior_log_odds=PRIOR_LOG_ODDS, evidence=(evidence,))
    assert abs(explanation.favourable_probability - logistic(odds)) < 1e-9
    return Decision(
        kind=KEEP_PARTICLES.id,
        subject="particles of good classes",
        outcome="keep" if explanation.favourable else "reject",
        explanation=explanation,
        digests=digests,
        version=installed_version(),
    )
