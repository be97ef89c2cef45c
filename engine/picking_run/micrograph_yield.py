"""What the picks of each micrograph say of it, measured against the data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np

from cryoverdict.engine.belief import Belief, belief_of
from cryoverdict.engine.decision import Decision, Defect, installed_version
from cryoverdict.engine.explanation import Explanation, gated, logistic
from cryoverdict.engine.kinds.micrograph_yield import MICROGRAPH_YIELD
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_run.pick_store import PickedMicrograph
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.star import parse_number
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_set import RuleSet

# What the first decision thought of a micrograph; where a list lacks it, nine in ten are good.
KEEP_COLUMN = "cryoverdictKeepProbability"
USUAL_PROBABILITY = 0.9
# No first decision is so sure that a second look could not turn it.
SUREST_PROBABILITY = 0.95
# The grid on which evenness is counted: cells of a side, at most.
MOST_CELLS = 12
# Reasons of `Picks.dropped` that tell of the micrograph and not of the picking.
ON_SOMETHING = ("film", "dark_bar", "contamination", "aggregate", "bright")
REVIEW_LOG_ODDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """The picks of one micrograph as numbers that can be compared with other micrographs."""

    subject: str
    answers: Mapping[str, Answer]

    @classmethod
    def of(cls, picked: PickedMicrograph) -> Yield:
        """Return the yield of one micrograph."""
        picks = picked.picks
        count = len(picks)
        scores = picks.score[np.isfinite(picks.score)]
        on_something = sum(len(picks.dropped[r]) for r in ON_SOMETHING if r in picks.dropped)
        above = count + on_something
        usable = picks.usable_fraction
        return cls(
            subject=picks.subject,
            answers={
                "pick_count": float(count),
                "pick_density": count / usable if usable > 0 else Absent("nothing is usable"),
                "pick_evenness": evenness(picks, picked.shape),
                "pick_score": float(np.median(scores)) if scores.size else Absent("no picks"),
                "dropped_fraction": on_something / above if above else Absent("nothing scored"),
            },
        )


def evenness(picks: Picks, shape: tuple[int, int]) -> Answer:
    """Return the share of the field with picks, over the share that an even spread would have.

    Counted on a square grid with about two picks a cell, at most `MOST_CELLS` cells a side. Picks
    spread at random leave (1 − 1/m)ⁿ of m cells empty (balls in boxes); only cells of the usable
    field can hold picks. Near 1 for single particles in ice, near 0 where all lie in one clump.
    """
    count = len(picks)
    if count < 8:
        return Absent("fewer than 8 picks")
    side = int(np.clip(round((count / 2) ** 0.5), 2, MOST_CELLS))
    rows = np.clip((picks.y_px + 0.5) / shape[0] * side, 0, side - 1).astype(int)
    columns = np.clip((picks.x_px + 0.5) / shape[1] * side, 0, side - 1).astype(int)
    taken = len(np.unique(rows * side + columns))
    cells = max(1.0, side * side * picks.usable_fraction)
    expected = cells * (1.0 - exp(count * log(1.0 - 1.0 / cells))) if cells > 1 else 1.0
    return float(min(1.5, taken / expected))


def yield_table(picked: Iterable[PickedMicrograph]) -> FeatureTable:
    """Return the yields of a data set as one table."""
    yields = [Yield.of(one) for one in picked]
    names = tuple(fact.name for fact in MICROGRAPH_YIELD.facts)
    values = np.full((len(yields), len(names)), np.nan)
    absent: dict[tuple[str, str], str] = {}
    for i, one in enumerate(yields):
        for j, name in enumerate(names):
            answer = one.answers[name]
            if isinstance(answer, Absent):
                absent[one.subject, name] = answer.reason
            else:
                values[i, j] = float(answer)  # type: ignore[arg-type]
    return FeatureTable(
        subjects=tuple(one.subject for one in yields),
        features=names,
        units=MICROGRAPH_YIELD.units(),
        values=values,
        absent=absent,
    )


def second_look(
    table: FeatureTable, rules: RuleSet, first: Mapping[str, float]
) -> tuple[Decision, ...]:
    """Return the second decision on each micrograph, with its yield as evidence.

    The prior is what the first decision thought (``first``: probability of keeping, by subject),
    so that both decisions add up. The defects are ``empty`` and ``aggregate``.
    """
    if not table.subjects:
        return ()
    findings = rules.findings(table)
    digests = {"features": table.digest, "rules": rules.digest}
    version = installed_version()
    decisions = []
    for subject in table.subjects:
        belief = belief_of(findings[subject])
        prior = _log_odds(first.get(subject, USUAL_PROBABILITY))
        explanation = gated(prior, belief.weights, belief.gates, belief.could_not_say)
        near = abs(explanation.log_odds) < REVIEW_LOG_ODDS
        decisions.append(
            Decision(
                kind=MICROGRAPH_YIELD.decision,
                subject=subject,
                outcome="keep" if explanation.favourable else "reject",
                explanation=explanation,
                defects=_defects(explanation, belief),
                review=near,
                review_reasons=("the probability is near the threshold",) if near else (),
                digests=digests,
                version=version,
            )
        )
    return tuple(decisions)


def first_probabilities(micrographs: MicrographList) -> dict[str, float]:
    """Return the probability of keeping that the list carries for each of its subjects."""
    found = {}
    for subject, (number, row) in micrographs.origin.items():
        table = micrographs.sources[number].table
        column = table.column(KEEP_COLUMN) if table is not None else None
        value = parse_number(column[row]) if column else None
        if value is not None and 0.0 <= value <= 1.0:
            found[subject] = value
    return found


def _log_odds(probability: float) -> float:
    """Return the log-odds of a first decision, never surer than `SUREST_PROBABILITY`."""
    held = min(SUREST_PROBABILITY, max(1.0 - SUREST_PROBABILITY, probability))
    return log(held / (1.0 - held))


def _defects(explanation: Explanation, belief: Belief) -> tuple[Defect, ...]:
    """Return what a rejected micrograph seems to be, most probable first."""
    if explanation.favourable:
        return ()
    ranked = sorted(belief.pointed.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Defect(name=name, probability=logistic(x)) for name, x in ranked if x > 0)
