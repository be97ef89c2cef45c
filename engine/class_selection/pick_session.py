"""What is drawn for a simulated data set of picks: particle, scale, noise, junk, classification."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cryoverdict.engine.class_selection.random_shape import random_shape
from cryoverdict.engine.simulation.particle import BeadModel

PARTICLE = "particle"
JUNK_KINDS = (
    "empty",
    "ice",
    "edge",
    "neighbours",
    "off_centre",
    "contamination",
    "aggregate",
    "broken",
    "denatured",
)
KINDS = (PARTICLE, *JUNK_KINDS)
# How often each kind of junk is the main one of a session, from what LoG pickers fire on.
JUNK_WEIGHTS = (1.2, 0.8, 0.8, 1.5, 1.0, 0.8, 1.2, 1.0, 2.0)
# From particles that an eye just misses to those that stand out in a picture of their own.
CONTRASTS = (0.2, 3.0)
BOXES_PX = (40, 64)
# So often the CTF in the list is that of another micrograph, as after a failed fit.
WRONG_CTF, CTF_ERROR_A = 0.08, 8000.0
# Data sets of these seeds and above are lessons of the image network: many and small, since it
# needs many shapes, and none that a judge learns from or is judged by.
FIRST_LESSON = 1_000_000
LESSON_PICKS, LESSON_ITERATIONS, FEWEST_CLASSES = 300, 10, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PickSession:
    """What is drawn once for a simulated data set of picks.

    ``contrast`` is the ratio of the variances of projection and noise within the particle's
    radius; ``ctf_error_a`` the deviation of the listed defocus from the true one; ``crowding`` the
    chance that a neighbour reaches into a particle's box; ``preference``
    how uneven the views are (see `random_rotations`); ``junk`` the share of each junk kind.
    """

    seed: int
    species: tuple[BeadModel, ...]
    count: int
    box: int
    pixel_size_a: float
    mask_diameter_a: float
    contrast: float
    crowding: float
    preference: float
    shift_sigma_px: float
    defocus_a: tuple[float, float]
    ctf_error_a: float
    junk: tuple[float, ...]
    classes: int
    iterations: int
    prior_strength: float
    resolution_limit_a: float

    @property
    def diameter_a(self) -> float:
        """Greatest extent of the particles."""
        return max(model.diameter_a for model in self.species)


def random_session(seed: int) -> PickSession:
    """Draw a data set: particle, scale, noise, junk and how it is to be classified.

    A lesson has fewer picks, in classes of as many as elsewhere.
    """
    rng = np.random.default_rng((seed, 610))
    species = tuple(random_shape(rng) for _ in range(2 if rng.random() < 0.12 else 1))
    diameter = max(m.diameter_a for m in species)
    field = diameter * float(rng.uniform(1.35, 2.1))
    box = int(np.clip(8 * round(field / float(rng.uniform(2.5, 5.5)) / 8), *BOXES_PX))
    pixel = field / box
    mask = diameter * float(rng.uniform(1.02, 1.3) if rng.random() > 0.1 else 0.85)
    count = int(rng.integers(500, 1301))
    low = float(rng.uniform(5000.0, 15000.0))
    junk_share = float(rng.beta(2.0, 2.2)) * 0.85
    kinds = rng.dirichlet(0.7 * np.array(JUNK_WEIGHTS))
    session = PickSession(
        seed=seed,
        species=species,
        count=count,
        box=box,
        pixel_size_a=pixel,
        mask_diameter_a=min(mask, 0.94 * box * pixel),
        contrast=float(np.exp(rng.uniform(*np.log(CONTRASTS)))),
        crowding=float(rng.uniform(0.0, 0.5)),
        preference=float(rng.uniform(0.0, 0.9)),
        shift_sigma_px=float(rng.uniform(0.5, 2.5)) * box / 64,
        defocus_a=(low, low + float(rng.uniform(5000.0, 15000.0))),
        ctf_error_a=CTF_ERROR_A if rng.random() < WRONG_CTF else 0.0,
        junk=tuple(float(junk_share * k) for k in kinds),
        classes=int(np.clip(count / rng.uniform(35.0, 100.0), 6, 18)),
        iterations=int(rng.integers(15, 21)),
        prior_strength=float(rng.choice([0.5, 1.0, 1.0, 2.0, 4.0])),
        resolution_limit_a=max(float(rng.uniform(8.0, 14.0)), 2.2 * pixel),
    )
    if seed < FIRST_LESSON:
        return session
    return replace(
        session,
        count=LESSON_PICKS,
        classes=max(FEWEST_CLASSES, round(session.classes * LESSON_PICKS / count)),
        iterations=LESSON_ITERATIONS,
    )
