"""From coarse to fine: what each iteration of a classification looks at."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.engine.classification.parameters import ClassificationParameters

# Where the comparison starts: at 28 Å a particle of 200 Å shows its outline and little noise.
START_A = 28.0
START_DIAMETER_A = 200.0
# Share of the iterations over which the resolution grows, and after which whole passes begin.
GROWING = 0.6
SUBSETS = 0.6
# The likelihood starts sharper than its due. Averages of a few particles in random directions
# differ by little but noise, and at its due sharpness every particle then belongs a little to all
# of them, at every angle: the averages become one and the same round blob, a saddle point from
# which low-contrast data never leave. Decisiveness at the start breaks the symmetry.
START_SHARPNESS = 1.6
# Over this share of the iterations a class's size does not yet count for it (it starts by not
# counting at all), so that no class grows merely because it is already large.
FLAT = 0.8
FIRST_MOVE = 7
MOVES_EVERY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One iteration's settings.

    ``rings`` compared; ``sharpness``: factor on the log-likelihood; ``flatness``: 1 gives every
    class the same prior probability, 0 its share of the particles; shifts on a grid of
    ``shift_step_px`` up to ``shift_reach_px``; ``particles`` looked at; ``step``: weight of this
    iteration's sums against those before; ``moves``: whether particles take new centres after it;
    ``reseeds``: whether empty classes are given new particles after it.
    """

    rings: int
    sharpness: float
    flatness: float
    shift_reach_px: float
    shift_step_px: float
    particles: int
    step: float
    moves: bool
    reseeds: bool


def schedule(
    *,
    parameters: ClassificationParameters,
    particles: int,
    box_a: float,
    rings: int,
    pixel_size_a: float,
) -> tuple[Stage, ...]:
    """Return the stages of a run over ``particles`` images whose box is ``box_a`` Å wide.

    Large sets begin with random subsets (`subset_per_class`), whose sums are averaged over the
    iterations (stochastic EM, Cappé & Moulines 2009), growing to the whole set, which the last
    third of the iterations sees.
    """
    total = parameters.iterations
    start_a = START_A * max(1.0, parameters.mask_diameter_a / START_DIAMETER_A)
    first = max(3, min(rings, round(box_a / start_a)))
    wide_px = max(1.0, start_a / 4.0 / pixel_size_a)
    fine_px = max(1.0, 0.3 * box_a / rings / pixel_size_a)
    subset = min(particles, max(1000, parameters.subset_per_class * parameters.classes))
    stages = []
    for i in range(total):
        grown = min(1.0, i / (GROWING * total))
        searching = i <= FIRST_MOVE
        part = 1.0 if 0.8 * particles <= subset else min(1.0, i / (SUBSETS * total))
        seen = round(subset * (particles / subset) ** (part**3))
        stages.append(
            Stage(
                rings=min(rings, round(first + (rings - first) * grown)),
                sharpness=START_SHARPNESS + (1.0 - START_SHARPNESS) * grown,
                flatness=1.0 - min(1.0, i / (FLAT * total)),
                shift_reach_px=parameters.offset_range_px if searching else 2.0 * fine_px,
                shift_step_px=wide_px if searching else fine_px,
                particles=seen,
                step=1.0 if seen == particles or i < 3 else max(0.5, seen / particles),
                moves=i >= FIRST_MOVE
                and i % MOVES_EVERY == FIRST_MOVE % MOVES_EVERY
                and i + 1 < total,
                reseeds=i < FLAT * total and i + 1 < total,
            )
        )
    return tuple(stages)
