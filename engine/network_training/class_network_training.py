"""Train the network of class averages on simulated classifications that no judge learns from.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.class_labels import presented
from cryoverdict.engine.class_selection.class_truth import ClassTruth
from cryoverdict.engine.network_training.network_fitting import (
    Chosen,
    NetworkRecipe,
    begin_reproducibly,
    examined,
    fit_network,
    machine_facts,
)
from cryoverdict.engine.network_training.network_targets import Targets
from cryoverdict.engine.network_training.trainable_class_network import TrainableClassNetwork
from cryoverdict.engine.training.labelled_set import Label
from cryoverdict.features.class_average import ClassAverage, ClassSet
from cryoverdict.features.class_embedding import ANSWERS, CARD, WEIGHTS, ClassNetwork, network_input
from cryoverdict.features.class_profile import polar_image
from cryoverdict.features.class_view import distance, prepare_classes
from cryoverdict.features.weights_file import write_weights

# Name → centre and width of what is regressed: of what the class holds, and how finely it shows it.
QUANTITIES = {
    "good_share": (0.4, 0.3),
    "true_share": (0.6, 0.3),
    "agreement": (0.5, 0.3),
    "likeness": (0.7, 0.3),
    "fine_likeness": (0.4, 0.25),
}
# One lesson in so many is an examination.
EXAMINED = 10
# Averages of nothing: so many for each average of a lesson, their grain in mask radii. Classifiers
# find something in most empty pictures, so that lessons alone show too few of them.
NOTHING, GRAIN = 0.12, (0.01, 0.25)
NOTHING_PX = 64
# Ranges of random choices, and the chances with which they are made.
CONTRAST_SIGMA = 0.1
NOISE, NOISY = (0.02, 0.3), 0.3


NO_PARTICLE = Label(favourable=False, defects=frozenset({"empty", "noise"}))
NO_TRUTH = ClassTruth(
    number=0, counts=(), aligned=0, agreement=0.0, likeness=0.0, fine_likeness=0.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """All that the network sees ``(n, 1, 64, 30)``, and what it is to answer."""

    pictures: NDArray[np.float32]
    targets: Targets


def train_class_embedding(
    folders: Sequence[Path],
    output: Path,
    *,
    recipe: NetworkRecipe,
    tick: Callable[[object], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on simulated classifications, judge on one in ten; write weights and card, return it.

    The same folders, recipe and machine give the same bytes.
    """
    device = begin_reproducibly(recipe.seed)
    network = TrainableClassNetwork(len(QUANTITIES)).to(device)
    exam_folders = list(folders[::EXAMINED])
    teaching = [f for f in folders if f not in exam_folders]
    lesson = _lesson(teaching, nothing=NOTHING, seed=recipe.seed)

    def batch(chosen: Chosen, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Return varied pictures of some class averages."""
        return (varied_averages(lesson.pictures[chosen], rng),)

    losses = fit_network(network, batch, lesson.targets, recipe, device, tick)
    network.eval()
    weights = network.folded()
    card = {
        "name": ClassNetwork.of(weights, WEIGHTS).name,
        "purpose": (
            "Turns a class average on rings and angles into 24 numbers that the models of class "
            "averages learn from."
        ),
        "learnt_from": (
            f"{len(lesson.pictures)} class averages of {len(teaching)} simulated classifications, "
            "each in three presentations, and smooth noise, turned and varied at random in every "
            "epoch; no real image, and none of the classifications that models learn from."
        ),
        "limits": "It has never seen a real average: what it says is judged by the models.",
        **machine_facts(device),
        "recipe": recipe.to_dict(),
        "lessons": [f.name for f in teaching],
        "loss_by_epoch": [round(x, 4) for x in losses],
        "held_out": _examined(network, exam_folders, device),
    }
    output.mkdir(parents=True, exist_ok=True)
    write_weights(output / WEIGHTS, weights)
    text = json.dumps(card, indent=1, sort_keys=True) + "\n"
    (output / CARD).write_text(text, encoding="utf-8")
    return card


def varied_averages(pictures: NDArray[np.float32], rng: np.random.Generator) -> torch.Tensor:
    """Return pictures ``(n, 1, 64, 30)``, each turned and mirrored, some of them noisier."""
    varied = np.empty_like(pictures)
    for i, one in enumerate(pictures):
        turned = np.roll(one, int(rng.integers(one.shape[1])), axis=1)
        image = turned[:, ::-1] if rng.random() < 0.5 else turned
        varied[i] = image * np.float32(np.exp(rng.normal(0.0, CONTRAST_SIGMA)))
        if rng.random() < NOISY:
            strength = float(np.exp(rng.uniform(*np.log(NOISE))))
            varied[i] += strength * rng.standard_normal(one.shape, dtype=np.float32)
    return torch.from_numpy(varied)


def targets_of_classes(truths: Sequence[ClassTruth], labels: Sequence[Label]) -> Targets:
    """Return the answers for some simulated classes; a defect in doubt is not known."""
    yes = np.array([[not x.favourable, *(d in x.defects for d in ANSWERS[1:])] for x in labels])
    known = np.array([[True, *(d not in x.doubtful for d in ANSWERS[1:])] for x in labels])
    numbers = np.array(
        [
            [(getattr(t, name) - centre) / width for name, (centre, width) in QUANTITIES.items()]
            for t in truths
        ]
    )
    return Targets(
        yes=yes.astype(np.float32),
        yes_known=known,
        numbers=numbers.astype(np.float32),
        numbers_known=np.ones(numbers.shape, np.bool_),
    )


def averages_of_nothing(count: int, rng: np.random.Generator) -> ClassSet:
    """Return averages that show smooth noise within the mask, finer or coarser."""
    from scipy.ndimage import gaussian_filter

    radius = 0.5 * NOTHING_PX - 8.0
    mask = 0.5 - 0.5 * np.tanh((distance(NOTHING_PX, radius) - 1.0) * radius)
    averages = []
    for number in range(1, count + 1):
        grain_px = radius * float(np.exp(rng.uniform(*np.log(GRAIN))))
        noise = gaussian_filter(rng.standard_normal((NOTHING_PX, NOTHING_PX)), grain_px)
        pixels = np.asarray(noise / noise.std() * mask, dtype=np.float32)
        averages.append(ClassAverage(subject=f"nothing_{number}", number=number, pixels=pixels))
    return ClassSet(flavour="images", averages=tuple(averages))


def _lesson(folders: Sequence[Path], *, nothing: float = 0.0, seed: int = 0) -> _Lesson:
    """Read all averages and truths of some simulated classifications.

    ``nothing`` is how many averages of nothing are added for each of theirs.
    """
    pictures: list[NDArray[np.float32]] = []
    truths: list[ClassTruth] = []
    labels: list[Label] = []
    for one in (p for folder in folders for p in presented(folder)):
        for view in prepare_classes(one.classes):
            name = view.average.subject
            if name in one.labels and not view.blank:
                pictures.append(network_input(polar_image(view)))
                truths.append(one.truths[name])
                labels.append(one.labels[name])
    added = round(nothing * len(pictures))
    empty = averages_of_nothing(added, np.random.default_rng((seed, 72)))
    pictures += [network_input(polar_image(view)) for view in prepare_classes(empty)]
    truths += [NO_TRUTH] * added
    labels += [NO_PARTICLE] * added
    return _Lesson(pictures=np.stack(pictures), targets=targets_of_classes(truths, labels))


def _examined(
    network: TrainableClassNetwork, folders: Sequence[Path], device: torch.device
) -> dict[str, Any]:
    """Return how well each question is answered on classifications not trained on."""
    exam = _lesson(folders)
    with torch.inference_mode():
        answers = network(torch.from_numpy(exam.pictures).to(device))[0].cpu().numpy()
    return {
        "lessons": [f.name for f in folders],
        "class_averages": len(exam.pictures),
        "auc": examined(ANSWERS, list(answers), exam.targets),
    }
