"""How much detail the class averages of two independent halves of the particles share."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.polar import PolarGrid, polar_grid, shift_grid

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
TURNS = 120
REACH_PX, STEP_PX = 2.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDetail:
    """What two sets of averages have in common.

    ``bits``: the mean over all classes, by their particles, of the information that a class shares
    with the most similar one of the other set; ``error`` its standard error over the classes.
    """

    bits: float
    error: float


def shared_detail(
    first: FloatArray,
    second: FloatArray,
    shares: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    pixel_size_a: float,
    mask_diameter_a: float,
    resolution_limit_a: float,
) -> SharedDetail:
    """Return the detail shared by two sets of averages ``(K, box, box)`` made independently.

    Each class is turned and moved onto each of the other set inside one soft disc; the Fourier ring
    correlation ρ with the best gives −½ log₂(1 − ρ²) bits for every independent component. Nothing
    was aligned to anything of the other half, so that noise adds nothing but chance.
    """
    import torch

    grid = polar_grid(
        box=first.shape[-1],
        pixel_size_a=pixel_size_a,
        mask_diameter_a=mask_diameter_a,
        resolution_limit_a=resolution_limit_a,
    )
    a, b = _half_circles(grid, first), _half_circles(grid, second)
    bits = _bits(grid, a, b)
    values = torch.cat([bits.max(dim=1).values, bits.max(dim=0).values]).numpy().astype(float)
    weights = np.concatenate([s / max(s.sum(), 1e-12) for s in shares]) / 2.0
    mean = float(weights @ values)
    spread = float(np.sqrt((weights**2 * (values - mean) ** 2).sum()))
    return SharedDetail(bits=mean, error=spread)


def _half_circles(grid: PolarGrid, averages: FloatArray) -> Tensor:
    """Return the averages' transform on the compared rings ``(K, R, H)``."""
    import torch

    flat = torch.from_numpy(np.ascontiguousarray(averages, dtype=np.float32))
    inside = grid.mask > 0.5
    means = flat[:, inside].mean(dim=1)
    return grid.transform(flat - means[:, None, None])[:, : grid.compared]


def _bits(grid: PolarGrid, first: Tensor, second: Tensor) -> Tensor:
    """Return the information ``(K, L)`` that each pair of averages shares, best turn and shift."""
    import torch

    rings = grid.compared
    ramps = grid.ramps(shift_grid(REACH_PX, STEP_PX))[:, :rings]
    orders = torch.arange(grid.top + 1)
    turns = torch.arange(TURNS) * (2 * pi / TURNS)
    weight = grid.weights * torch.ones(grid.top + 1)
    wave = torch.polar(torch.ones(grid.top + 1, TURNS), orders[:, None] * turns)
    norm_a = grid.power(grid.harmonics(first)).sqrt()
    norm_b = grid.power(grid.harmonics(second)).sqrt()
    components = pi * grid.radii[:rings] * grid.mask_share
    found = torch.empty(len(first), len(second))
    moved = grid.harmonics(first[:, None] * ramps[None])  # K, S, R, h
    other = grid.harmonics(second)
    for i in range(len(first)):
        # Σ_h w · conj(a_h) · b_h · e^{ihψ}: the ring products at every turn.
        products = torch.einsum("srh,lrh,ht->lstr", moved[i].conj() * weight, other, wave).real
        correlation = products / (norm_a[i] * norm_b[:, None, None, :]).clamp(min=1e-12)
        best = (correlation * components).sum(dim=-1).flatten(1).argmax(dim=1)
        at = correlation.flatten(1, 2)[torch.arange(len(second)), best].clamp(0.0, 0.9999)
        # Chance gives ρ² of one over the number of components, which is taken off.
        chance = 1.0 / (2.0 * components).clamp(min=1.0)
        real = (at**2 - chance).clamp(min=0.0)
        found[i] = (components * -0.5 * torch.log2(1.0 - real) * 2.0).sum(dim=-1)
    return found
