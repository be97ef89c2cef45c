"""The state of a classification, and what one iteration makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.classification.batching import batch_size, random_part
from cryoverdict.engine.classification.classification import Classification, IterationReport
from cryoverdict.engine.classification.expectation import Search, expected, prepared_search
from cryoverdict.engine.classification.findings import Findings
from cryoverdict.engine.classification.lanes import each_lane, laid_out, lane_count
from cryoverdict.engine.classification.maximisation import (
    Accumulator,
    cross_power,
    summed,
    unshifted,
)
from cryoverdict.engine.classification.noise import ImagePower, expected_signal, updated_noise
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.polar import PolarGrid
from cryoverdict.engine.classification.polar_images import PolarImages
from cryoverdict.engine.classification.references import (
    References,
    Sums,
    shared_signal_power,
    solved,
)
from cryoverdict.engine.classification.resolution import (
    CORRELATION_THRESHOLD,
    class_measures,
    crossing_a,
    ring_correlations,
)
from cryoverdict.engine.classification.schedule import Stage
from cryoverdict.engine.classification.seeding import Assigned, image_power, refilled, seeds

# Particles have one noise level until averages can tell signal from noise.
FIRST_NORM = 4
# Of at least so many lanes one may be left out of the averages that it is compared with.
LEAST_LANES = 4
FARTHEST_PX = 0.125  # of the box: no particle's centre is sought farther away


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of a classification between iterations.

    ``lanes``: each lane's part in ``sums``, none where those are of several passes.
    """

    stack: ParticleStack
    parameters: ClassificationParameters
    start: int
    rng: np.random.Generator
    grid: PolarGrid
    images: PolarImages
    stages: tuple[Stage, ...]
    first_power: torch.Tensor
    noise: torch.Tensor
    sums: Sums
    references: References
    particles: Findings
    power: ImagePower
    lanes: list[Sums] = field(default_factory=list)
    threads: int = 1
    history: list[IterationReport] = field(default_factory=list)

    @classmethod
    def begin(
        cls, images: PolarImages, stages: tuple[Stage, ...], rng: np.random.Generator, start: int
    ) -> Run:
        """Make the first averages."""
        count, classes = len(images.stack), images.parameters.classes
        looked_at = random_part(count, stages[0].particles, rng)
        power = image_power(images, looked_at, 256)
        noise = power.mean_power()
        first_power = expected_signal(power)
        sums = seeds(images, noise, classes, rng)
        return cls(
            stack=images.stack,
            parameters=images.parameters,
            start=start,
            rng=rng,
            grid=images.grid,
            images=images,
            stages=stages,
            first_power=first_power,
            noise=noise,
            sums=sums,
            references=solved(sums, noise, first_power),
            particles=Findings.unseen(count, classes),
            power=power,
        )

    @property
    def evidence(self) -> float:
        """Log-probability of a particle under the present averages, the mean of those last seen."""
        last = self.history[-1] if self.history else None
        return -np.inf if last is None else last.log_evidence / last.particles

    def iterate(self, number: int, stage: Stage) -> IterationReport:
        """Do one iteration: expectation, maximisation, new noise, refilled classes, new centres."""
        indices = random_part(len(self.stack), stage.particles, self.rng)
        before = self.particles.number[indices].copy()
        lanes = self._expect(indices, stage, number)
        fresh = summed(lanes)
        cross = cross_power(fresh, self.references.averages, self.grid)
        self.noise = updated_noise(
            power=self.power,
            cross=cross,
            ctf2=fresh.ctf2.sum(dim=0),
            old=self.noise,
            averages=self.grid.power(self.references.averages),
            rings=stage.rings,
        )
        scaled = fresh.scaled(len(self.stack) / len(indices))
        self.sums = scaled.blended(self.sums if number > 1 else None, stage.step)
        correlations = ring_correlations(self.sums, self.grid)
        members = self.sums.total_members.clone()
        new: list[int] = []
        if stage.reseeds:
            assigned = Assigned(number=self.particles.number, turn_rad=self.particles.turn_rad)
            new = refilled(self.sums, assigned, self.images, self.noise, self.rng)
        alone = len(indices) == len(self.stack) and stage.step >= 1.0
        self.lanes = [lane.emptied(new) for lane in lanes] if alone else []
        self._solve()
        if stage.moves:
            self._move()
        self.history.append(
            self._report(number, stage, members, correlations, before, indices, len(new))
        )
        return self.history[-1]

    def _norms(self, number: int) -> torch.Tensor:
        """Return the noise level of particles relative to their groups', a mean of 1 kept."""
        norms = self.particles.norm
        if number <= FIRST_NORM or not self.parameters.norm_correction:
            norms = np.ones_like(norms)
        return torch.from_numpy(norms / norms.mean()).to(self.images.device)

    def search_without(self, lane: int, stage: Stage) -> Search:
        """Return what the particles of a lane are compared with: averages that they are not in.

        Its own noise makes a particle fit an average that it is part of, the better the fewer they
        are: classes of few would hold theirs for ever, and noise would keep the shape it was once
        given.
        """
        rest = self.sums.without(self.lanes[lane], lane % 2)
        references = solved(rest, self.noise, self.references.signal_power)
        return prepared_search(self.grid, references, stage)

    def _expect(self, indices: NDArray[np.int64], stage: Stage, number: int) -> list[Sums]:
        """Return the sums over the particles ``indices``, lane by lane."""
        groups, device = len(self.stack.optics), self.images.device
        inverse, norms = 1.0 / self.noise, self._norms(number)
        common = prepared_search(self.grid, self.references, stage)
        lanes = lane_count(Accumulator.bytes(common, self.grid), device)
        if lanes < LEAST_LANES or lanes != len(self.lanes):  # particles lie in other lanes now
            self.lanes = []
        blocks = laid_out(indices, lanes)
        size = batch_size(common, self.images)
        self.images.make_ready(self.threads)

        def work(lane: int) -> tuple[Sums, ImagePower]:
            """Compare and sum the particles of one lane."""
            search = self.search_without(lane, stage) if self.lanes else common
            accumulator = Accumulator.nothing(search, self.grid, groups)
            power = ImagePower.nothing(groups, self.grid)
            for block in blocks[lane]:
                for batch in self.images.batches(block, size):
                    norm = norms[torch.from_numpy(batch.indices).to(device)]
                    inverse_noise = inverse[batch.group] / norm[:, None]
                    posterior = expected(batch, search, inverse_noise)
                    accumulator.add(batch, posterior, inverse_noise, norm)
                    self.particles.take(batch.indices, posterior)
                    power.add(batch, norm)
            return unshifted(accumulator, self.grid), power

        done = each_lane(work, lanes, self.threads, device)
        self.power = ImagePower.joined([power for _, power in done])
        return [sums for sums, _ in done]

    def _solve(self) -> None:
        """Make new averages from the sums."""
        signal = shared_signal_power(self.sums, self.noise, self.grid, self.first_power)
        strength = self.parameters.prior_strength
        self.references = solved(self.sums, self.noise, strength * signal)

    def _move(self) -> None:
        """Give the particles new centres, to whole pixels; shifts are then small again."""
        farthest = int(FARTHEST_PX * self.stack.box)
        found = np.rint(self.particles.shift_px).astype(np.int64)
        centres = np.clip(self.images.centres_px + found, -farthest, farthest)
        self.particles.shift_px -= centres - self.images.centres_px
        self.images.move(centres)

    def _report(
        self,
        number: int,
        stage: Stage,
        members: torch.Tensor,
        correlations: torch.Tensor,
        before: NDArray[np.int64],
        indices: NDArray[np.int64],
        count: int,
    ) -> IterationReport:
        """Return what happened in this iteration."""
        frequencies = self.grid.frequencies.cpu().numpy()
        alive = (members > 0.1 * members.mean()).cpu().numpy()
        curves = correlations.cpu().numpy()[alive]
        found = [crossing_a(curve, frequencies, CORRELATION_THRESHOLD) for curve in curves]
        known = [value for value in found if value is not None]
        seen = before >= 0
        now = self.particles.number[indices]
        return IterationReport(
            start=self.start,
            number=number,
            total=len(self.stages),
            alive=int(alive.sum()),
            compared_a=float(1.0 / frequencies[stage.rings - 1]),
            resolution_a=float(np.median(known)) if known else None,
            top=float(self.particles.top[indices].mean()),
            log_evidence=float(self.particles.log_evidence[indices].astype(np.float64).sum()),
            changed=float((before != now)[seen].mean()) if seen.any() else None,
            refilled=count,
            particles=len(indices),
        )

    def present_averages(self) -> NDArray[np.float32]:
        """Return the averages as they are now ``(K, box, box)``, the largest class first."""
        order = torch.argsort(self.references.members, descending=True, stable=True)
        return np.asarray(self.grid.image(self.references.averages[order]).cpu().numpy())

    def finish(self) -> Classification:
        """Return the outcome of the last iteration."""
        largest = int(self.power.count.argmax())
        measures = class_measures(
            sums=self.sums,
            references=self.references,
            noise=self.noise[largest],
            mean_ctf2=self.power.mean_ctf2()[largest],
            grid=self.grid,
        )
        found = self.particles
        return Classification(
            number=found.number.astype(np.int32),
            probability=found.probability,
            turn_deg=np.degrees(found.turn_rad),
            shift_px=found.shift_px + self.images.centres_px.astype(np.float32),
            top=found.top,
            log_evidence=found.log_evidence,
            significant=found.significant,
            averages=self.grid.image(self.references.averages).cpu().numpy(),
            classes=measures,
            noise=self.noise.cpu().numpy(),
            frequencies=self.grid.frequencies.cpu().numpy(),
            box=self.grid.box,
            pixel_size_a=self.grid.pixel_size_a,
            mask_share=self.grid.mask_share,
            history=tuple(self.history),
        )
