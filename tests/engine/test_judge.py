"""A whole judge: shipped rules, models fitted on made-up sessions, decisions and their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cryoverdict.engine.belief import belief_of
from cryoverdict.engine.counterfactuals import CounterfactualSearch
from cryoverdict.engine.decision import Decision
from cryoverdict.engine.explanation import GATE_LOG_ODDS
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.judging import decide_table, ledger_of
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.kinds import KINDS
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import train_kind
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_loader import load_rules
from cryoverdict.rules.rule_set import RuleSet

TELLING = "contrast_to_noise"
IDLE = "spectrum_flatness"


def session(seed: int, rows: int = 60) -> LabelledSet:
    """Return a made-up session in which film spoils, and one measurement tells the grade."""
    rng = np.random.default_rng(seed)
    features = micrograph_features()
    names = tuple(f.name for f in features)
    values = np.full((rows, len(names)), np.nan)
    film = rng.random(rows) < 0.4
    measured = {
        "film_fraction": np.where(film, rng.uniform(0.3, 0.6, rows), rng.uniform(0.0, 0.05, rows)),
        "usable_area_fraction": np.full(rows, 0.95),
        "contamination_fraction": rng.uniform(0.0, 0.02, rows),
        "saturated_fraction": np.zeros(rows),
        TELLING: rng.normal(1.0, 0.2, rows),
        IDLE: rng.normal(size=rows),
    }
    for name, column in measured.items():
        values[:, names.index(name)] = column
    absent = np.isnan(values)
    subjects = tuple(f"session_{seed}/{i}" for i in range(rows))
    table = FeatureTable(
        subjects=subjects,
        features=names,
        units={f.name: f.unit for f in features},
        values=values,
        absent={(subjects[i], names[j]): "left out" for i, j in np.argwhere(absent)},
    )
    telling = values[:, names.index(TELLING)]
    labels = {
        s: Label(
            favourable=not film[i],
            grade=None if film[i] else ("great" if telling[i] > 1.0 else "decent"),
            defects=frozenset({"film"} if film[i] else ()),
        )
        for i, s in enumerate(subjects)
    }
    return LabelledSet(name=f"session_{seed}", table=table, labels=labels)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load_rules(REJECT_MICROGRAPHS.id, [], features=REJECT_MICROGRAPHS.units())


@pytest.fixture(scope="module")
def judge(rules: RuleSet) -> Judge:
    model = train_kind(
        REJECT_MICROGRAPHS,
        rules,
        [session(seed) for seed in range(4)],
        recipe=Recipe(rounds=30),
        card={},
    )
    return Judge(kind=REJECT_MICROGRAPHS, rules=rules, model=model)


@pytest.fixture(scope="module")
def unseen() -> LabelledSet:
    return session(99)


@pytest.fixture(scope="module")
def decisions(judge: Judge, unseen: LabelledSet) -> Sequence[Decision]:
    return list(decide_table(judge, unseen.table))


def test_an_unseen_session_is_judged_right(
    decisions: Sequence[Decision], unseen: LabelledSet
) -> None:
    right = [(d.outcome == "keep") == unseen.labels[d.subject].favourable for d in decisions]
    assert np.mean(right) > 0.9


def test_rejected_ones_name_the_film_and_kept_ones_a_grade(
    decisions: Sequence[Decision], unseen: LabelledSet
) -> None:
    for d in decisions:
        if d.outcome == "reject" and not unseen.labels[d.subject].favourable:
            assert d.defects[0].name == "film"
            assert d.grade is None
        if d.outcome == "keep":
            assert d.defects == ()
            assert d.grade in ("great", "decent")


def test_evidence_names_a_rule_or_a_feature_and_is_finite(
    decisions: Sequence[Decision], judge: Judge
) -> None:
    rules = {rule.id for rule in judge.rules.rules}
    terms = {f.name for f in micrograph_features()} | {"other_features"}
    for d in decisions:
        for e in d.explanation.evidence:
            assert e.name in (terms if e.source == "model" else rules)
            assert np.isfinite(e.log_odds)
            assert e.text


def test_rules_weigh_what_their_files_say(
    decisions: Sequence[Decision], judge: Judge, unseen: LabelledSet
) -> None:
    findings = judge.rules.findings(unseen.table)
    for d in decisions:
        belief = belief_of(findings[d.subject])
        shown = {e.name: e.log_odds for e in d.explanation.evidence if e.source == "rule"}
        assert shown == {e.name: e.log_odds for e in belief.weights}


def test_counterfactuals_turn_the_outcome_when_decided_anew(
    decisions: Sequence[Decision], judge: Judge, unseen: LabelledSet
) -> None:
    search = CounterfactualSearch.over(judge, unseen.table)
    told = [(i, d) for i, d in enumerate(decisions) if d.counterfactual is not None]
    assert len(told) >= 0.8 * sum(d.outcome == "reject" for d in decisions)
    for row, d in told:
        assert d.counterfactual is not None
        values = unseen.table.values.copy()
        for name, value in d.counterfactual.changes.items():
            values[row, unseen.table.features.index(name)] = value
        changed = replace(unseen.table, values=values)
        anew = judge.log_odds(changed, search.statistics_of(row))[row] >= 0.0
        assert anew == (d.outcome == "reject")
        assert d.counterfactual.text.startswith(
            "would be kept if " if d.outcome == "reject" else "would be rejected if "
        )


def test_kinds_of_images_are_judged_as_if_each_had_been_given_alone(
    judge: Judge, unseen: LabelledSet
) -> None:
    at = unseen.table.features.index(TELLING)
    values = unseen.table.values.copy()
    values[0, at] = 3.0  # ten robust deviations off among its own kind
    counts = replace(unseen.table, values=values)
    # Pictures of another make, among which it would be nothing special.
    other = session(7).table
    values = other.values.copy()
    values[:, at] *= 30.0
    subjects = (*counts.subjects, *other.subjects)
    mixed = replace(
        counts,
        subjects=subjects,
        values=np.concatenate((counts.values, values)),
        absent={**counts.absent, **other.absent},
    )
    kinds = dict.fromkeys(subjects, "PNG") | dict.fromkeys(counts.subjects, "MRC")
    alone = list(decide_table(judge, counts))
    together = list(decide_table(judge, mixed, kinds))
    unkind = list(decide_table(judge, mixed))
    for one, found in zip(alone, together, strict=False):
        assert found.explanation.log_odds == one.explanation.log_odds
        assert found.counterfactual == one.counterfactual
    assert "contrast-outlier" in [e.name for e in together[0].explanation.evidence]
    assert "contrast-outlier" not in [e.name for e in unkind[0].explanation.evidence]


def test_log_odds_for_search_are_those_of_the_decisions(
    decisions: Sequence[Decision], judge: Judge, unseen: LabelledSet
) -> None:
    fast = judge.log_odds(unseen.table, judge.rules.statistics(unseen.table))
    for value, d in zip(fast, decisions, strict=True):
        assert value == pytest.approx(d.explanation.log_odds, abs=1e-5)


def test_decides_from_nothing_and_asks_for_a_look(judge: Judge, unseen: LabelledSet) -> None:
    names = unseen.table.features
    table = FeatureTable(
        subjects=("nothing",),
        features=names,
        units=unseen.table.units,
        values=np.full((1, len(names)), np.nan),
        absent={("nothing", n): "not measured" for n in names},
    )
    (decision,) = decide_table(judge, table)
    assert decision.outcome in ("keep", "reject")
    assert len(decision.explanation.could_not_say) > 30


def test_a_gate_rejects_on_its_own(judge: Judge, unseen: LabelledSet) -> None:
    values = unseen.table.values.copy()
    row = next(i for i, s in enumerate(unseen.table.subjects) if unseen.labels[s].favourable)
    values[row, unseen.table.features.index("saturated_fraction")] = 0.9
    decision = list(judge.decide(replace(unseen.table, values=values)))[row]
    assert decision.outcome == "reject"
    assert decision.explanation.gates
    assert decision.explanation.log_odds == pytest.approx(GATE_LOG_ODDS, abs=1e-6)


def test_the_same_table_gives_the_same_decisions(judge: Judge, unseen: LabelledSet) -> None:
    once = [d.to_dict() for d in judge.decide(unseen.table)]
    again = [d.to_dict() for d in judge.decide(unseen.table)]
    assert once == again


def test_a_stored_model_decides_the_same(judge: Judge, unseen: LabelledSet) -> None:
    stored = KindModel.from_text(judge.model.text(), "here")
    assert stored.digest == judge.model.digest
    again = Judge(kind=judge.kind, rules=judge.rules, model=stored)
    assert [d.explanation for d in again.decide(unseen.table)] == [
        d.explanation for d in judge.decide(unseen.table)
    ]


def test_every_micrograph_is_in_the_ledger(
    decisions: Sequence[Decision], unseen: LabelledSet
) -> None:
    ledger = ledger_of(decisions, {"broken.mrc": "broken.mrc: truncated"})
    ledger.check([*unseen.table.subjects, "broken.mrc"])
    assert ledger.bins["error"] == 1
    assert sum(ledger.bins.values()) == len(unseen.table.subjects) + 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: str(k.id))
def test_contract_of_every_kind(kind: DecisionKind) -> None:
    names = [f.name for f in kind.features()]
    assert len(set(names)) == len(names)
    assert kind.favourable != kind.unfavourable
    assert len(kind.grades) == 2
    assert len(set(kind.defects)) == len(kind.defects)
    for rule in load_rules(kind.id, [], features=kind.units()).rules:
        assert set(rule.points_to) <= set(kind.defects)
