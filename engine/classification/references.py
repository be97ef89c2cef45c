"""Class averages in polar form, made from sums over particles and a prior that all share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cryoverdict.engine.classification.polar import PolarGrid


@dataclass(slots=True, kw_only=True)
class Sums:
    """What the particles add up to, apart for two halves of them (first axis).

    ``signal`` ``(2, K, R, H + 1)``: Σ p · CTF · image / noise, turned and moved onto the average.
    ``ctf2`` ``(2, G, K, R)``: Σ p · CTF² by optics group. ``members`` ``(2, K)``: Σ p.
    """

    signal: Tensor
    ctf2: Tensor
    members: Tensor

    def blended(self, before: Sums | None, step: float) -> Sums:
        """Return ``step`` of these sums and the rest of those before."""
        if before is None or step >= 1.0:
            return self
        return Sums(
            signal=torch.lerp(before.signal, self.signal, step),
            ctf2=torch.lerp(before.ctf2, self.ctf2, step),
            members=torch.lerp(before.members, self.members, step),
        )

    def scaled(self, factor: float) -> Sums:
        """Return the sums of a subset as those of the whole set."""
        return Sums(
            signal=self.signal * factor, ctf2=self.ctf2 * factor, members=self.members * factor
        )

    def half(self, number: int) -> Sums:
        """Return the sums of one half of the particles alone, 0 or 1."""
        one = slice(number, number + 1)
        return Sums(signal=self.signal[one], ctf2=self.ctf2[one], members=self.members[one])

    def emptied(self, classes: list[int]) -> Sums:
        """Return the sums with nothing in the given classes."""
        kept = torch.ones(self.members.shape[1], device=self.members.device)
        kept[classes] = 0.0
        return Sums(
            signal=self.signal * kept[None, :, None, None],
            ctf2=self.ctf2 * kept[None, None, :, None],
            members=self.members * kept[None],
        )

    def without(self, lane: Sums, half: int) -> Sums:
        """Return these sums less those of one lane, which are part of the given half."""
        signal, ctf2, members = self.signal.clone(), self.ctf2.clone(), self.members.clone()
        signal[half] -= lane.signal[0]
        ctf2[half] = (ctf2[half] - lane.ctf2[0]).clamp(min=0.0)
        members[half] = (members[half] - lane.members[0]).clamp(min=0.0)
        return Sums(signal=signal, ctf2=ctf2, members=members)

    @property
    def total_members(self) -> Tensor:
        """Particles of each class ``(K,)``, by probability."""
        return self.members.sum(dim=0)

    def precision(self, noise: Tensor) -> Tensor:
        """Return Σ p · CTF² / noise ``(K, R)``, the inverse variance of the plain averages."""
        return (self.ctf2.sum(dim=0) / noise[:, None, :]).sum(dim=0)


@dataclass(slots=True, kw_only=True)
class References:
    """The averages that particles are compared with.

    ``averages`` ``(K, R, H + 1)``; ``variance`` ``(K, R)``: the power that noise has in them;
    ``members`` ``(K,)``; ``signal_power`` ``(R,)``: the prior's.
    """

    averages: Tensor
    variance: Tensor
    members: Tensor
    signal_power: Tensor


def shared_signal_power(sums: Sums, noise: Tensor, grid: PolarGrid, first: Tensor) -> Tensor:
    """Return the power ``(R,)`` of the averages' signal, the same for all classes.

    The plain averages' power less that of their noise, weighted by how well each is known. One
    prior for all: where each class has its own, the average of a small class is shrunk for being
    noisy, then fits worse, and shrinks further until nothing is left of it. Never less than 2 % of
    the ``first`` guess.
    """
    power = grid.power(sums.signal.sum(dim=0))
    precision = sums.precision(noise)
    surplus = (power / precision.clamp(min=1e-9) - 1.0).sum(dim=0)
    return torch.maximum(surplus / precision.sum(dim=0).clamp(min=1e-9), 0.02 * first)


def solved(sums: Sums, noise: Tensor, signal_power: Tensor) -> References:
    """Return the averages of greatest posterior probability: Wiener-filtered sums.

    A = Σ p·CTF·X/σ² / (Σ p·CTF²/σ² + 1/τ²), Scheres 2012 (J. Mol. Biol. 415:406), in two
    dimensions; its noise has the power precision / (precision + 1/τ²)².
    """
    precision = sums.precision(noise)
    denominator = precision + 1.0 / signal_power
    return References(
        averages=sums.signal.sum(dim=0) / denominator[:, :, None],
        variance=precision / denominator**2,
        members=sums.total_members,
        signal_power=signal_power,
    )
