"""Particles as CTF-weighted polar harmonics, batch by batch: kept in memory, or made anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import asin, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoverdict.engine.classification.lanes import each_lane
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.optics import electron_wavelength_a

# Particles prepared at once: few enough that the transform's matrices are used while in the cache.
PREPARED_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PolarBatch:
    """Some particles, prepared. Harmonics come first, as the matrix products want them.

    ``indices`` ``(n,)``: which particles. ``weighted`` ``(H + 1, n, R)``: harmonics of CTF · image.
    ``ctf2`` and ``power`` ``(n, R)``: the means over each ring of CTF² and of the image's squared
    modulus. ``group`` ``(n,)``: optics group.
    """

    indices: NDArray[np.int64]
    weighted: Tensor
    ctf2: Tensor
    power: Tensor
    group: Tensor


@dataclass(slots=True, kw_only=True)
class PolarImages:
    """All particles of a stack as polar harmonics, each moved to its present centre.

    ``centres_px`` ``(n, 2)`` (x, y): where each particle lies in its box, in whole pixels from the
    box's centre. Images are rolled by it before they are masked, so that the mask follows the
    particle. Where all particles fit in the memory allowed they are prepared once per move.
    """

    stack: ParticleStack
    grid: PolarGrid
    parameters: ClassificationParameters
    device: torch.device
    centres_px: NDArray[np.int64] = field(init=False)
    _kept: PolarBatch | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start with every particle at the centre of its box; refuse optics without a CTF."""
        self.centres_px = np.zeros((len(self.stack), 2), dtype=np.int64)
        missing = sorted({n for o in self.stack.optics for n in o.missing_for_ctf})
        if self.parameters.correct_ctf and (self.stack.defocus_a is None or missing):
            unknown = ", ".join(missing) or "defocus"
            msg = f"{self.stack.source}: {unknown} unknown; give it, or classify without the CTF"
            raise EngineError(msg)

    @property
    def fit_in_memory(self) -> bool:
        """Whether all particles are kept prepared."""
        each = self.grid.rings * (8 * (self.grid.top + 1) + 8)
        return len(self.stack) * each <= self.parameters.resident_mib * 2**20

    def move(self, centres_px: NDArray[np.int64]) -> None:
        """Take new centres; what was prepared for the old ones is forgotten."""
        self.centres_px = centres_px
        self._kept = None

    def batches(self, indices: NDArray[np.int64], size: int) -> Iterator[PolarBatch]:
        """Yield the particles ``indices`` (ascending), ``size`` at a time."""
        if self.fit_in_memory:
            kept = self._all()
            for start in range(0, len(indices), size):
                part = indices[start : start + size]
                # A slice is a view; picking single particles copies them.
                together = int(part[-1] - part[0]) + 1 == len(part)
                first = int(part[0])
                rows = slice(first, first + len(part)) if together else torch.from_numpy(part)
                yield PolarBatch(
                    indices=part,
                    weighted=kept.weighted[:, rows],
                    ctf2=kept.ctf2[rows],
                    power=kept.power[rows],
                    group=kept.group[rows],
                )
            return
        for start in range(0, len(indices), PREPARED_AT_ONCE):
            made = self.prepare(indices[start : start + PREPARED_AT_ONCE])
            for first in range(0, len(made.indices), size):
                rows = slice(first, first + size)
                yield PolarBatch(
                    indices=made.indices[rows],
                    weighted=made.weighted[:, rows],
                    ctf2=made.ctf2[rows],
                    power=made.power[rows],
                    group=made.group[rows],
                )

    def make_ready(self, threads: int) -> None:
        """Prepare all particles now, by several threads, if they are to be kept in memory."""
        if self.fit_in_memory:
            self._all(threads)

    def _all(self, threads: int = 1) -> PolarBatch:
        """Return all particles, prepared now or before."""
        if self._kept is None:
            n, grid = len(self.stack), self.grid
            everything = np.arange(n)
            kept = PolarBatch(
                indices=everything,
                weighted=torch.empty(
                    grid.top + 1, n, grid.rings, dtype=torch.complex64, device=self.device
                ),
                ctf2=torch.empty(n, grid.rings, device=self.device),
                power=torch.empty(n, grid.rings, device=self.device),
                group=torch.from_numpy(self.stack.group.astype(np.int64)).to(self.device),
            )

            def fill(part: int) -> None:
                """Prepare one part, in its own rows."""
                rows = slice(part * PREPARED_AT_ONCE, min((part + 1) * PREPARED_AT_ONCE, n))
                made = self.prepare(everything[rows])
                kept.weighted[:, rows] = made.weighted
                kept.ctf2[rows] = made.ctf2
                kept.power[rows] = made.power

            each_lane(fill, -(-n // PREPARED_AT_ONCE), threads, self.device)
            self._kept = kept
        return self._kept

    def prepare(self, indices: NDArray[np.int64]) -> PolarBatch:
        """Read, normalise, centre, mask and transform the particles ``indices``."""
        images = torch.from_numpy(self.stack.read(indices)).to(self.device)
        centres = torch.from_numpy(self.centres_px[indices]).to(self.device)
        spectrum = self.grid.transform(rolled(normalised(images, self.grid.reach_px), -centres))
        power = (spectrum.real**2 + spectrum.imag**2).mean(dim=-1)
        if self.parameters.correct_ctf:
            transfer = self.ctf(indices)
            spectrum = spectrum * transfer
            ctf2 = (transfer**2).mean(dim=-1)
        else:
            ctf2 = torch.ones_like(power)
        return PolarBatch(
            indices=indices,
            weighted=self.grid.harmonics(spectrum).permute(2, 0, 1),
            ctf2=ctf2,
            power=power,
            group=torch.from_numpy(self.stack.group[indices].astype(np.int64)).to(self.device),
        )

    def ctf(self, indices: NDArray[np.int64]) -> Tensor:
        """Return the particles' CTF at the polar points ``(n, R, H)``.

        Astigmatism included; the sign is RELION's, for particles that are brighter than the ice:
        sin χ, positive at low resolution (formula of `features.ctf.Ctf`, its sign turned).
        """
        stack = self.stack
        assert stack.defocus_a is not None

        def column(values: NDArray[np.float32] | list[float]) -> Tensor:
            return torch.as_tensor(np.asarray(values, np.float32), device=self.device)[
                :, None, None
            ]

        groups = [stack.optics[g] for g in stack.group[indices]]
        wavelength = column([electron_wavelength_a(o.voltage_kv or 0.0) for o in groups])
        cs_a = column([(o.cs_mm or 0.0) * 1e7 for o in groups])
        contrast = column([asin(o.amplitude_contrast or 0.0) for o in groups])
        u, v = column(stack.defocus_a[indices, 0]), column(stack.defocus_a[indices, 1])
        angle = column(np.radians(stack.defocus_angle_deg[indices]))
        phase = column(np.radians(stack.phase_shift_deg[indices]))
        defocus = 0.5 * (u + v) + 0.5 * (u - v) * torch.cos(2 * (self.grid.angles_rad - angle))
        s2 = (self.grid.frequencies**2)[:, None]
        chi = pi * wavelength * s2 * (defocus - 0.5 * wavelength**2 * s2 * cs_a) + phase + contrast
        transfer = torch.sin(chi)
        if self.parameters.until_first_peak:
            transfer = torch.where(chi.abs() < pi / 2, torch.ones_like(transfer), transfer)
        return transfer


def normalised(images: Tensor, radius_px: float) -> Tensor:
    """Return the images with mean 0 and standard deviation 1 outside the circle ``radius_px``.

    As RELION extracts them; particles from other programs, and those whose stack was scaled
    afterwards, are brought to the same. Empty images stay zero.
    """
    box = images.shape[-1]
    axis = torch.arange(box, device=images.device, dtype=torch.float32) - box // 2
    outside = (axis[:, None] ** 2 + axis[None, :] ** 2) > radius_px**2
    ground = images[:, outside]
    mean = ground.mean(dim=1)
    deviation = ground.std(dim=1)
    scale = torch.where(deviation > 1e-12, 1.0 / deviation.clamp(min=1e-12), 0.0 * deviation)
    return (images - mean[:, None, None]) * scale[:, None, None]


def rolled(images: Tensor, by_px: Tensor) -> Tensor:
    """Return each image moved by its own whole number of pixels (x, y), wrapping round."""
    n, box, _ = images.shape
    axis = torch.arange(box, device=images.device)
    columns = (axis[None, :] - by_px[:, 0:1]).remainder(box)
    rows = (axis[None, :] - by_px[:, 1:2]).remainder(box)
    which = torch.arange(n, device=images.device)[:, None, None]
    return images[which, rows[:, :, None], columns[:, None, :]]
