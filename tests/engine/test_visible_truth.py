"""What of a simulated truth becomes a label: what an image can show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoverdict.engine.judge import COUNTS, _hidden
from cryoverdict.engine.training.labelled_set import Label, LabelledSet, read_labelled_set
from cryoverdict.engine.training.training import STRONG_FROM, defect_truth, moderate_truth
from cryoverdict.engine.training.visible_truth import (
    HIDDEN_IN_PICTURES,
    visible_label,
    visible_severities,
)
from cryoverdict.features.feature import Given
from cryoverdict.features.table import FeatureTable


def record(
    severities: dict[str, float], mechanisms: dict[str, float], *, picture: bool = False
) -> dict[str, Any]:
    """Return what the simulator keeps of a bad micrograph."""
    return {
        "verdict": "bad",
        "picture": picture,
        "drift_a": 0.0,
        "pixel_size_a": 1.0,
        "severities": severities,
        "mechanisms": mechanisms,
    }


def test_a_second_field_of_view_shows_nothing() -> None:
    alone = record({"broken_exposure": 0.7}, {"double-exposure": 0.7})
    assert visible_severities(alone)["broken_exposure"] == pytest.approx(0.0)
    assert visible_label(alone) is None


def test_what_is_broken_besides_is_still_seen() -> None:
    both = record({"broken_exposure": 0.88}, {"double-exposure": 0.7, "dead-pixels": 0.6})
    assert visible_severities(both)["broken_exposure"] == pytest.approx(0.6)
    label = visible_label(both)
    assert label is not None
    assert label.defects == {"broken_exposure"}
    assert label.severities == {"broken_exposure": pytest.approx(0.6)}


def test_a_lost_half_of_the_beam_shows_in_counts_and_not_in_a_picture() -> None:
    truth = ({"broken_exposure": 0.8}, {"blank": 0.8})
    assert visible_severities(record(*truth))["broken_exposure"] == pytest.approx(0.8)
    assert visible_label(record(*truth, picture=True)) is None


def test_faint_bubbles_are_no_contamination() -> None:
    bubbles = record({"contamination": 0.9}, {"bubbling": 0.9})
    assert visible_label(bubbles) is None
    flakes = record({"contamination": 0.9}, {"ice-flakes": 0.9})
    label = visible_label(flakes)
    assert label is not None
    assert label.defects == {"contamination"}


def test_what_was_torn_away_is_not_named() -> None:
    gone = record(
        {"empty_no_ice": 1.0, "contamination": 0.8, "crystalline_ice": 0.8},
        {"no-ice": 1.0, "ice-flakes": 0.8, "crystalline-ice": 0.8},
    )
    label = visible_label(gone)
    assert label is not None
    assert label.defects == {"empty_no_ice"}
    assert label.doubtful == {"contamination", "crystalline_ice"}
    half = gone | {"severities": gone["severities"] | {"empty_no_ice": 0.3}}
    assert visible_severities(half)["contamination"] == pytest.approx(0.7367, abs=1e-3)


def test_labels_keep_their_severities(tmp_path: Path) -> None:
    label = Label(
        favourable=False,
        defects=frozenset({"film"}),
        doubtful=frozenset({"drift"}),
        severities={"film": 0.62, "drift": 0.3},
    )
    table = _empty_table("a")
    LabelledSet(name="here", table=table, labels={"a": label}).write(tmp_path)
    assert read_labelled_set(tmp_path).labels["a"] == label
    assert read_labelled_set(tmp_path).labels["a"].severities == {"film": 0.62, "drift": 0.3}


def _empty_table(subject: str) -> FeatureTable:
    """Return a table of one subject and all features, none of them known."""
    from cryoverdict.features.families import micrograph_features

    features = micrograph_features()
    answers = {f.name: Given(0.0) for f in features}
    return FeatureTable.of({subject: answers}, features)


def test_of_moderate_strength_means_neither_strong_nor_in_doubt() -> None:
    def one(severity: float, **known: Any) -> Label:
        return Label(favourable=False, severities={"film": severity}, **known)

    present = frozenset({"film"})
    truth = moderate_truth("film")
    assert truth(one(STRONG_FROM - 0.01, defects=present)) is True
    assert truth(one(STRONG_FROM, defects=present)) is None
    assert defect_truth("film")(one(STRONG_FROM, defects=present)) is True
    assert truth(one(0.3, doubtful=present)) is None
    assert truth(one(0.0)) is False


def test_what_a_picture_hides_is_not_named_in_one() -> None:
    counted, picture = _empty_table("a"), _empty_table("b")
    values = picture.values.copy()
    values[0, picture.features.index(COUNTS)] = np.nan
    blind = replace(picture, values=values, absent={("b", COUNTS): "a picture"})
    assert _hidden(counted) == [frozenset()]
    assert _hidden(blind) == [HIDDEN_IN_PICTURES]
    assert {"drift", "low_dose"} <= HIDDEN_IN_PICTURES
    assert not {"film", "contamination", "empty_no_ice"} & HIDDEN_IN_PICTURES
