"""Reference-free 2D classification by expectation-maximisation over polar Fourier rings.

Particles are sorted into K classes, turned and centred at once, without references. Each
iteration compares every particle with every class average at every turn and near shift, and makes
new averages from all particles, each entering with its probability (maximum a posteriori
expectation-maximisation: Sigworth 1998, Scheres 2012). `schedule` says how the iterations go from
coarse to fine, `polar` why rotations cost nothing, `seeding` how classes begin and are refilled,
`references` how averages are regularised, `run` why no particle meets an average that it is in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import (
    WATCH_EVERY,
    Classification,
    IterationReport,
)
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.polar import polar_grid
from cryoverdict.engine.classification.polar_images import PolarImages
from cryoverdict.engine.classification.run import Run
from cryoverdict.engine.classification.schedule import FIRST_MOVE, Stage, schedule
from cryoverdict.engine.engine_error import EngineError

Progress = Callable[[IterationReport], None]
# Is given a report and the averages of that moment ``(K, box, box)``, largest share first.
Watch = Callable[[IterationReport, NDArray[np.float32]], None]


def classify(
    stack: ParticleStack,
    parameters: ClassificationParameters,
    *,
    seed: int = 0,
    device: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Classification:
    """Return the classes of a stack of particles.

    The same seed, parameters and particles give the same result, with any number of ``threads`` (up
    to `lanes.MOST_LANES` are used, besides torch's own). ``device`` is torch's name for one
    (``"cuda"``); by default a GPU where torch sees one, else the CPU. ``progress`` is called after
    each iteration, ``watch`` with the averages every `WATCH_EVERY`. Raises `EngineError` for fewer
    particles than classes or optics without a CTF, `InputError` for images that cannot be read.
    """
    if len(stack) < 2 * parameters.classes:
        most = len(stack) // 2
        found = f"{stack.source}: {len(stack)} particles for {parameters.classes} classes"
        msg = f"{found}; accepted are at most {most} classes: ask for fewer"
        raise EngineError(msg)
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with torch.inference_mode():
        images = _prepared(stack, parameters, chosen)
        stages = _stages(images)
        run, tried = _best_start(images, stages, seed, threads, progress)
        for number, stage in enumerate(stages[tried:], start=tried + 1):
            report = run.iterate(number, stage)
            if progress is not None:
                progress(report)
            if watch is not None and number % WATCH_EVERY == 0 and number < len(stages):
                watch(report, run.present_averages())
        return run.finish()


def _best_start(
    images: PolarImages,
    stages: tuple[Stage, ...],
    seed: int,
    threads: int,
    progress: Progress | None,
) -> tuple[Run, int]:
    """Return the most promising of several beginnings, and how many iterations it has done.

    Expectation-maximisation finds the nearest optimum, and which one that is is decided early: the
    evidence after a few iterations orders the beginnings as that at the end does. Particles are
    not moved in these, so that all beginnings share the prepared images. Short runs have one.
    """
    starts = images.parameters.starts if len(stages) >= 2 * FIRST_MOVE else 1
    tried = FIRST_MOVE if starts > 1 else 0
    best: Run | None = None
    for start in range(starts):
        run = Run.begin(images, stages, np.random.default_rng((seed, start)), start + 1)
        run.threads = threads
        for number, stage in enumerate(stages[:tried], start=1):
            report = run.iterate(number, stage)
            if progress is not None:
                progress(report)
        if best is None or run.evidence > best.evidence:
            best = run
    assert best is not None
    return best, tried


def _prepared(
    stack: ParticleStack, parameters: ClassificationParameters, device: torch.device
) -> PolarImages:
    """Return the stack's particles on the polar grid that the parameters ask for."""
    grid = polar_grid(
        box=stack.box,
        pixel_size_a=stack.pixel_size_a,
        mask_diameter_a=parameters.mask_diameter_a,
        resolution_limit_a=parameters.resolution_limit_a,
        mask_edge_px=parameters.mask_edge_px,
        device=device,
    )
    return PolarImages(stack=stack, grid=grid, parameters=parameters, device=device)


def _stages(images: PolarImages) -> tuple[Stage, ...]:
    """Return the iterations' settings."""
    return schedule(
        parameters=images.parameters,
        particles=len(images.stack),
        box_a=images.stack.box * images.stack.pixel_size_a,
        rings=images.grid.compared,
        pixel_size_a=images.stack.pixel_size_a,
    )
