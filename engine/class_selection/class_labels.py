"""Labelled sets of class averages, made from simulated classifications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoverdict.engine.class_selection.class_truth import ClassTruth
from cryoverdict.engine.class_selection.pick_session import random_session
from cryoverdict.engine.class_selection.presentation import DROWNED, as_pictures, unregularised
from cryoverdict.engine.class_selection.simulated_classes import read_class_truths
from cryoverdict.engine.training.labelled_set import Label, LabelledSet
from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.features.class_families import measure_classes
from cryoverdict.features.table import FeatureTable

PRESENTATIONS = ("run", "pictures", "unregularised")
# A class is good where so many of its particles are true and in place; around it lies a grey zone.
GOOD_SHARE, GREY = 0.4, (0.27, 0.5)
GREY_WEIGHT = 0.3
# Of the good ones, those whose particles are nearly all true and agree well.
EXCELLENT_SHARE, EXCELLENT_AGREEMENT = 0.85, 0.8
# A kind of junk is what is wrong from the first share on, and in doubt from the second.
PRESENT, DOUBTFUL = 0.3, 0.12
DEFECT_OF = {
    "empty": "empty",
    "ice": "ice",
    "edge": "edge",
    "neighbours": "neighbours",
    "off_centre": "off_centre",
    "contamination": "contamination",
    "aggregate": "contamination",
    "broken": "contamination",
    "denatured": "fuzzy",
}
NOTHING_SHOWN = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """One simulated classification as one program or person hands it on.

    ``truths`` and ``labels`` are by the subjects of its averages, of those that have particles: a
    class without any is blank or chance; a gate sees to it, and no model learns it.
    """

    presentation: str
    classes: ClassSet
    truths: dict[str, ClassTruth]
    labels: dict[str, Label]


def presented(folder: Path) -> Iterator[Presented]:
    """Yield a simulated classification in each of `PRESENTATIONS`."""
    seed = int(folder.name.rsplit("_", 1)[1])
    classes = read_class_run(folder)
    names = [a.subject for a in classes.averages]
    truths = {
        name: truth
        for name, truth in zip(names, read_class_truths(folder), strict=True)
        if truth.members > 0
    }
    rng = np.random.default_rng((seed, 613))
    noisy, noise = unregularised(classes, rng)
    noise_of = dict(zip(names, noise.tolist(), strict=True))
    clipped = _clipped(seed)
    plain = {name: label_of(t, clipped=clipped) for name, t in truths.items()}
    drowned = {
        name: label_of(t, clipped=clipped, noise=noise_of[name]) for name, t in truths.items()
    }
    pictured = rng.random() < 0.5
    pictures = as_pictures(noisy if pictured else classes, rng)
    made = ((classes, plain), (pictures, drowned if pictured else plain), (noisy, drowned))
    for presentation, (shown, labels) in zip(PRESENTATIONS, made, strict=True):
        yield Presented(presentation=presentation, classes=shown, truths=truths, labels=labels)


def labelled_sets(folder: Path) -> list[LabelledSet]:
    """Return one simulated classification in each presentation, measured and labelled."""
    sets = []
    for one in presented(folder):
        # Each run counts its classes from 1.
        prefix = f"{folder.name}/{one.presentation}/"
        part = measure_classes(one.classes).select(one.labels)
        sets.append(
            LabelledSet(
                name=folder.name,
                table=_renamed(part, prefix),
                labels={prefix + name: label for name, label in one.labels.items()},
            )
        )
    return sets


def label_of(truth: ClassTruth, *, clipped: bool = False, noise: float = 0.0) -> Label:
    """Return what is to be learnt of one class.

    ``clipped`` says that the mask of the run was smaller than its particles, ``noise`` how strong
    the noise of its average is relative to the signal.
    """
    good = truth.good_share >= GOOD_SHARE and noise < DROWNED
    grey = GREY[0] <= truth.good_share <= GREY[1] or 0.6 * DROWNED < noise < 1.5 * DROWNED
    grade = None
    if good:
        fine = truth.true_share >= EXCELLENT_SHARE and truth.agreement >= EXCELLENT_AGREEMENT
        grade = "sharp" if fine and noise < 0.4 * DROWNED else "fair"
    shares: dict[str, float] = {}
    for kind, defect in DEFECT_OF.items():
        shares[defect] = shares.get(defect, 0.0) + truth.share_of(kind)
    unaligned = truth.true_share - truth.good_share
    shares["fuzzy"] += unaligned
    present = {d for d, s in shares.items() if s >= PRESENT}
    doubtful = {d for d, s in shares.items() if DOUBTFUL <= s < PRESENT}
    if truth.members >= 3 and truth.likeness < NOTHING_SHOWN:
        present.add("noise")
    elif truth.members < 3 or truth.likeness < 2 * NOTHING_SHOWN:
        doubtful.add("noise")
    if noise >= DROWNED:
        present.add("overfit")
    elif noise > 0.5 * DROWNED:
        doubtful.add("overfit")
    if clipped:
        (present if truth.true_share > 0.5 else doubtful).add("clipped")
    # What shares of a class do is seen in proportion to its size.
    size = float(np.clip(np.sqrt(truth.members / 60.0), 0.4, 1.6))
    return Label(
        favourable=good,
        grade=grade,
        defects=frozenset(present),
        doubtful=frozenset(doubtful - present),
        weight=round(size * (GREY_WEIGHT if grey else 1.0), 4),
    )


def _clipped(seed: int) -> bool:
    """Say whether the mask of a simulated run was smaller than its particles."""
    session = random_session(seed)
    return session.mask_diameter_a < 0.93 * session.diameter_a


def _renamed(table: FeatureTable, prefix: str) -> FeatureTable:
    """Return a table whose subjects carry a prefix."""
    return replace(
        table,
        subjects=tuple(prefix + s for s in table.subjects),
        absent={(prefix + s, f): why for (s, f), why in table.absent.items()},
        given=frozenset((prefix + s, f) for s, f in table.given),
    )
