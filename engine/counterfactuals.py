"""What would have turned a decision: found by search over the decision itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.decision import Counterfactual, Decision
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.models.company import Company
from cryoverdict.features.feature import SUFFIXES, Feature
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.data_set_statistics import DataSetStatistics
from cryoverdict.rules.rule_set import Kinds

# A sentence with more changes than this says nothing to a reader.
MOST_CHANGES = 3
# Measurements tried: those that speak most strongly for the outcome as it is.
MOST_FEATURES = 10
STEPS = 8
REFINEMENT = 24

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterfactualSearch:
    """A search over changed measurements of the subjects of one table.

    Every candidate is decided anew by the same rules, gates and model, while the statistics of
    its data set (of its own kind, where ``kinds`` tells several apart) stay as they are; what is
    reported has been seen to turn the outcome.
    """

    judge: Judge
    table: FeatureTable
    kinds: Kinds
    statistics: Mapping[str, DataSetStatistics]
    companies: Mapping[str, Company]
    trust: Values

    @classmethod
    def over(
        cls, judge: Judge, table: FeatureTable, kinds: Kinds | None = None
    ) -> CounterfactualSearch:
        """Return a search over one data set."""
        return cls(
            judge=judge,
            table=table,
            kinds=kinds or {},
            statistics=judge.rules.statistics_by_kind(table, kinds),
            companies=judge.model.companies(table, kinds),
            trust=judge.trust(table, kinds)[1],
        )

    def statistics_of(self, row: int) -> DataSetStatistics:
        """Return the statistics of the data set that a row is compared with."""
        return self.statistics[self.kinds.get(self.table.subjects[row], "")]

    def explained(self, decision: Decision, row: int) -> Decision:
        """Return the decision of row ``row`` with its counterfactual, if a short one exists.

        One measurement after the other is moved towards the ends of the training range, the most
        helpful first; the last one is then moved back as far as the outcome allows.
        """
        start = self.table.values[row].copy()
        towards = -1.0 if decision.explanation.favourable else 1.0
        changed: dict[int, float] = {}
        for _ in range(MOST_CHANGES):
            moves = self._moves(decision, start, changed)
            if not moves:
                return decision
            candidates = self._candidates(start, changed, moves)
            scores = towards * self._log_odds(candidates, row)
            turning = np.flatnonzero(self._turned(scores, towards))
            if turning.size:
                cost = [self._distance(start, *moves[i]) for i in turning]
                column, value = moves[int(turning[int(np.argmin(cost))])]
                changed[column] = self._least(start, changed, (column, value), towards, row)
                return replace(decision, counterfactual=self._told(start, changed, towards))
            column, value = moves[int(np.argmax(scores))]
            changed[column] = value
        return decision

    def _moves(
        self, decision: Decision, start: Values, changed: dict[int, float]
    ) -> list[tuple[int, float]]:
        """Return the single changes to try next, as column and new value."""
        scale = self.judge.model.favourable.members.standardisation
        order = {name: j for j, name in enumerate(self.judge.model.favourable.features)}
        moves = []
        for name in self._suspects(decision):
            column = self.table.features.index(name)
            if column in changed or np.isnan(start[column]) or name not in order:
                continue
            j = order[name]
            for end in self._ends(name, decision, scale.low[j], scale.high[j]):
                steps = np.linspace(start[column], end, STEPS + 1)[1:]
                away = (end == scale.high[j]) == (end > start[column])
                moves += [(column, float(v)) for v in steps if away and v != start[column]]
        return moves

    def _ends(self, name: str, decision: Decision, low: float, high: float) -> tuple[float, ...]:
        """Return the ends of the training range towards which a change would make sense.

        A subject is not told that it would be kept if it were worse, nor rejected if better.
        """
        better = {f.name: f.better for f in self.judge.kind.features()}[name]
        if better == "neither":
            return (low, high)
        upwards = (better == "higher") != decision.explanation.favourable
        return (high,) if upwards else (low,)

    def _suspects(self, decision: Decision) -> list[str]:
        """Return the features behind the evidence for the outcome, the strongest first."""
        sign = 1.0 if decision.explanation.favourable else -1.0
        weight: dict[str, float] = {}
        rules = {rule.id: rule for rule in self.judge.rules.rules}
        for evidence in decision.explanation.evidence:
            speaks = sign * evidence.log_odds
            if evidence.source == "model":
                names = [evidence.name] if evidence.name in self.table.features else []
            else:
                names = list(rules[evidence.name].units)
                speaks = 100.0 if evidence.source == "gate" else speaks
            for name in names:
                if speaks > 0:
                    weight[name] = weight.get(name, 0.0) + speaks
        return sorted(weight, key=lambda name: (-weight[name], name))[:MOST_FEATURES]

    @staticmethod
    def _candidates(
        start: Values, changed: dict[int, float], moves: list[tuple[int, float]]
    ) -> Values:
        """Return one changed row a move, on top of what is changed already."""
        rows = np.repeat(start[None], len(moves), axis=0)
        for column, value in changed.items():
            rows[:, column] = value
        for i, (column, value) in enumerate(moves):
            rows[i, column] = value
        return rows

    def _log_odds(self, rows: Values, row: int) -> Values:
        """Decide changes of row ``row`` anew and return the log-odds of the favourable outcome.

        The embedding stays as it is: no single change of it would mean anything.
        """
        subject = self.table.subjects[row]
        return self.judge.log_odds(
            self.table.varied(subject, rows),
            self.statistics_of(row),
            float(self.trust[row]),
            self.companies[self.kinds.get(subject, "")],
        )

    @staticmethod
    def _turned(scores: Values, towards: float) -> NDArray[np.bool_]:
        """Say which scores lie on the other side; exactly on the threshold is favourable."""
        return scores >= 0.0 if towards > 0 else scores > 0.0

    def _distance(self, start: Values, column: int, value: float) -> float:
        """Return how far a change goes, in robust deviations of the training data."""
        scale = self.judge.model.favourable.members.standardisation
        j = self.judge.model.favourable.features.index(self.table.features[column])
        return float(abs(value - start[column]) / scale.scale[j])

    def _least(
        self,
        start: Values,
        changed: dict[int, float],
        move: tuple[int, float],
        towards: float,
        row: int,
    ) -> float:
        """Return the smallest change of one column that still turns the outcome."""
        column, value = move
        steps = np.linspace(start[column], value, REFINEMENT + 1)[1:]
        rows = self._candidates(start, changed, [(column, float(v)) for v in steps])
        turned = self._turned(towards * self._log_odds(rows, row), towards)
        # The outcome may turn and turn back; the change told is the last unbroken stretch.
        unbroken = np.flatnonzero(~turned)
        first = int(unbroken[-1]) + 1 if unbroken.size else 0
        return float(steps[first])

    def _told(self, start: Values, changed: dict[int, float], towards: float) -> Counterfactual:
        """Put the changes into a sentence."""
        kind = self.judge.kind
        described = {f.name: f for f in kind.features()}
        outcome = "kept" if towards > 0 else "rejected"
        parts = [
            _part(described[self.table.features[column]], float(start[column]), value)
            for column, value in changed.items()
        ]
        return Counterfactual(
            text=f"would be {outcome} if " + " and ".join(parts),
            changes={self.table.features[c]: v for c, v in changed.items()},
        )


def _part(feature: Feature, was: float, would_be: float) -> str:
    """Return ``name were at most X unit (it is Y)``."""
    side = "at most" if would_be < was else "at least"
    words = feature.name.removesuffix(SUFFIXES.get(feature.unit, "")).replace("_", " ")
    unit = {"1": "", "A": " Å", "um": " µm", "deg": "°", "px": " px", "count": ""}[feature.unit]
    return f"{words} were {side} {would_be:.4g}{unit} (it is {was:.4g}{unit})"
