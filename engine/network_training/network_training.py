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

from cryoverdict.engine.network_training.network_fitting import (
    Chosen,
    NetworkRecipe,
    begin_reproducibly,
    examined,
    fit_network,
    machine_facts,
)
from cryoverdict.engine.network_training.network_targets import (
    QUANTITIES,
    Targets,
    questions,
    targets_of,
)
from cryoverdict.engine.network_training.picture_variation import varied_batch
from cryoverdict.engine.network_training.trainable_network import TrainableNetwork
from cryoverdict.engine.training.reference_sessions import ReferenceSet
from cryoverdict.features.embedding import CARD, WEIGHTS
from cryoverdict.features.embedding_network import (
    EmbeddingNetwork,
    field_input,
    spectrum_input,
)
from cryoverdict.features.embedding_pictures import NetworkPictures
from cryoverdict.features.weights_file import write_weights


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
    device = begin_reproducibly(recipe.seed)
    network = TrainableNetwork(len(questions()), len(QUANTITIES)).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson, exam = _lesson(sets), _lesson(held_out)

    def batch(chosen: Chosen, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Return varied pictures of some micrographs."""
        fields, spectra = varied_batch([lesson.pictures[i] for i in chosen], rng)
        return fields.to(memory_format=torch.channels_last), spectra

    losses = fit_network(network, batch, lesson.targets, recipe, device, tick)
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
        **machine_facts(device),
        "recipe": recipe.to_dict(),
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


def _examined(
    network: TrainableNetwork, exam: _Lesson, device: torch.device, sessions: int
) -> dict[str, Any]:
    """Return how well each question is answered on sessions not trained on."""
    answers = []
    with torch.inference_mode():
        for one in exam.pictures:
            field = torch.from_numpy(field_input(one.field))[None].to(device)
            spectrum = torch.from_numpy(spectrum_input(one.spectrum, one.nyquist_per_a))[None]
            answers.append(network(field, spectrum.to(device))[0][0].cpu().numpy())
    return {
        "sessions": sessions,
        "micrographs": len(answers),
        "auc": examined(questions(), answers, exam.targets),
    }
