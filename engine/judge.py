"""Rules and models brought together into decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.belief import Belief, belief_of
from cryoverdict.engine.decision import Decision, Defect, installed_version
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import GATE_LOG_ODDS, Explanation, gated, logistic
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.company import Company, is_compared, taken_alone, uncompared
from cryoverdict.engine.models.embedding_basis import is_component
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import OffsetModel
from cryoverdict.engine.training.visible_truth import HIDDEN_IN_PICTURES
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.data_set_statistics import DataSetStatistics
from cryoverdict.rules.effect import LogOdds, Reject
from cryoverdict.rules.rule_set import Kinds, RuleSet
from cryoverdict.rules.sentence import told_deviations

# Within these log-odds of the threshold (27 to 73 %) a decision asks for a look.
REVIEW_LOG_ODDS = 1.0
# A model term weaker than this is added up with its like under one name.
SMALL_LOG_ODDS = 0.05
SMALL_TERMS = "other_features"
# What all components of the embedding say together: one by one they mean nothing to a person.
EMBEDDING = "embedding"
SEEN_BY_NETWORK = "What the image network sees in the image, beyond what is measured."
DEFECT_PROBABILITY = 0.5
# Known of every micrograph that came with its counts, and of no picture.
COUNTS = "grey_mean_count"
# Thumbnails without a pixel size still have half of the measurements; with less the prior decides.
FEWEST_KNOWN = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A kind of decision with the rules and the model that take it."""

    kind: DecisionKind
    rules: RuleSet
    model: KindModel

    def beliefs(self, table: FeatureTable, kinds: Kinds | None = None) -> dict[str, Belief]:
        """Return what the rules say of each subject, compared with those of its own kind."""
        findings = self.rules.findings_by_kind(table, kinds)
        return {subject: belief_of(findings[subject]) for subject in table.subjects}

    def decide(self, table: FeatureTable, kinds: Kinds | None = None) -> Iterator[Decision]:
        """Yield one decision a subject, without counterfactuals, in the table's order.

        ``kinds`` tells apart what must not be compared, such as counts and pictures.
        """
        if not table.subjects:
            return
        beliefs = self.beliefs(table, kinds)
        values = self.model.values(table, kinds)
        prior, terms = self.model.favourable.terms(values)
        alone = taken_alone(values, self.model.favourable.features)
        strange = self.model.favourable.members.standardisation.strangeness(alone)
        away, trust = self.trust(table, kinds)
        grades = self._grade_log_odds(values)
        defects = self._defect_log_odds(values, [beliefs[s] for s in table.subjects])
        hidden = _hidden(table)
        digests = {
            "features": table.digest,
            "rules": self.rules.digest,
            "model": self.model.digest,
        }
        version = installed_version()
        for i, subject in enumerate(table.subjects):
            belief = beliefs[subject]
            evidence = belief.weights + self._model_evidence(values[i], trust[i] * terms[i])
            explanation = gated(trust[i] * prior, evidence, belief.gates, belief.could_not_say)
            reasons = self._review_reasons(explanation, float(strange[i]), values[i])
            reasons += unlike(float(away[i]))
            yield Decision(
                kind=self.kind.id,
                subject=subject,
                outcome=self.outcome(explanation),
                explanation=explanation,
                grade=self._grade(explanation, grades, i),
                defects=_named(
                    explanation,
                    {name: float(d[i]) for name, d in defects.items() if name not in hidden[i]},
                ),
                review=bool(reasons),
                review_reasons=reasons,
                digests=digests,
                version=version,
            )

    def outcome(self, explanation: Explanation) -> str:
        """Return the outcome that follows from an explanation alone."""
        return self.kind.favourable if explanation.favourable else self.kind.unfavourable

    def trust(
        self, table: FeatureTable, kinds: Kinds | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far off each subject's data set is, and how much the model then counts.

        A distance of 1 is the limit of what the model knows; within it, it counts fully.
        """
        values = self.model.values(table, kinds)
        named = np.array([(kinds or {}).get(subject, "") for subject in table.subjects])
        away, trust = np.zeros(len(named)), np.ones(len(named))
        for name in np.unique(named):
            alike = named == name
            away[alike], trust[alike] = self.model.trust(values[alike])
        return away, trust

    def log_odds(
        self,
        table: FeatureTable,
        statistics: DataSetStatistics,
        trust: float = 1.0,
        company: Company | None = None,
    ) -> NDArray[np.float64]:
        """Return the log-odds of the favourable outcome of each subject, gates counted.

        ``statistics``, ``trust`` and ``company`` are those of the data set, of which ``table`` may
        be a part, or a variation; without a company the table is its own.
        """
        answers = self.rules.answers(table, statistics=statistics) == 1
        effects = [rule.effect for rule in self.rules.rules]
        weights = np.array([e.value if isinstance(e, LogOdds) else 0.0 for e in effects])
        gates = np.array([isinstance(e, Reject) for e in effects], dtype=bool)
        model = self.model
        values = model.values(table) if company is None else model.values_among(table, company)
        said = model.favourable.log_odds(values, np.zeros(answers.shape[1]))
        total = np.asarray(trust * said + weights @ answers, np.float64)
        shut = answers[gates].any(axis=0)
        return np.where(shut, np.minimum(total, GATE_LOG_ODDS), total)

    def _grade_log_odds(self, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the log-odds of the better grade."""
        if self.model.grade is None:
            return None
        return self.model.grade.log_odds(values, np.zeros(len(values)))

    def _grade(
        self, explanation: Explanation, grades: NDArray[np.float64] | None, i: int
    ) -> str | None:
        """Return the grade of a favourable outcome."""
        if grades is None or not explanation.favourable:
            return None
        best, good = self.kind.grades
        return best if grades[i] >= 0.0 else good

    def _defect_log_odds(
        self, values: NDArray[np.float64], beliefs: Sequence[Belief]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the log-odds of each defect that has a model."""
        return {
            name: model.log_odds(values, np.array([b.pointed.get(name, 0.0) for b in beliefs]))
            for name, model in self.model.defects.items()
        }

    def _model_evidence(
        self, values: NDArray[np.float64], terms: NDArray[np.float64]
    ) -> tuple[Evidence, ...]:
        """Return the model's terms, strongest first, the weak ones added up.

        A value and its place in its company speak of one measurement, so they stand as one.
        """
        described = {f.name: f for f in self.kind.features()}
        names = self.model.favourable.features
        at = {name: j for j, name in enumerate(names)}
        beside = {uncompared(n): j for n, j in at.items() if is_compared(n)}
        whole = [at[uncompared(name)] for name in names]
        terms = np.bincount(whole, terms, len(names)).astype(np.float64)
        seen = np.array([is_component(name) for name in names])
        evidence = []
        if terms[seen].any():
            spoken = float(terms[seen].sum())
            evidence.append(
                Evidence(source="model", name=EMBEDDING, log_odds=spoken, text=SEEN_BY_NETWORK)
            )
        terms = np.where(seen, 0.0, terms)
        for j in np.argsort(-np.abs(terms), kind="stable"):
            if abs(terms[j]) < SMALL_LOG_ODDS:
                break
            feature = described[names[j]]
            value = None if np.isnan(values[j]) else float(values[j])
            evidence.append(
                Evidence(
                    source="model",
                    name=feature.name,
                    log_odds=float(terms[j]),
                    value=value,
                    unit=feature.unit,
                    text=_sentence(feature.meaning, value, self.model.favourable, int(j))
                    + _in_company(values[beside[feature.name]] if feature.name in beside else None),
                )
            )
        rest = float(terms[np.abs(terms) < SMALL_LOG_ODDS].sum())
        if rest:
            text = "All measurements whose own weight is small, added up."
            evidence.append(Evidence(source="model", name=SMALL_TERMS, log_odds=rest, text=text))
        return tuple(evidence)

    def _review_reasons(
        self, explanation: Explanation, strange: float, values: NDArray[np.float64]
    ) -> tuple[str, ...]:
        """Return why a person might look at this decision; empty where nobody need."""
        reasons = []
        if abs(explanation.log_odds) < REVIEW_LOG_ODDS:
            reasons.append("the probability is near the threshold")
        if strange > self.model.strangeness_limit:
            share = f"{strange:.0%} of its measurements lie outside what the model was trained on"
            reasons.append(share)
        # The image network always answers; that is no knowledge of this image's measurements.
        names = self.model.favourable.features
        measured = [not (is_component(name) or is_compared(name)) for name in names]
        known, most = int(np.isfinite(values[measured]).sum()), sum(measured)
        if known < FEWEST_KNOWN * most:
            reasons.append(f"only {known} of {most} measurements could be made")
        return tuple(reasons)


def _hidden(table: FeatureTable) -> list[frozenset[str]]:
    """Return for each subject the defects that its image cannot show, so nobody can name."""
    known = np.ones(len(table.subjects), dtype=bool)
    if COUNTS in table.features:
        known = np.isfinite(table.column(COUNTS))
    return [frozenset() if counted else HIDDEN_IN_PICTURES for counted in known]


def _named(explanation: Explanation, log_odds: Mapping[str, float]) -> tuple[Defect, ...]:
    """Return the defects of a rejected subject, most probable first, and at least one.

    A subject that is kept has no defects: what is slightly wrong with it shows in its evidence.
    """
    if explanation.favourable:
        return ()
    ranked = sorted(log_odds.items(), key=lambda item: (-item[1], item[0]))
    found = [Defect(name=name, probability=logistic(x)) for name, x in ranked]
    return tuple(d for i, d in enumerate(found) if i == 0 or d.probability >= DEFECT_PROBABILITY)


def unlike(distance: float) -> tuple[str, ...]:
    """Return the reason to look at a decision on a data set unlike all training sets, if it is."""
    if distance <= 1.0:
        return ()
    return (
        f"this data set is unlike all that the model learnt from ({distance:.1f} times the usual "
        "distance), so that the rules weigh more",
    )


def _sentence(meaning: str, value: float | None, model: OffsetModel, j: int) -> str:
    """Return the sentence that a page prints beside a model term."""
    said = meaning.rstrip(".")
    if value is None:
        return f"{said}: could not be measured."
    scale = model.members.standardisation
    away = (value - scale.centre[j]) / scale.scale[j]
    place = (
        "as usual" if abs(away) < 1 else ("higher than usual" if away > 0 else "lower than usual")
    )
    far = told_deviations(away, "+.1f")
    return f"{said}: {place} ({far} robust deviations from the training median)."


def _in_company(z: float | None) -> str:
    """Return what a value's place in its data set adds to a sentence; nothing where it is usual."""
    if z is None or not abs(z) >= 1.0:
        return ""
    return f" Within this data set: {told_deviations(z, '+.1f')} robust deviations."
