"""Motion comes from the list or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.features import motion
from cryoverdict.features.feature import Absent, Given
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import GivenMotion, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare


def answers(given: GivenMotion | None) -> dict[str, object]:
    pixels = np.random.default_rng(0).standard_normal((64, 64), dtype=np.float32)
    micrograph = Micrograph(subject="a", path=Path("a.mrc"), given_motion=given)
    view = prepare(micrograph, Image(pixels=pixels), Optics())
    return {f.name: f.measure(view) for f in motion.FEATURES}


def test_given_motion_is_passed_on_as_given() -> None:
    assert answers(GivenMotion(total_a=31.5, early_a=5.0, late_a=26.5)) == {
        "motion_total_a": Given(31.5),
        "motion_early_a": Given(5.0),
        "motion_late_a": Given(26.5),
        "motion_late_ratio": Given(5.3),
    }


@pytest.mark.parametrize("given", [None, GivenMotion()])
def test_without_motion_in_the_list_nothing_is_said(given: GivenMotion | None) -> None:
    assert set(answers(given).values()) == {Absent("the list carries no motion")}


def test_part_of_the_motion_is_used_and_no_ratio_is_made_up() -> None:
    told = answers(GivenMotion(total_a=12.0, late_a=3.0))
    assert told["motion_total_a"] == Given(12.0)
    assert told["motion_late_a"] == Given(3.0)
    assert told["motion_early_a"] == Absent("the list carries no motion")
    assert told["motion_late_ratio"] == Absent("the list carries no motion")
    standing = answers(GivenMotion(early_a=0.0, late_a=3.0))["motion_late_ratio"]
    assert standing == Absent("the early motion in the list is not positive")
