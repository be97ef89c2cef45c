"""The class averages that single particles are compared with: the good ones, and the junk ones.

They are made of a chosen part of the particles, so that particles can be compared with averages
that they are no part of. Imported late: it loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.classification.expectation import expected, prepared_search
from cryoverdict.engine.classification.maximisation import Accumulator, unshifted
from cryoverdict.engine.classification.noise import ImagePower, expected_signal
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.polar import PolarGrid, polar_grid
from cryoverdict.engine.classification.polar_images import PolarImages
from cryoverdict.engine.classification.references import (
    References,
    Sums,
    shared_signal_power,
    solved,
)
from cryoverdict.engine.classification.schedule import Stage
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.weights_file import Weights, read_weights, write_weights

# Finer than this single particles are not compared: too little of their signal is left there.
FINEST_A = 10.0
# An average of fewer particles shows noise.
FEWEST_MEMBERS = 8
BATCH = 64
# Classes are aligned to their own average: all of its turns, and shifts of so many pixels.
REACH_PX, STEP_PX = 4.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Box, sampling and mask that the averages were made with; particles must share them."""

    box: int
    pixel_size_a: float
    mask_diameter_a: float
    resolution_limit_a: float
    until_first_peak: bool
    offset_range_px: float

    @classmethod
    def of(cls, stack: ParticleStack, parameters: ClassificationParameters) -> Geometry:
        """Return the geometry of a stack that is classified with these parameters."""
        return cls(
            box=stack.box,
            pixel_size_a=stack.pixel_size_a,
            mask_diameter_a=parameters.mask_diameter_a,
            resolution_limit_a=max(FINEST_A, parameters.resolution_limit_a),
            until_first_peak=parameters.until_first_peak,
            offset_range_px=parameters.offset_range_px,
        )

    def grid(self) -> PolarGrid:
        """Return the polar points of this geometry."""
        return polar_grid(
            box=self.box,
            pixel_size_a=self.pixel_size_a,
            mask_diameter_a=self.mask_diameter_a,
            resolution_limit_a=self.resolution_limit_a,
        )

    def images(self, stack: ParticleStack) -> PolarImages:
        """Return a stack's particles ready to be compared; `EngineError` for another size."""
        if stack.box != self.box or abs(stack.pixel_size_a / self.pixel_size_a - 1.0) > 0.01:
            found = f"boxes of {stack.box} px at {stack.pixel_size_a:.4g} Å"
            msg = (
                f"{stack.source}: {found}; the model learnt from {self.box} px at "
                f"{self.pixel_size_a:.4g} Å: extract with the classification.json of the model"
            )
            raise EngineError(msg)
        missing = any(o.missing_for_ctf for o in stack.optics) or stack.defocus_a is None
        return PolarImages(
            stack=stack,
            grid=self.grid(),
            parameters=ClassificationParameters(
                mask_diameter_a=self.mask_diameter_a,
                resolution_limit_a=self.resolution_limit_a,
                until_first_peak=self.until_first_peak,
                correct_ctf=not missing,
                resident_mib=0,
            ),
            device=torch.device("cpu"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntReferences:
    """Averages as polar harmonics ``(K, R, H + 1)``, their noise ``(K, R)``, members ``(K,)``.

    ``good`` ``(K,)`` says which are of good classes; ``noise`` ``(R,)`` is the power of the images'
    noise. ``number`` ``(K,)`` is what the run called each class.
    """

    averages: NDArray[np.complex64]
    variance: NDArray[np.float32]
    members: NDArray[np.float32]
    good: NDArray[np.bool_]
    noise: NDArray[np.float32]
    number: NDArray[np.int64]

    def write(self, path: Path) -> None:
        """Write the averages as safetensors."""
        write_weights(
            path,
            {
                "real": self.averages.real.astype(np.float32),
                "imaginary": self.averages.imag.astype(np.float32),
                "variance": self.variance,
                "members": self.members,
                "good": self.good.astype(np.float32),
                "noise": self.noise,
                "number": self.number.astype(np.float32),
            },
        )

    @classmethod
    def read(cls, path: Path) -> LearntReferences:
        """Return what `write` wrote; raises `InputError` for anything else."""
        found: Weights = read_weights(path.read_bytes(), str(path))
        try:
            return cls(
                averages=(found["real"] + 1j * found["imaginary"]).astype(np.complex64),
                variance=found["variance"],
                members=found["members"],
                good=found["good"] > 0.5,
                noise=found["noise"],
                number=found["number"].astype(np.int64),
            )
        except (KeyError, ValueError) as error:
            msg = f"{path}: not the references of a learnt model ({error}); learn anew"
            raise EngineError(msg) from error

    def tensors(self) -> References:
        """Return the averages as the classifier's expectation takes them."""
        variance = torch.from_numpy(self.variance)
        return References(
            averages=torch.from_numpy(self.averages),
            variance=variance,
            members=torch.from_numpy(self.members),
            signal_power=torch.ones(variance.shape[1]),
        )


def learn_references(
    images: PolarImages,
    chosen: NDArray[np.bool_],
    number: NDArray[np.int64],
    averages: NDArray[np.float32],
    good: NDArray[np.bool_],
) -> LearntReferences:
    """Average the ``chosen`` particles of each class anew, aligned to the class's old average.

    ``number`` ``(n,)`` is each particle's class, counted from 0, negative for none; ``averages``
    ``(K, box, box)`` and ``good`` are of the run. Classes with too few chosen particles are left
    out; raises `EngineError` where no good class is left.
    """
    grid = images.grid
    members = np.array([int((chosen & (number == k)).sum()) for k in range(len(averages))])
    used = np.flatnonzero(members >= FEWEST_MEMBERS)
    if not good[used].any():
        msg = "no good class has particles enough to be averaged anew; learn from more data"
        raise EngineError(msg)
    with torch.inference_mode():
        power = ImagePower.nothing(len(images.stack.optics), grid)
        for batch in images.batches(np.flatnonzero(chosen & (number >= 0)), BATCH):
            power.add(batch)
        noise = power.mean_power().mean(dim=0)
        first = expected_signal(power)
        stage = Stage(
            rings=grid.compared,
            sharpness=1.0,
            flatness=1.0,
            shift_reach_px=REACH_PX,
            shift_step_px=STEP_PX,
            particles=len(images.stack),
            step=1.0,
            moves=False,
            reseeds=False,
        )
        found = [
            _averaged(images, np.flatnonzero(chosen & (number == k)), averages[k], noise, stage)
            for k in used
        ]
        noise_rows = noise[None].repeat(len(images.stack.optics), 1)
        signal = torch.stack(
            [shared_signal_power(sums, noise_rows, grid, first) for sums in found]
        ).mean(dim=0)
        made = [solved(sums, noise_rows, signal) for sums in found]
    return LearntReferences(
        averages=np.concatenate([m.averages.numpy() for m in made]).astype(np.complex64),
        variance=np.concatenate([m.variance.numpy() for m in made]).astype(np.float32),
        members=members[used].astype(np.float32),
        good=np.asarray(good[used], np.bool_),
        noise=noise.numpy().astype(np.float32),
        number=used.astype(np.int64) + 1,
    )


def _averaged(
    images: PolarImages,
    indices: NDArray[np.int64],
    average: NDArray[np.float32],
    noise: torch.Tensor,
    stage: Stage,
) -> Sums:
    """Return the sums over the particles of one class, aligned to its average."""
    grid = images.grid
    harmonics = grid.harmonics(grid.transform(torch.from_numpy(average)[None]))
    before = References(
        averages=harmonics,
        variance=torch.zeros(1, grid.rings),
        members=torch.ones(1),
        signal_power=torch.ones(grid.rings),
    )
    search = prepared_search(grid, before, stage)
    total = Accumulator.nothing(search, grid, len(images.stack.optics))
    for batch in images.batches(indices, BATCH):
        each = (1.0 / noise)[None].repeat(len(batch.indices), 1)
        total.add(batch, expected(batch, search, each), each, torch.ones(len(batch.indices)))
    return unshifted(total, grid)
