"""What a finished 2D classification shows when its averages are held against the particles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification_run.class_run import ClassRun
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.star import parse_number


def image_symptoms(
    run: ClassRun, stack: ParticleStack, parameters: ClassificationParameters, claimed: Answer
) -> Mapping[str, Answer]:
    """Return the facts that need the particles; ``claimed`` is the averages' resolution in Å."""
    return {
        "held_back_ratio": _held_back(run, stack, parameters, claimed),
        "ctf_resolution_a": _ctf_resolution_a(stack),
    }


def _held_back(
    run: ClassRun, stack: ParticleStack, parameters: ClassificationParameters, claimed: Answer
) -> Answer:
    """Return whether detail that had no say in placing the particles comes out of them."""
    if not isinstance(claimed, float):
        return Absent("no class has a resolution")
    try:
        from cryoverdict.engine.classification.held_back import held_back_agreement
    except ImportError:
        return Absent("PyTorch is not installed")
    found = held_back_agreement(
        stack,
        parameters,
        averages=run.averages,
        share=run.share,
        centres_px=np.rint(-run.origin_a / run.pixel_size_a).astype(np.int64),
        claimed_a=claimed,
    )
    return (
        Absent("the averages show too little detail to hold any back") if found is None else found
    )


def _ctf_resolution_a(stack: ParticleStack) -> Answer:
    """Return the median resolution of the CTF fits of the particles' micrographs."""
    column = stack.particles.column("rlnCtfMaxResolution")
    if column is None:
        return Absent("the particles do not say how far their CTF fits go")
    known = [value for value in map(parse_number, column) if value is not None]
    return float(np.median(known)) if known else Absent("no CTF fit says how far it goes")
