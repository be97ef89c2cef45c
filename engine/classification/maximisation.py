"""Adding particles to the sums that new class averages are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cryoverdict.engine.classification.expectation import Posterior, Search
from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.classification.polar_images import PolarBatch
from cryoverdict.engine.classification.references import Sums


@dataclass(slots=True, kw_only=True)
class Accumulator:
    """Sums over the particles of one lane, still apart for each shift of the references.

    ``moved`` ``(h, K·S, R)``; ``ctf2`` ``(G, K, R)``; ``members`` ``(K,)``.
    """

    search: Search
    moved: Tensor
    ctf2: Tensor
    members: Tensor

    @classmethod
    def nothing(cls, search: Search, grid: PolarGrid, groups: int) -> Accumulator:
        """Return sums over no particles."""
        device = grid.radii.device
        columns = search.reference.shape[2]
        return cls(
            search=search,
            moved=torch.zeros(
                search.harmonics, columns, grid.rings, dtype=torch.complex64, device=device
            ),
            ctf2=torch.zeros(groups, search.classes, grid.rings, device=device),
            members=torch.zeros(search.classes, device=device),
        )

    @staticmethod
    def bytes(search: Search, grid: PolarGrid) -> int:
        """Return the memory that the sums of one lane need."""
        return 8 * search.harmonics * search.reference.shape[2] * grid.rings

    def add(
        self, batch: PolarBatch, posterior: Posterior, inverse_noise: Tensor, norm: Tensor
    ) -> None:
        """Add one batch; ``norm`` ``(n,)`` is in ``inverse_noise`` too.

        All rings are summed, also those not compared: what shows there is free of the bias by
        which particles resemble the reference that they were turned to.
        """
        whitened = batch.weighted[: self.search.harmonics] * inverse_noise[None]
        self.moved.baddbmm_(posterior.turned.transpose(1, 2), whitened)
        for group in torch.unique(batch.group).tolist():
            here = batch.group == group
            ctf2 = batch.ctf2[here] / norm[here, None]
            self.ctf2[group] += posterior.by_class[here].T @ ctf2
        self.members += posterior.by_class.sum(dim=0)


def unshifted(lane: Accumulator, grid: PolarGrid) -> Sums:
    """Return the sums of one lane with every shift undone, as one half."""
    search = lane.search
    back = grid.ramps(-search.shifts_px)
    each = lane.moved.reshape(search.harmonics, search.classes, len(back), grid.rings)
    circle = grid.half_circle(each.permute(1, 2, 3, 0))
    return Sums(
        signal=grid.harmonics((circle * back[None]).sum(dim=1))[None],
        ctf2=lane.ctf2[None],
        members=lane.members[None],
    )


def summed(lanes: Sequence[Sums]) -> Sums:
    """Return the sums of all lanes: even and odd lanes are the halves."""
    return Sums(
        signal=torch.cat([sum_in_order([s.signal for s in lanes[h::2]]) for h in (0, 1)]),
        ctf2=torch.cat([sum_in_order([s.ctf2 for s in lanes[h::2]]) for h in (0, 1)]),
        members=torch.cat([sum_in_order([s.members for s in lanes[h::2]]) for h in (0, 1)]),
    )


def sum_in_order(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of some tensors, added one after the other: the same bytes each time."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def cross_power(sums: Sums, averages: Tensor, grid: PolarGrid) -> Tensor:
    """Return Σ p ⟨CTF·X, A⟩ / σ² as the mean over each ring, ``(K, R)``."""
    signal = sums.signal.sum(dim=0)
    product = signal.real * averages.real + signal.imag * averages.imag
    return (product * grid.weights).sum(dim=-1)
