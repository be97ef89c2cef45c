"""Fit a network to what it is asked: the part that is the same whatever it looks at.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cryoverdict.engine.network_training.network_targets import Targets
from cryoverdict.engine.training.quality import area_under_roc

# What the numbers weigh beside the questions with a yes or no.
NUMBERS_WEIGHT = 0.15
VERDICT_WEIGHT = 3.0

Chosen = NDArray[np.intp]
# Returns what the network is shown of some rows, varied at random.
Batch = Callable[[Chosen, np.random.Generator], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """The settings of a training."""

    epochs: int = 20
    batch: int = 32
    rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {name: getattr(self, name) for name in self.__slots__}


def begin_reproducibly(seed: int) -> torch.device:
    """Set PyTorch to one thread, fixed seed, deterministic algorithms; return where to work.

    A GPU is used where PyTorch sees one.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine_facts(device: torch.device) -> dict[str, str]:
    """Return what a card says of the machine that trained."""
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU, one thread",
        "torch": torch.__version__.split("+")[0],
    }


def fit_network(
    network: nn.Module,
    batch: Batch,
    targets: Targets,
    recipe: NetworkRecipe,
    device: torch.device,
    tick: Callable[[object], None],
) -> list[float]:
    """Run the epochs; return the mean loss of each.

    ``network`` answers what `batch` shows it with log-odds of the questions and the numbers.
    """
    rng = np.random.default_rng((recipe.seed, 71))
    count = len(targets.yes)
    steps = -(-count // recipe.batch)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=recipe.rate, total_steps=recipe.epochs * steps, pct_start=0.15
    )
    weight = torch.ones(targets.yes.shape[1], device=device)
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
            yes, numbers = network(*(shown.to(device) for shown in batch(chosen, rng)))
            loss = _loss(yes, numbers, targets, chosen, weight)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) / steps
        losses.append(total)
        tick(epoch)
    return losses


def _loss(yes: Tensor, numbers: Tensor, targets: Targets, chosen: Chosen, weight: Tensor) -> Tensor:
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


def examined(
    questions: Sequence[str], answers: Sequence[NDArray[np.float32]], targets: Targets
) -> dict[str, float]:
    """Return the area under the ROC curve of each question on subjects not trained on.

    ``answers`` has the log-odds ``(questions,)`` of each; questions without clear examples of both
    kinds are left out.
    """
    quality = {}
    for j, name in enumerate(questions if answers else ()):
        clear = targets.yes_known[:, j] & (np.abs(targets.yes[:, j] - 0.5) > 0.3)
        truth = targets.yes[clear, j] > 0.5
        if truth.any() and not truth.all():
            score = np.array(answers)[clear, j].astype(np.float64)
            quality[name] = round(area_under_roc(score, truth), 4)
    return quality
