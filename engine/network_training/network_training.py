"""Train the embedding's network on simulated sessions.

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
from torch.nn import functional

from cryoverdict.engine.network_training.network_targets import (
    QUANTITIES,
    Targets,
    questions,
    targets_of,
)
from cryoverdict.engine.network_training.picture_variation import varied_batch
from cryoverdict.engine.network_training.trainable_network import TrainableNetwork
from cryoverdict.engine.training.quality import area_under_roc
from cryoverdict.engine.training.reference_sessions import ReferenceSet
from cryoverdict.features.embedding import CARD, WEIGHTS
from cryoverdict.features.embedding_network import (
    EmbeddingNetwork,
    field_input,
    spectrum_input,
)
from cryoverdict.features.embedding_pictures import NetworkPictures
from cryoverdict.features.weights_file import write_weights

# What the numbers weigh beside the questions with a yes or no.
NUMBERS_WEIGHT = 0.15
VERDICT_WEIGHT = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """The settings of a training."""

    epochs: int = 20
    batch: int = 32
    rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """All that the network sees, and what it is to answer."""

    pictures: tuple[NetworkPictures, ...]
    targets: Targets


def train_embedding(
    sets: Sequence[ReferenceSet],
    held_out: Sequence[ReferenceSet],
    output: Path,
    *,
    recipe: NetworkRecipe,
    tick: Callable[[object], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on ``sets``, judge on ``held_out``, write weights and card into ``output``.

    The same sets, recipe and machine give the same bytes: one thread, fixed seeds, deterministic
    algorithms. A GPU is used where PyTorch sees one. Returns the card.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(recipe.seed)
    network = TrainableNetwork(len(questions()), len(QUANTITIES)).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson, exam = _lesson(sets), _lesson(held_out)
    losses = _train(network, lesson, recipe, device, tick)
    network.eval()
    weights = network.folded()
    name = EmbeddingNetwork.of(weights, WEIGHTS).name
    card = {
        "name": name,
        "purpose": (
            "Turns a micrograph's pictures (field at 8 Å a pixel, power spectrum) into 48 numbers "
            "that the models of micrographs learn from."
        ),
        "learnt_from": (
            f"{len(lesson.pictures)} simulated micrographs of {len(sets)} sessions, varied at "
            "random in every epoch; no real image."
        ),
        "limits": "It has never seen a real micrograph: what it says is judged by the models.",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU, one thread",
        "torch": torch.__version__.split("+")[0],
        "recipe": {f: getattr(recipe, f) for f in NetworkRecipe.__slots__},
        "sessions": [s.name for s in sets],
        "loss_by_epoch": [round(x, 4) for x in losses],
        "held_out": _examined(network, exam, device, len(held_out)),
    }
    output.mkdir(parents=True, exist_ok=True)
    write_weights(output / WEIGHTS, weights)
    text = json.dumps(card, indent=1, sort_keys=True) + "\n"
    (output / CARD).write_text(text, encoding="utf-8")
    return card


def _lesson(sets: Sequence[ReferenceSet]) -> _Lesson:
    """Read all pictures and truths of some sets."""
    pictures = tuple(p for s in sets for p in s.pictures())
    return _Lesson(pictures=pictures, targets=targets_of([t for s in sets for t in s.truth]))


def _train(
    network: TrainableNetwork,
    lesson: _Lesson,
    recipe: NetworkRecipe,
    device: torch.device,
    tick: Callable[[object], None],
) -> list[float]:
    """Run the epochs; return the mean loss of each."""
    rng = np.random.default_rng((recipe.seed, 71))
    count = len(lesson.pictures)
    steps = -(-count // recipe.batch)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=recipe.rate, total_steps=recipe.epochs * steps, pct_start=0.15
    )
    weight = torch.ones(len(questions()), device=device)
    weight[0] = VERDICT_WEIGHT
    losses = []
    for epoch in range(recipe.epochs):
        network.train()
        total = 0.0
        order = rng.permutation(count)
        for step in range(steps):
            chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
            if len(chosen) < 2:
                chosen = order[:2]
            fields, spectra = varied_batch([lesson.pictures[i] for i in chosen], rng)
            fields = fields.to(device, memory_format=torch.channels_last)
            yes, numbers = network(fields, spectra.to(device))
            loss = _loss(yes, numbers, lesson.targets, chosen, weight)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) / steps
        losses.append(total)
        tick(epoch)
    return losses


def _loss(
    yes: torch.Tensor,
    numbers: torch.Tensor,
    targets: Targets,
    chosen: np.ndarray[Any, np.dtype[np.intp]],
    weight: torch.Tensor,
) -> torch.Tensor:
    """Return the cross entropy of the questions plus the error of the numbers, where known."""
    device = yes.device
    answer = torch.from_numpy(targets.yes[chosen]).to(device)
    known = torch.from_numpy(targets.yes_known[chosen]).to(device).float() * weight
    asked = functional.binary_cross_entropy_with_logits(yes, answer, reduction="none")
    value = torch.from_numpy(targets.numbers[chosen]).to(device)
    told = torch.from_numpy(targets.numbers_known[chosen]).to(device).float()
    missed = functional.smooth_l1_loss(numbers, value, reduction="none")
    first = (asked * known).sum() / known.sum()
    return first + NUMBERS_WEIGHT * (missed * told).sum() / told.sum().clamp(min=1.0)


def _examined(
    network: TrainableNetwork, exam: _Lesson, device: torch.device, sessions: int
) -> dict[str, Any]:
    """Return the area under the ROC curve of each question on sessions not trained on."""
    answers = []
    with torch.inference_mode():
        for one in exam.pictures:
            field = torch.from_numpy(field_input(one.field))[None].to(device)
            spectrum = torch.from_numpy(spectrum_input(one.spectrum, one.nyquist_per_a))[None]
            answers.append(network(field, spectrum.to(device))[0][0].cpu().numpy())
    quality = {}
    for j, name in enumerate(questions()):
        known = exam.targets.yes_known[:, j] if answers else np.zeros(0, bool)
        clear = known & (np.abs(exam.targets.yes[:, j] - 0.5) > 0.3)
        truth = exam.targets.yes[clear, j] > 0.5
        if truth.any() and not truth.all():
            score = np.array(answers)[clear, j].astype(np.float64)
            quality[name] = round(area_under_roc(score, truth), 4)
    return {"sessions": sessions, "micrographs": len(answers), "auc": quality}
