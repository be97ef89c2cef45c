"""A small convolutional network that sees single particles, trained on a run's good and junk.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import asin, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.polar_images import normalised
from cryoverdict.features.optics import electron_wavelength_a
from cryoverdict.features.particle_feature import Values
from cryoverdict.features.weights_file import Weights

SIDE = 32
# What is shown reaches this far, in particle radii.
SHOWN = 1.3
CHANNELS = (12, 24, 32)
EMBEDDING = 12
BATCH = 64
# So many particles are seen in training, the same ones again and again; minutes on one core.
SEEN = 24_000
RATE, WEIGHT_DECAY = 4e-3, 0.02
READ_AT_ONCE = 512


class ParticleNetwork(nn.Module):
    """Three convolutions, the mean and the greatest value of each channel, an embedding, a line."""

    def __init__(self) -> None:
        """Build the layers with random weights."""
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in CHANNELS:
            layers += [
                nn.Conv2d(before, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.embedding = nn.Linear(2 * before, EMBEDDING)
        self.answer = nn.Linear(EMBEDDING, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the log-odds ``(n,)`` of being good of pictures ``(n, 1, side, side)``."""
        seen = self.trunk(pictures).flatten(2)
        said = torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1)
        answer: Tensor = self.answer(functional.relu(self.embedding(said)))[:, 0]
        return answer

    def weights(self, prefix: str) -> Weights:
        """Return all weights by name."""
        state = self.state_dict()
        return {
            f"{prefix}{name}": value.numpy().astype(np.float32)
            for name, value in state.items()
            if value.is_floating_point()
        }

    @classmethod
    def of(cls, weights: Weights, prefix: str) -> ParticleNetwork:
        """Return the network that `weights` told; raises `KeyError` where some are missing."""
        network = cls()
        state = network.state_dict()
        for name, value in state.items():
            if value.is_floating_point():
                state[name] = torch.from_numpy(weights[f"{prefix}{name}"].reshape(value.shape))
        network.load_state_dict(state)
        return network.eval()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """Pictures ``(n, side, side)``, what is true of each, and how much each counts, ``(n,)``."""

    pictures: NDArray[np.float32]
    good: NDArray[np.bool_]
    weight: NDArray[np.float64]


def train_network(lesson: Lesson, *, seed: int) -> ParticleNetwork:
    """Train on turned and mirrored copies, both sorts weighing the same; one seed, one result."""
    torch.manual_seed(seed)
    network = ParticleNetwork()
    rng = np.random.default_rng((seed, 17))
    weight = lesson.weight * np.where(
        lesson.good,
        1.0 / max(lesson.weight[lesson.good].sum(), 1e-9),
        1.0 / max(lesson.weight[~lesson.good].sum(), 1e-9),
    )
    weight = torch.from_numpy((weight / weight.mean()).astype(np.float32))
    pictures = torch.from_numpy(lesson.pictures)[:, None]
    answers = torch.from_numpy(lesson.good.astype(np.float32))
    steps = max(1, SEEN // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps)
    network.train()
    for chosen in _draws(len(answers), steps, rng):
        said = network(_turned(pictures[chosen], rng))
        loss = functional.binary_cross_entropy_with_logits(
            said, answers[chosen], weight=weight[chosen]
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def network_log_odds(networks: Sequence[ParticleNetwork], pictures: NDArray[np.float32]) -> Values:
    """Return the mean log-odds ``(n,)`` of some networks."""
    with torch.inference_mode():
        shown = torch.from_numpy(pictures)[:, None]
        parts = [
            torch.stack([network(shown[i : i + READ_AT_ONCE]) for network in networks]).mean(dim=0)
            for i in range(0, len(shown), READ_AT_ONCE)
        ]
    return torch.cat(parts).double().numpy() if parts else np.zeros(0)


def particle_pictures(
    stack: ParticleStack, indices: NDArray[np.int64], radius_px: float
) -> NDArray[np.float32]:
    """Return what the network sees ``(n, side, side)``: phases flipped, the middle, binned."""
    half = min(stack.box // 2, max(4, round(SHOWN * radius_px)))
    low, high = stack.box // 2 - half, stack.box // 2 + half
    with torch.inference_mode():
        images = normalised(torch.from_numpy(stack.read(indices)), radius_px)
        if stack.defocus_a is not None and not any(o.missing_for_ctf for o in stack.optics):
            spectrum = torch.fft.rfft2(images) * _signs(stack, indices)
            images = torch.fft.irfft2(spectrum, s=images.shape[-2:])
        shown = functional.interpolate(
            images[:, None, low:high, low:high], size=(SIDE, SIDE), mode="bilinear", antialias=True
        )
        level = shown.flatten(1).std(dim=1).median().clamp(min=1e-6)
        return np.asarray((shown[:, 0] / level).numpy(), np.float32)


def _signs(stack: ParticleStack, indices: NDArray[np.int64]) -> Tensor:
    """Return the sign ``(n, box, box // 2 + 1)`` of the CTF without its astigmatism."""
    assert stack.defocus_a is not None
    along = torch.fft.fftfreq(stack.box, stack.pixel_size_a)
    s2 = along[:, None] ** 2 + torch.fft.rfftfreq(stack.box, stack.pixel_size_a)[None, :] ** 2
    optics = [stack.optics[g] for g in stack.group[indices]]

    def column(values: Sequence[float] | NDArray[np.float32]) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32))[:, None, None]

    wave = column([electron_wavelength_a(o.voltage_kv or 0.0) for o in optics])
    cs_a = column([(o.cs_mm or 0.0) * 1e7 for o in optics])
    shift = column([asin(o.amplitude_contrast or 0.0) for o in optics])
    shift = shift + column(np.radians(stack.phase_shift_deg[indices]))
    defocus = column(stack.defocus_a[indices].mean(axis=1))
    chi = pi * wave * s2 * (defocus - 0.5 * wave**2 * s2 * cs_a) + shift
    return torch.sign(torch.sin(chi))


def _draws(count: int, steps: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the particles of each step: every one once before any comes again."""
    waiting = np.zeros(0, np.int64)
    for _ in range(steps):
        while len(waiting) < BATCH:
            waiting = np.concatenate([waiting, rng.permutation(count)])
        yield waiting[:BATCH]
        waiting = waiting[BATCH:]


def _turned(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Return pictures turned by any angle, half of them mirrored, moved by a pixel or so."""
    n = len(pictures)
    angle = torch.from_numpy(rng.uniform(0, 2 * np.pi, n).astype(np.float32))
    mirror = torch.from_numpy(rng.choice(np.array([-1.0, 1.0], np.float32), n))
    move = torch.from_numpy(rng.normal(0.0, 1.0 / SIDE, (n, 2)).astype(np.float32))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    rows = torch.stack(
        [
            torch.stack([cosine * mirror, -sine, move[:, 0]], dim=1),
            torch.stack([sine * mirror, cosine, move[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
