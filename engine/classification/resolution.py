"""How fine the class averages are, and how finely particles can be placed on them."""

from __future__ import annotations

from math import pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoverdict.engine.classification.classification import ClassMeasure
from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.classification.references import References, Sums

CORRELATION_THRESHOLD = 0.143
# Fall of the log-likelihood at which a wrong place is called told apart: a hundred to one.
TOLD_APART = 4.6
TURNS_DEG = np.concatenate([np.arange(0.5, 10.0, 0.5), np.arange(10.0, 31.0, 1.0)])
SHIFTS_PX = np.arange(0.1, 10.05, 0.1)


def ring_correlations(sums: Sums, grid: PolarGrid) -> Tensor:
    """Return the Fourier ring correlation of each class's two halves ``(K, R)``.

    Both halves were turned to the same reference, so that on rings that were compared noise agrees
    a little too (a particle's best place is where its noise resembles the reference); on the rings
    beyond it does not.
    """
    first, second = sums.signal
    product = first.real * second.real + first.imag * second.imag
    shared = (product * grid.weights).sum(dim=-1)
    powers = grid.power(first) * grid.power(second)
    correlation: Tensor = shared / powers.sqrt().clamp(min=1e-12)
    return correlation


def crossing_a(
    values: NDArray[np.float32],
    frequencies: NDArray[np.float32],
    threshold: float,
    *,
    whole_a: float = np.inf,
) -> float | None:
    """Return the resolution (Å) at which ``values`` first fall below ``threshold``.

    Interpolated between rings; ``None`` where already the first ring lies below. A curve that
    never falls gives the last ring: the data go at least that far. Rings of waves longer than
    ``whole_a``, the width of the mask, do not count: they carry the level of the background, which
    normalisation took out, and no detail of the particle.
    """
    below = np.flatnonzero(~(values >= threshold) & (frequencies * whole_a >= 1.0))
    if not len(below):
        return float(1.0 / frequencies[-1])
    i = int(below[0])
    if i == 0 or not (values[:i] >= threshold).any():
        return None
    high, low = float(values[i - 1]), float(values[i])
    if high < threshold:
        return float(1.0 / frequencies[i - 1])
    part = (high - threshold) / (high - low) if np.isfinite(low) and high > low else 0.0
    return float(1.0 / (frequencies[i - 1] + part * (frequencies[i] - frequencies[i - 1])))


def class_measures(
    *, sums: Sums, references: References, noise: Tensor, mean_ctf2: Tensor, grid: PolarGrid
) -> tuple[ClassMeasure, ...]:
    """Return the measures of all classes.

    ``noise`` and ``mean_ctf2`` ``(R,)`` are those of the largest optics group. The accuracies
    follow the definition of `relion_refine`: the turn or shift at which a reference differs from
    itself by `TOLD_APART` in log-likelihood under the present noise.
    """
    correlation = ring_correlations(sums, grid).cpu().numpy()
    power = grid.power(references.averages)
    ssnr = (
        ((power - references.variance).clamp(min=0.0) / references.variance.clamp(min=1e-12))
        .cpu()
        .numpy()
    )
    members = references.members / references.members.sum().clamp(min=1.0)
    weight = 2 * pi * grid.radii * grid.mask_share * mean_ctf2 / noise
    turns, shifts_a = _accuracies(references.averages, weight, grid)
    frequencies = grid.frequencies.cpu().numpy()
    whole_a = 2.0 * grid.reach_px * grid.pixel_size_a
    return tuple(
        ClassMeasure(
            share=float(members[k]),
            resolution_a=crossing_a(correlation[k], frequencies, CORRELATION_THRESHOLD),
            ssnr_resolution_a=crossing_a(ssnr[k], frequencies, 1.0, whole_a=whole_a),
            rotation_accuracy_deg=turns[k],
            shift_accuracy_a=shifts_a[k],
            ring_correlation=correlation[k],
            ssnr=ssnr[k],
            noise_power=references.variance[k].cpu().numpy(),
            signal_power=references.signal_power.cpu().numpy(),
        )
        for k in range(len(correlation))
    )


def _accuracies(
    averages: Tensor, weight: Tensor, grid: PolarGrid
) -> tuple[list[float | None], list[float | None]]:
    """Return for each class the turn (degrees) and the shift (Å) that can be told apart.

    A turn by δ changes |A|² by Σ_m |c_m|² (2 − 2 cos mδ); a shift by d along an angle changes the
    ring of radius k by |A(θ)|² (2 − 2 cos(2π k d cos θ / box)), here averaged over directions.
    """
    by_order = ((averages.real**2 + averages.imag**2) * grid.weights * weight[:, None]).sum(dim=1)
    order = torch.arange(grid.top + 1, device=averages.device)
    turn = torch.from_numpy(np.radians(TURNS_DEG)).to(weight)
    changed = 0.5 * by_order @ (2.0 - 2.0 * torch.cos(order[:, None] * turn))
    rings = grid.power(averages) * weight
    shift = torch.from_numpy(SHIFTS_PX).to(weight)
    bessel = torch.special.bessel_j0(2 * pi / grid.box * grid.radii[:, None] * shift)
    moved = 0.5 * rings @ (2.0 - 2.0 * bessel)
    return _first(changed, TURNS_DEG), _first(moved, SHIFTS_PX * grid.pixel_size_a)


def _first(curves: Tensor, at: NDArray[np.float64]) -> list[float | None]:
    """Return where each curve first exceeds `TOLD_APART`; ``None`` where it never does."""
    reached = (curves > TOLD_APART).cpu().numpy()
    return [float(at[row.argmax()]) if row.any() else None for row in reached]
