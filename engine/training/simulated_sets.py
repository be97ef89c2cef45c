"""Labelled sets made by the simulator, as full-size micrographs and as thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.parallel import each
from cryoverdict.engine.simulation.data_set import random_data_set
from cryoverdict.engine.simulation.data_set_files import iterate_data_set
from cryoverdict.engine.simulation.micrograph import SimulatedMicrograph
from cryoverdict.engine.simulation.severity import BAD_FROM, combined
from cryoverdict.engine.simulation.thumbnail import STRETCHES, bin_image, stretch
from cryoverdict.engine.simulation.truth import Truth
from cryoverdict.engine.training.labelled_set import (
    FEATURES,
    LABELS,
    Label,
    LabelledSet,
    read_labelled_set,
)
from cryoverdict.features.families import measure, micrograph_features
from cryoverdict.features.feature import Answer
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.table import FeatureTable

PRESENTATIONS = ("full", "thumbnail")
# What a thumbnail of 6 to 9 Å a pixel does not show.
HIDDEN = frozenset({"drift", "bad_ctf"})
# An expert's verdict on a case in the grey zone is nearly a toss-up.
GREY_WEIGHT = 0.3
# The side of a thumbnail as micrograph archives store them, in pixels.
THUMBNAIL_SIDES_PX = (380.0, 700.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """One data set to make, and where to keep it."""

    seed: int
    micrographs: int
    folder: Path


def simulated_sets(
    folder: Path,
    *,
    seeds: range,
    micrographs: int,
    threads: int,
    tick: Callable[[object], None] = lambda _: None,
) -> list[LabelledSet]:
    """Make the data sets of ``seeds``, or take those that ``folder`` holds already.

    Each seed gives one random session in every presentation; the presentations share the group.
    """
    orders = [_Order(seed=s, micrographs=micrographs, folder=folder) for s in seeds]
    missing = [
        o for o in orders if not all(_folder(o, p).joinpath(LABELS).exists() for p in PRESENTATIONS)
    ]
    for order in each(_make, missing, threads=threads):
        tick(order)
    return [read_labelled_set(_folder(o, p)) for o in orders for p in PRESENTATIONS]


def _folder(order: _Order, presentation: str) -> Path:
    """Return where one presentation of a data set is kept."""
    return order.folder / f"simulated_{order.seed:04d}_{presentation}"


def _is_made(order: _Order, presentation: str) -> bool:
    """Say whether a data set is there, measured with today's features."""
    folder = _folder(order, presentation)
    if not (folder / LABELS).exists():
        return False
    stored = FeatureTable.read(folder / FEATURES)
    return stored.features == tuple(f.name for f in micrograph_features())


def _make(order: _Order) -> _Order:
    """Simulate one data set, measure it in every presentation, and write it."""
    session = replace(random_data_set(order.seed), micrographs=order.micrographs)
    rows: dict[str, dict[str, dict[str, Answer]]] = {p: {} for p in PRESENTATIONS}
    labels: dict[str, dict[str, Label]] = {p: {} for p in PRESENTATIONS}
    rng = np.random.default_rng((order.seed, 41))
    side = float(rng.uniform(*THUMBNAIL_SIDES_PX))
    how = str(rng.choice(STRETCHES))
    for number, made in enumerate(iterate_data_set(session, order.seed)):
        subject = f"simulated_{order.seed:04d}/{number:04d}"
        labels["full"][subject] = label_of(made.truth)
        rows["full"][subject] = _measured(made.pixels, made, subject, counts=True)
        if not shows(made.truth, HIDDEN):
            continue
        labels["thumbnail"][subject] = label_of(made.truth, hidden=HIDDEN)
        binning = max(1.0, max(made.pixels.shape) / side)
        small = stretch(bin_image(made.pixels, binning), how).astype(np.float32)
        rows["thumbnail"][subject] = _measured(small, made, subject, counts=False)
    for presentation, answers in rows.items():
        LabelledSet(
            name=f"simulated_{order.seed:04d}",
            table=FeatureTable.of(answers, micrograph_features()),
            labels=labels[presentation],
        ).write(_folder(order, presentation))
    return order


def _measured(
    pixels: NDArray[np.float32], made: SimulatedMicrograph, subject: str, *, counts: bool
) -> dict[str, Answer]:
    """Measure one image; a thumbnail comes without optics, as it does in life."""
    optics = made.spec.optics if counts else Optics()
    micrograph = Micrograph(subject=subject, path=Path(subject), optics=optics)
    return measure(prepare(micrograph, Image(pixels=pixels, has_counts=counts), optics))


def shows(truth: Truth, hidden: frozenset[str]) -> bool:
    """Say whether the verdict can be seen where some defects are hidden.

    What is bad for nothing but hidden defects looks good: no such picture teaches that.
    """
    seen = {d: s for d, s in truth.defects.items() if d not in hidden}
    return truth.verdict == "good" or combined(seen) >= BAD_FROM


def label_of(truth: Truth, hidden: frozenset[str] = frozenset()) -> Label:
    """Return what to learn from a simulated truth; ``hidden`` defects cannot be seen, nor named.

    A defect counts as present from the severity at which it alone spoils a micrograph; a weaker
    one is in doubt, for an expert may or may not name it.
    """

    def present(defect: str) -> bool:
        """Say whether a named defect is strong enough to be there for everybody."""
        return truth.defects[defect] >= BAD_FROM

    return Label(
        favourable=truth.verdict == "good",
        grade=truth.grade,
        defects=frozenset(d for d in truth.defects if d not in hidden and present(d)),
        doubtful=frozenset(d for d in truth.defects if d not in hidden and not present(d)),
        weight=GREY_WEIGHT if truth.grey else 1.0,
    )
