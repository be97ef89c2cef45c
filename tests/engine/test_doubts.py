"""Micrographs that want a look whatever the outcome, and lists of several kinds of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.judging import Measurements, decide_table, measure_list
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.models.company import is_compared
from cryoverdict.engine.models.embedding_basis import is_component
from cryoverdict.engine.seating import seat_judge
from cryoverdict.engine.simulation.data_set_files import write_mrc
from cryoverdict.features.micrograph_list import read_micrograph_list
from cryoverdict.features.optics import Optics


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measurements:
    """Return the measurements of three noise images of different sizes and pixel sizes."""
    folder = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(3)
    for side, pixel_size_a in ((64, 1.5), (127, 1.5), (128, 3.0)):
        pixels = rng.poisson(20, (side, side)).astype(np.float32)
        write_mrc(folder / f"{side:03}.mrc", pixels, pixel_size_a)
    listed = read_micrograph_list([folder], Optics())
    return measure_list(listed, folder / "out", threads=1, tracked=lambda work, *_: iter(work))


def test_an_image_too_small_to_be_measured_wants_a_look(measured: Measurements) -> None:
    judge = seat_judge(REJECT_MICROGRAPHS)
    doubts = measured.doubts()
    assert [Path(subject).name for subject in doubts] == ["064.mrc", "127.mrc"]
    decisions = list(decide_table(judge, measured.table, doubts=doubts))
    small, medium, _ = decisions
    assert small.review
    assert "the image is only 64 pixels wide; below 128" in small.review_reasons[-1]
    assert "only 127 pixels" in medium.review_reasons[-1]
    assert not any("pixels wide" in reason for reason in decisions[2].review_reasons)
    assert any(note.startswith("1 of 3: the image is only 64") for note in measured.notes())


def test_a_list_of_several_kinds_says_so_and_one_of_one_kind_does_not(
    measured: Measurements,
) -> None:
    told = "2 kinds of images, each compared with its own kind alone: "
    assert measured.notes()[-1] == f"{told}2 MRC, 1.5 Å a pixel; 1 MRC, 3 Å a pixel"
    alone = replace(measured, table=measured.table.select(measured.table.subjects[:2]), _memory={})
    assert "kinds of images" not in " ".join(alone.notes())


def test_an_image_of_which_little_is_known_wants_a_look(measured: Measurements) -> None:
    judge = seat_judge(REJECT_MICROGRAPHS)
    table = measured.table.select(measured.table.subjects[2:])
    features = judge.model.favourable.features
    names = [n for n in features if not (is_component(n) or is_compared(n))]
    size = len(names)
    for known in (int(0.4 * size), int(0.4 * size) + 1):
        kept = set(names[:known])
        values = np.array([[1.0 if n in kept else np.nan for n in table.features]])
        subject = table.subjects[0]
        absent = {(subject, n): "left out" for n in table.features if n not in kept}
        (decision,) = judge.decide(replace(table, values=values, absent=absent))
        told = f"only {known} of {size} measurements could be made" in decision.review_reasons
        assert told == (known < 0.4 * size)
