"""The noise power of each optics group, ring by ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.classification.polar_images import PolarBatch

# What is explained by the averages can be overstated while particles are few: noise is never
# taken to be less than this share of the images' own power.
LEAST_SHARE = 0.2


@dataclass(slots=True, kw_only=True)
class ImagePower:
    """Sums of the particles' ring power and CTF² per optics group: ``(G, R)``, ``count (G,)``."""

    power: Tensor
    ctf2: Tensor
    count: Tensor

    @classmethod
    def nothing(cls, groups: int, grid: PolarGrid) -> ImagePower:
        """Return sums over no particles."""
        zeros = torch.zeros(groups, grid.rings, device=grid.radii.device)
        return cls(power=zeros, ctf2=zeros.clone(), count=zeros[:, 0].clone())

    def add(self, batch: PolarBatch, norm: Tensor | None = None) -> None:
        """Add the particles of one batch, each divided by its own noise level ``norm`` ``(n,)``."""
        power = batch.power if norm is None else batch.power / norm[:, None]
        self.power.index_add_(0, batch.group, power)
        self.ctf2.index_add_(0, batch.group, batch.ctf2)
        self.count.index_add_(0, batch.group, torch.ones_like(batch.power[:, 0]))

    @classmethod
    def joined(cls, parts: Sequence[ImagePower]) -> ImagePower:
        """Return the sums of several, added in their order."""
        first, *others = parts
        for other in others:
            first.power += other.power
            first.ctf2 += other.ctf2
            first.count += other.count
        return first

    def mean_power(self) -> Tensor:
        """Return each group's mean power ``(G, R)``; a group without particles gets the others'."""
        return self._mean(self.power)

    def mean_ctf2(self) -> Tensor:
        """Return each group's mean CTF² ``(G, R)``."""
        return self._mean(self.ctf2)

    def _mean(self, sums: Tensor) -> Tensor:
        """Return sums per particle, of all groups together where a group is empty."""
        overall = sums.sum(dim=0) / self.count.sum().clamp(min=1.0)
        mean = sums / self.count.clamp(min=1.0)[:, None]
        return torch.where(self.count[:, None] > 0, mean, overall).clamp(min=1e-12)


def expected_signal(power: ImagePower) -> Tensor:
    """Return a first guess ``(R,)`` of the signal's power, before any average exists.

    Half of what the images hold above their finest rings' power, over the mean CTF². The data say
    it themselves: a prior built up from averages that start from nothing stays at nothing, and
    every ring beyond 100 Å would be shrunk away.
    """
    mean = (power.power.sum(dim=0) / power.count.sum()).clamp(min=1e-12)
    ctf2 = (power.ctf2.sum(dim=0) / power.count.sum()).clamp(min=1e-3)
    floor = mean[-max(2, len(mean) // 5) :].mean()
    return 0.5 * ((mean - floor) / ctf2).clamp(min=2e-3 * float(floor))


def updated_noise(
    *, power: ImagePower, cross: Tensor, ctf2: Tensor, old: Tensor, averages: Tensor, rings: int
) -> Tensor:
    """Return the noise power ``(G, R)``: what the averages leave of the images.

    The expected |X − CTF·A|² needs no second look at the images, since its cross term is the sum
    that makes the new averages: ``cross`` ``(K, R)`` is Σ ⟨CTF·X, A⟩ / noise under the present
    posterior, ``averages`` ``(K, R)`` |A|² of the references used, ``ctf2`` ``(G, K, R)`` the
    sums of CTF². With several optics groups the cross term is shared out by their CTF². Beyond the
    ``rings`` compared, all power counts as noise.
    """
    total = (ctf2 / old[:, None, :]).sum(dim=0).clamp(min=1e-12)
    explained = (ctf2 * (2.0 * cross / total - averages)).sum(dim=1)
    mean = power.mean_power()
    left = mean - explained / power.count.clamp(min=1.0)[:, None]
    compared = torch.arange(mean.shape[1], device=mean.device) < rings
    return torch.where(compared, torch.maximum(left, LEAST_SHARE * mean), mean)
