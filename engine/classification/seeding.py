"""The first class averages, and new ones for classes that have lost their particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoverdict.engine.classification.noise import ImagePower
from cryoverdict.engine.classification.polar_images import PolarBatch, PolarImages
from cryoverdict.engine.classification.references import Sums

# Particles in a first average. Turned at random they differ by what is in these few; of hundreds
# the averages would all be the same round blob.
SEED_PARTICLES = 15
# A class with less than this share of a mean class's particles is taken for empty.
EMPTY = 0.15
# A class is split only while both parts would still be averages.
FEWEST_TO_SPLIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The latest class ``(n,)`` (−1: not yet seen) and turn ``(n,)`` of every particle."""

    number: NDArray[np.int64]
    turn_rad: NDArray[np.float32]


def seeds(images: PolarImages, noise: Tensor, classes: int, rng: np.random.Generator) -> Sums:
    """Return the sums of ``classes`` random handfuls of particles, each turned at random."""
    order = rng.permutation(len(images.stack))
    per = min(SEED_PARTICLES, len(order))
    picks = [order[(np.arange(per) + k * per) % len(order)] for k in range(classes)]
    return _joined(
        [
            _turned_sum(images, noise, pick, rng.uniform(0, 2 * np.pi, per).astype(np.float32))
            for pick in picks
        ]
    )


def _joined(parts: list[Sums]) -> Sums:
    """Return the sums of single classes as those of all."""
    return Sums(
        signal=torch.cat([p.signal for p in parts], dim=1),
        ctf2=torch.cat([p.ctf2 for p in parts], dim=2),
        members=torch.cat([p.members for p in parts], dim=1),
    )


def refilled(
    sums: Sums,
    assigned: Assigned,
    images: PolarImages,
    noise: Tensor,
    rng: np.random.Generator,
) -> list[int]:
    """Give each empty class half of the particles of the then largest one; return which ones.

    Changes ``sums`` in place. The half is drawn at random and keeps its turns: two averages of
    the same view that the next iterations can pull apart.
    """
    members = sums.total_members
    mean = float(members.sum()) / len(members)
    given: list[int] = []
    for empty in torch.nonzero(members < EMPTY * mean)[:, 0].tolist():
        largest = int(torch.argmax(members))
        here = np.flatnonzero(assigned.number == largest)
        if len(here) < FEWEST_TO_SPLIT or float(members[largest]) < 2 * EMPTY * mean:
            break
        drawn = np.sort(rng.choice(here, min(len(here) // 2, 500), replace=False))
        new = _turned_sum(images, noise, drawn, assigned.turn_rad[drawn])
        share = 0.5 * float(members[largest]) / len(drawn)
        sums.signal[:, empty] = new.signal[:, 0] * share
        sums.ctf2[:, :, empty] = new.ctf2[:, :, 0] * share
        sums.members[:, empty] = new.members[:, 0] * share
        members[empty] = 0.5 * members[largest]
        members[largest] *= 0.5
        given.append(empty)
    return given


def image_power(images: PolarImages, indices: NDArray[np.int64], size: int) -> ImagePower:
    """Return the summed power of the particles ``indices``."""
    power = ImagePower.nothing(len(images.stack.optics), images.grid)
    for batch in images.batches(indices, size):
        power.add(batch)
    return power


def _turned_sum(
    images: PolarImages, noise: Tensor, indices: NDArray[np.int64], turns_rad: NDArray[np.float32]
) -> Sums:
    """Return the sums of one class made of ``indices``, each turned back by its own angle."""
    grid, groups = images.grid, len(images.stack.optics)
    order = np.argsort(indices, kind="stable")
    turns = torch.from_numpy(turns_rad[order]).to(images.device)
    harmonics = torch.arange(grid.top + 1, device=images.device)
    signal = torch.zeros(2, grid.rings, grid.top + 1, dtype=torch.complex64, device=images.device)
    ctf2 = torch.zeros(2, groups, grid.rings, device=images.device)
    members = torch.zeros(2, device=images.device)
    start = 0
    for batch in images.batches(indices[order], 256):
        n = len(batch.indices)
        phase = harmonics[:, None] * turns[start : start + n]
        aligned = _whitened(batch, noise) * torch.polar(torch.ones_like(phase), phase)[:, :, None]
        for half in (0, 1):
            mine = torch.arange(start, start + n, device=images.device) % 2 == half
            signal[half] += aligned[:, mine].sum(dim=1).T
            ctf2[half].index_add_(0, batch.group[mine], batch.ctf2[mine])
            members[half] += mine.sum()
        start += n
    return Sums(signal=signal[:, None], ctf2=ctf2[:, :, None], members=members[:, None])


def _whitened(batch: PolarBatch, noise: Tensor) -> Tensor:
    """Return the batch's harmonics over its noise power."""
    return batch.weighted / noise[batch.group][None]
