"""Judging with an embedding, and judging a data set unlike all that the model learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.judge import EMBEDDING, Judge
from cryoverdict.engine.judging import decide_table
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import train_kind
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_loader import load_rules

ROWS = 30
NETWORK = "cnn-test"


def session(seed: int, shift: float = 0.0) -> LabelledSet:
    """Return a session in which only the embedding tells good from bad; ``shift`` moves it away."""
    rng = np.random.default_rng(seed)
    names = tuple(f.name for f in micrograph_features())
    good = rng.random(ROWS) < 0.5
    values = rng.normal(0.0, 1.0, (ROWS, len(names))) + rng.normal(0.0, 0.3, len(names)) + shift
    seen = rng.normal(0.0, 1.0, (ROWS, 20)) + shift
    seen[:, 3] += np.where(good, 3.0, -3.0)
    subjects = tuple(f"{seed}/{i}" for i in range(ROWS))
    return LabelledSet(
        name=f"session_{seed}",
        table=FeatureTable(
            subjects=subjects,
            features=names,
            units={f.name: f.unit for f in micrograph_features()},
            values=values,
            absent={},
            embeddings={NETWORK: seen.astype(np.float32)},
        ),
        labels={s: Label(favourable=bool(g)) for s, g in zip(subjects, good, strict=True)},
    )


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Return a judge without rules, so that all is the model's."""
    rules = load_rules(REJECT_MICROGRAPHS.id, [], features=REJECT_MICROGRAPHS.units())
    bare = replace(rules, rules=())
    model = train_kind(
        REJECT_MICROGRAPHS,
        bare,
        [session(seed) for seed in range(12)],
        recipe=Recipe(rounds=20),
        card={},
        limits=True,
    )
    return Judge(kind=REJECT_MICROGRAPHS, rules=bare, model=model)


def test_the_embedding_speaks_as_one_and_decides(judge: Judge) -> None:
    unseen = session(50)
    right = []
    for decision in decide_table(judge, unseen.table):
        names = [e.name for e in decision.explanation.evidence]
        assert names.count(EMBEDDING) == 1
        assert not any(name.startswith("embedding_") for name in names)
        told = decision.explanation
        total = told.prior_log_odds + sum(e.log_odds for e in told.evidence)
        assert total == pytest.approx(told.log_odds)
        right.append((decision.outcome == "keep") == unseen.labels[decision.subject].favourable)
        assert not any("unlike" in reason for reason in decision.review_reasons)
    assert np.mean(right) > 0.9


def test_without_embeddings_it_decides_all_the_same(judge: Judge) -> None:
    bare = replace(session(50).table, embeddings={})
    decisions = list(judge.decide(bare))
    assert len(decisions) == ROWS
    assert all(abs(d.explanation.log_odds) < 3.0 for d in decisions)


def spoken(judge: Judge, table: FeatureTable) -> NDArray[np.float64]:
    return np.array([d.explanation.log_odds for d in judge.decide(table)])


def test_an_unlike_data_set_is_said_to_be_and_the_model_counts_less(judge: Judge) -> None:
    strange = session(60, shift=3.5).table
    away, trust = judge.trust(strange)
    assert (away > 1.0).all()
    assert trust == pytest.approx(1.0 / away**2)
    for decision in judge.decide(strange):
        assert decision.review
        assert any("unlike all that the model learnt from" in r for r in decision.review_reasons)
    trusting = replace(judge, model=without_limits(judge.model))
    np.testing.assert_allclose(spoken(judge, strange), trust * spoken(trusting, strange), atol=1e-9)


def without_limits(model: KindModel) -> KindModel:
    return replace(model, novelty=None)


def test_kinds_are_data_sets_of_their_own(judge: Judge) -> None:
    usual, strange = session(70).table, session(71, shift=3.5).table
    both = FeatureTable(
        subjects=usual.subjects + strange.subjects,
        features=usual.features,
        units=usual.units,
        values=np.vstack([usual.values, strange.values]),
        absent={},
        embeddings={NETWORK: np.vstack([t.embeddings[NETWORK] for t in (usual, strange)])},
    )
    kinds = dict.fromkeys(usual.subjects, "usual") | dict.fromkeys(strange.subjects, "strange")
    _, trust = judge.trust(both, kinds)
    assert (trust[:ROWS] == 1.0).all()
    assert (trust[ROWS:] < 1.0).all()


def test_fast_path_of_counterfactuals_says_the_same(judge: Judge) -> None:
    """The search decides changed rows anew: unchanged, they must come out as they were."""
    strange = session(60, shift=3.5).table
    _, trust = judge.trust(strange)
    said = spoken(judge, strange)
    for row in (0, 7):
        same = strange.varied(strange.subjects[row], strange.values[row : row + 1])
        anew = judge.log_odds(same, judge.rules.statistics(strange), float(trust[row]))
        assert anew == pytest.approx(said[row])
