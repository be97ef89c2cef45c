"""Which images of one list are compared with each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cryoverdict.engine.image_kinds import image_kinds
from cryoverdict.features.grey import NO_COUNTS
from cryoverdict.features.optics import Optics
from cryoverdict.features.table import FeatureTable


def table(subjects: Mapping[str, str | None]) -> FeatureTable:
    """Return a table of one feature; a subject has a mean count, or the reason why not."""
    names = tuple(subjects)
    values = np.array([[np.nan if why else 30.0] for why in subjects.values()])
    return FeatureTable(
        subjects=names,
        features=("grey_mean_count",),
        units={"grey_mean_count": "count"},
        values=values,
        absent={(s, "grey_mean_count"): why for s, why in subjects.items() if why},
    )


def test_format_counts_and_pixel_size_tell_kinds_apart() -> None:
    subjects = {
        "a/1.mrc": None,
        "a/2.MRC.gz": None,
        "a/3.mrc": "the grey values have been centred, so their mean says nothing",
        "a/4.mrc": NO_COUNTS,
        "a/5.tif": None,
        "a/6.png": NO_COUNTS,
        "a/7.jpeg": NO_COUNTS,
        "a/8.mrc": None,
    }
    optics = {s: Optics(pixel_size_a=1.06) for s in subjects} | {
        "a/6.png": Optics(voltage_kv=300.0),
        "a/8.mrc": Optics(pixel_size_a=2.12),
    }
    assert list(image_kinds(table(subjects), optics).values()) == [
        "MRC, 1.06 Å a pixel",
        "MRC, 1.06 Å a pixel",
        "MRC, 1.06 Å a pixel",
        "MRC without counts, 1.06 Å a pixel",
        "TIFF, 1.06 Å a pixel",
        "PNG, pixel size unknown",
        "JPEG, 1.06 Å a pixel",
        "MRC, 2.12 Å a pixel",
    ]


def test_pixel_sizes_that_differ_by_rounding_are_one_scale() -> None:
    sizes = {"a.mrc": 1.06, "b.mrc": 1.0601, "c.mrc": 1.08, "d.mrc": 1.11, "e.mrc": 0.5}
    optics = {s: Optics(pixel_size_a=size) for s, size in sizes.items()}
    kinds = image_kinds(table(dict.fromkeys(sizes)), optics)
    assert len({kinds[s] for s in ("a.mrc", "b.mrc", "c.mrc")}) == 1
    assert len(set(kinds.values())) == 3


def test_a_subject_whose_optics_nobody_knows_has_a_kind_too() -> None:
    assert image_kinds(table({"a.mrc": None}), {}) == {"a.mrc": "MRC, pixel size unknown"}
