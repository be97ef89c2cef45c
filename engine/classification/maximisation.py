"""Adding particles to the sums that new class averages are made from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cryoverdict.engine.classification.expectation import Posterior, Search
from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.classification.polar_images import PolarBatch
from cryoverdict.engine.classification.references import Sums


@dataclass(slots=True, kw_only=True)
class Accumulator:
    """Sums of one iteration, still apart for each shift of the references.

    ``moved`` ``(2, h, K·S, R)``; ``ctf2`` ``(2, G, K, R)``; ``members`` ``(2, K)``.
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
                2, search.harmonics, columns, grid.rings, dtype=torch.complex64, device=device
            ),
            ctf2=torch.zeros(2, groups, search.classes, grid.rings, device=device),
            members=torch.zeros(2, search.classes, device=device),
        )

    def add(
        self,
        batch: PolarBatch,
        posterior: Posterior,
        inverse_noise: Tensor,
        norm: Tensor,
        half: int,
    ) -> None:
        """Add one batch to one of the two halves; ``norm`` ``(n,)`` is in ``inverse_noise`` too.

        All rings are summed, also those not compared: what shows there is free of the bias by
        which particles resemble the reference that they were turned to.
        """
        whitened = batch.weighted[: self.search.harmonics] * inverse_noise[None]
        self.moved[half].baddbmm_(posterior.turned.transpose(1, 2), whitened)
        for group in torch.unique(batch.group).tolist():
            here = batch.group == group
            ctf2 = batch.ctf2[here] / norm[here, None]
            self.ctf2[half, group] += posterior.by_class[here].T @ ctf2
        self.members[half] += posterior.by_class.sum(dim=0)

    def sums(self, grid: PolarGrid) -> Sums:
        """Return the sums with every shift undone."""
        back = grid.ramps(-self.search.shifts_px)
        halves = []
        for moved in self.moved:
            each = moved.reshape(self.search.harmonics, self.search.classes, len(back), grid.rings)
            half = grid.half_circle(each.permute(1, 2, 3, 0))
            halves.append(grid.harmonics((half * back[None]).sum(dim=1)))
        return Sums(signal=torch.stack(halves), ctf2=self.ctf2, members=self.members)


def cross_power(sums: Sums, averages: Tensor, grid: PolarGrid) -> Tensor:
    """Return Σ p ⟨CTF·X, A⟩ / σ² as the mean over each ring, ``(K, R)``."""
    signal = sums.signal.sum(dim=0)
    product = signal.real * averages.real + signal.imag * averages.imag
    return (product * grid.weights).sum(dim=-1)
