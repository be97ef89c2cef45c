"""The directions of embeddings that models learn from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.models import embedding_basis
from cryoverdict.engine.models.embedding_basis import EmbeddingBasis
from cryoverdict.engine.training import training
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.engine.training.training import _basis
from cryoverdict.features.embedding_network import ANSWERS, EmbeddingNetwork, weight_shapes
from cryoverdict.features.table import FeatureTable

WIDTH = weight_shapes()["embedding.bias"][0]


def table(rows: NDArray[np.float64], network: str = "n") -> FeatureTable:
    subjects = tuple(str(i) for i in range(len(rows)))
    return FeatureTable(
        subjects=subjects,
        features=(),
        units={},
        values=np.empty((len(rows), 0)),
        absent={},
        embeddings={network: rows.astype(np.float32)},
    )


def test_components_have_deviation_one_and_come_back() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, WIDTH)) * np.linspace(1.0, 3.0, WIDTH)
    rows[:, -1] *= 3.0
    answer = np.eye(WIDTH)[7]
    basis = EmbeddingBasis.of("n", rows, {"film": answer})
    assert basis is not None
    assert basis.names[:2] == ("embedding_film", "embedding_01")
    assert basis.answers == ("embedding_film",)
    assert len(basis.names) == 1 + embedding_basis.COMPONENTS
    seen = EmbeddingBasis.from_dict(basis.to_dict()).project(table(rows))
    np.testing.assert_allclose(seen.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(seen.std(axis=0, ddof=1), 1.0, atol=1e-3)
    # The answer is the seventh number itself, standardised.
    expected = (rows[:, 7] - rows[:, 7].mean()) / rows[:, 7].std(ddof=1)
    np.testing.assert_allclose(seen[:, 0], expected, atol=1e-3)
    # Principal components: the first is the number with the greatest spread.
    assert abs(np.corrcoef(seen[:, 1], rows[:, -1])[0, 1]) > 0.95


def test_another_networks_embeddings_are_absent() -> None:
    basis = EmbeddingBasis.of("n", np.random.default_rng(0).normal(size=(50, WIDTH)))
    assert basis is not None
    rows = np.zeros((3, WIDTH))
    rows[1] = np.nan
    assert np.isnan(basis.project(table(rows, "another"))).all()
    assert np.isnan(basis.project(table(rows))).any(axis=1).tolist() == [False, True, False]


def test_too_few_rows_give_no_basis() -> None:
    assert EmbeddingBasis.of("n", np.zeros((embedding_basis.COMPONENTS, WIDTH))) is None


def test_answers_that_pictures_cannot_give_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in weight_shapes().items()
    }
    network = EmbeddingNetwork.of(weights, "here")
    monkeypatch.setattr(training, "installed_network", lambda: network)
    held = table(rng.normal(size=(60, WIDTH)), network.name)
    labels = {s: Label(favourable=True) for s in held.subjects}
    basis = _basis([LabelledSet(name="a", table=held, labels=labels)])
    assert basis is not None
    missing = {"drift", "bad_ctf", "thick_ice", "low_dose"}
    assert basis.answers == tuple(f"embedding_{n}" for n in ANSWERS if n not in missing)
