"""Subjects beside their company: the values, and a judge that learns from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoverdict.engine.counterfactuals import CounterfactualSearch
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.judging import decide_table
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.models.company import Company, company_of, put_beside, taken_alone
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import train_kind
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_loader import load_rules

ROWS = 30
TELLING = "grey_mean_count"
NAMES = tuple(f.name for f in micrograph_features())


def test_a_value_is_told_in_robust_deviations_of_its_company() -> None:
    column = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 100.0])
    company = Company.of(column[:, None])
    assert company.middle[0] == 5.0
    assert company.spread[0] == pytest.approx(1.4826 * 2.0)
    assert company.beside(np.array([[100.0]]))[0, 0] == pytest.approx(95.0 / (1.4826 * 2.0))


@pytest.mark.parametrize(
    "column",
    [[1.0] * 7 + [2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan]],
    ids=["most are equal", "seven are known"],
)
def test_no_variation_or_too_few_give_no_place(column: list[float]) -> None:
    values = np.array(column)[:, None]
    assert np.isnan(Company.of(values).beside(values)).all()


def test_nearly_equal_images_have_no_outliers() -> None:
    column = 1000.0 + np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 3.0])
    company = Company.of(column[:, None])
    assert company.spread[0] == pytest.approx(0.005 * 1000.4)


def test_the_columns_of_a_company_are_filled_and_blanked() -> None:
    names = ("b", "a", "robust_z(a)")
    values = np.column_stack([np.zeros(9), np.arange(9.0), np.full(9, np.nan)])
    filled = put_beside(values, names, company_of(values, names))
    assert filled[:, 2] == pytest.approx((np.arange(9.0) - 4.0) / (1.4826 * 2.0))
    assert filled[:, :2] == pytest.approx(values[:, :2])
    assert np.isnan(taken_alone(filled, names)[:, 2]).all()
    assert taken_alone(filled, names)[:, :2] == pytest.approx(values[:, :2])


def session(seed: int, level: float) -> LabelledSet:
    """Return a session in which the bad ones are a tenth darker than its own, arbitrary, level."""
    rng = np.random.default_rng(seed)
    good = rng.random(ROWS) < 0.7
    values = rng.normal(0.0, 1.0, (ROWS, len(NAMES)))
    values[:, NAMES.index(TELLING)] = level * np.where(good, 1.0, 0.9) + rng.normal(0, 0.3, ROWS)
    subjects = tuple(f"{seed}/{i}" for i in range(ROWS))
    return LabelledSet(
        name=f"session_{seed}",
        table=FeatureTable(
            subjects=subjects,
            features=NAMES,
            units={f.name: f.unit for f in micrograph_features()},
            values=values,
            absent={},
        ),
        labels={s: Label(favourable=bool(g)) for s, g in zip(subjects, good, strict=True)},
    )


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Return a judge without rules, taught by sessions of many levels."""
    rules = load_rules(REJECT_MICROGRAPHS.id, [], features=REJECT_MICROGRAPHS.units())
    bare = replace(rules, rules=())
    sets = [session(seed, float(level)) for seed, level in enumerate(np.linspace(30, 90, 24))]
    recipe = Recipe(rounds=20, company=True)
    model = train_kind(REJECT_MICROGRAPHS, bare, sets, recipe=recipe, card={}, limits=True)
    return Judge(kind=REJECT_MICROGRAPHS, rules=bare, model=model)


def test_what_is_usual_elsewhere_is_a_fault_here(judge: Judge) -> None:
    unseen = session(50, 61.0)
    right = []
    for decision in decide_table(judge, unseen.table):
        told = decision.explanation
        assert told.log_odds == pytest.approx(
            told.prior_log_odds + sum(e.log_odds for e in told.evidence)
        )
        assert not any("robust_z" in e.name for e in told.evidence)
        right.append((decision.outcome == "keep") == unseen.labels[decision.subject].favourable)
    assert np.mean(right) > 0.9


def test_kinds_are_not_compared(judge: Judge) -> None:
    bright, dim = session(51, 80.0), session(52, 40.0)
    both = FeatureTable(
        subjects=bright.table.subjects + dim.table.subjects,
        features=NAMES,
        units=bright.table.units,
        values=np.vstack([bright.table.values, dim.table.values]),
        absent={},
    )
    kinds = dict.fromkeys(bright.table.subjects, "a") | dict.fromkeys(dim.table.subjects, "b")
    apart = judge.model.values(both, kinds)
    assert np.array_equal(apart[:ROWS], judge.model.values(bright.table), equal_nan=True)
    assert np.array_equal(apart[ROWS:], judge.model.values(dim.table), equal_nan=True)
    assert not np.array_equal(apart, judge.model.values(both), equal_nan=True)


def test_a_counterfactual_keeps_the_company(judge: Judge) -> None:
    unseen = session(53, 61.0)
    table = unseen.table
    search = CounterfactualSearch.over(judge, table)
    turned = 0
    for row, decision in enumerate(judge.decide(table)):
        explained = search.explained(decision, row)
        if explained.counterfactual is None or decision.outcome == "keep":
            continue
        values = table.values.copy()
        for name, value in explained.counterfactual.changes.items():
            values[row, NAMES.index(name)] = value
        anew = list(judge.decide(replace(table, values=values)))[row]
        turned += anew.outcome == "keep"
    assert turned >= 3


def test_a_model_written_and_read_compares_the_same(judge: Judge) -> None:
    table = session(54, 45.0).table
    read = KindModel.from_text(judge.model.text(), "here")
    assert np.array_equal(read.values(table), judge.model.values(table), equal_nan=True)
    assert read.text() == judge.model.text()


def test_a_subject_alone_is_judged_all_the_same(judge: Judge) -> None:
    one = session(55, 61.0).table.select(["55/0"])
    (decision,) = judge.decide(one)
    assert np.isfinite(decision.explanation.log_odds)
