"""Which size the particles have: trials over sizes, each led to the size it confirms itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.learned_shape import learned_body
from cryoverdict.engine.picking.mean_shape import Body
from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.reference import Profile, ladder
from cryoverdict.engine.picking.sample import FEWEST, sample_for
from cryoverdict.engine.picking.trial import WINDOW, Trial, trial

SMALLEST_A, LARGEST_A = 55.0, 700.0
# Pixels across the smallest particle that can be told from noise.
LEAST_PIXELS = 8.0
# The largest particle fits this often into the shorter side.
FEWEST_ACROSS = 3.0
STEP = 1.19
# Shells and balls: what is hollow is not found by a ball.
SHELL = 0.65
ROUNDS = 5
# Sizes (in logarithm) that are the same, and those so far apart that they do not confirm each
# other: noise at the finest sampling looks for ever smaller things.
SETTLED, ASTRAY = 0.03, 0.22
BEST_STARTS = 4
SPREAD_TO_A, SPREAD_STEP = 330.0, 1.6
# Of two sizes, the smaller may be a part of the larger: it is found this much more often, and not
# more surely.
PARTS, AS_SURE = 1.8, 0.97
LARGER, STILL = 1.3, 0.1
# Sizes that explain this share of the most, within this ratio, are as likely; those nearer than
# this (in logarithm) are the same.
AS_LIKELY, OCTAVE, SAME = 0.5, 1.6, 0.08
# Parts are gathered in the whole; pairs and chance are larger, too, but leave single ones outside.
GATHERED = 0.6
GIVEN_RANGE = 1.4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizeCurve:
    """Evidence of dark and of light things over sizes."""

    diameters_a: NDArray[np.float64]
    evidence: NDArray[np.float64]
    light_evidence: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Size:
    """A size that confirms itself: searched with the body, the finds have that body again."""

    body: Body
    made: Trial

    @property
    def diameter_a(self) -> float:
        """The diameter of the body."""
        return self.body.diameter_a


def profile_of(body: Body) -> Profile:
    """Return a body as what is looked for."""
    return Profile(
        diameter_a=body.outer_a, inside=body.inside, rim=body.rim, focus_a2=body.focus_a2
    )


def sizes_looked_for(images: Sequence[PickingImage]) -> tuple[float, ...]:
    """Return the sizes that these images can show."""
    finest = max(i.full_shape[0] and i.pixel_size_a / max(i.step) for i in images)
    shortest = min(min(i.pixels.shape) * i.pixel_size_a for i in images)
    low = max(SMALLEST_A, LEAST_PIXELS * finest)
    return ladder(low, max(low * STEP, min(LARGEST_A, shortest / FEWEST_ACROSS)), STEP)


def scanned(
    images: Sequence[PickingImage], seed: int
) -> tuple[SizeCurve, tuple[tuple[float, float], ...]]:
    """Return the evidence over sizes, and starts (diameter, hollow) worth following."""
    diameters = sizes_looked_for(images)
    dark, light = np.zeros(len(diameters)), np.zeros(len(diameters))
    starts: list[tuple[float, float, float]] = []
    for inside in (0.0, SHELL):
        curve, sure = [], []
        for number, diameter in enumerate(diameters):
            asked = sample_for(images, diameter)
            made = trial(
                asked, (Profile(diameter_a=diameter, inside=inside),), diameter, seed, rounds=1
            )
            curve.append(made.evidence)
            sure.append(made.typical_score)
            dark[number] = max(dark[number], made.evidence)
            if inside == 0.0:
                light[number] = made.light_evidence
        for values in (curve, sure):
            starts.extend(
                (curve[top], diameters[top], inside) for top in _tops(values) if curve[top] > 0.0
            )
    best = sorted(set(starts), key=lambda s: (-s[0], s[1], s[2]))[:BEST_STARTS]
    # A weak particle's size is no top of the curve; a start near it finds it all the same.
    spread = ladder(diameters[0] * STEP, min(SPREAD_TO_A, diameters[-1]), SPREAD_STEP)
    found = SizeCurve(diameters_a=np.array(diameters), evidence=dark, light_evidence=light)
    return found, (*((d, i) for _, d, i in best), *((d, 0.0) for d in spread))


def _tops(values: Sequence[float]) -> list[int]:
    """Return where a curve is not below its neighbours, the ends included."""
    padded = [-np.inf, *values, -np.inf]
    return [
        i - 1
        for i in range(1, len(padded) - 1)
        if padded[i] >= padded[i - 1] and padded[i] >= padded[i + 1]
    ]


def confirmed(
    images: Sequence[PickingImage],
    start: Profile,
    diameter_a: float,
    seed: int,
    rounds: int = ROUNDS,
    fewest: int = FEWEST,
) -> Size | None:
    """Return the size to which a start leads, or ``None`` where it leads to none.

    That is where nothing is found any more, or the finds in the end have another size than was
    looked for. ``diameter_a`` is the size that the profile ``start`` stands for; ``fewest`` images
    or more are asked.
    """
    low, high = sizes_looked_for(images)[0] * 0.8, sizes_looked_for(images)[-1] * 1.1
    reference, size, change = start, diameter_a, 0.0
    reached: Size | None = None
    for _ in range(rounds):
        made = trial(sample_for(images, size, fewest), (reference,), size, seed)
        body = learned_body(made)
        if body is None:
            return None
        reached = Size(body=body, made=made)
        change = float(abs(np.log(body.diameter_a / size)))
        size, reference = float(np.clip(body.diameter_a, low, high)), profile_of(body)
        if change < SETTLED:
            break
    return reached if change < ASTRAY else None


def best_size(
    images: Sequence[PickingImage], sizes: Sequence[Size], given_a: float | None, seed: int
) -> Size:
    """Return the size that explains most; a larger one if the best is only a part of it.

    With a given diameter, those near it go first where there are any.
    """
    if given_a is not None:
        near = [s for s in sizes if given_a / GIVEN_RANGE <= s.diameter_a <= given_a * GIVEN_RANGE]
        sizes = near or sizes
    best = max(sizes, key=_most_evidence)
    while wholes := [other for other in sizes if _is_whole_of(images, best, other, seed)]:
        best = max(wholes, key=_most_evidence)
    return best


def _most_evidence(size: Size) -> tuple[float, float]:
    """Return by what sizes are ranked: evidence, then how often they are found beyond chance."""
    return size.made.evidence, size.made.often * (1.0 - size.made.rate)


def _is_whole_of(images: Sequence[PickingImage], part: Size, other: Size, seed: int) -> bool:
    """Return whether another size is the whole of which a size is a part."""
    larger = other.diameter_a > LARGER * part.diameter_a
    still = other.made.evidence >= STILL * part.made.evidence
    parts = part.made.often > PARTS * other.made.often
    sure = other.made.typical_score >= AS_SURE * part.made.typical_score
    if not (larger and parts and sure and still):
        return False
    return gathered(images, part, other, seed) > GATHERED


def middle_size(
    images: Sequence[PickingImage], sizes: Sequence[Size], best: Size, seed: int
) -> Size:
    """Return the middle of the sizes that explain nearly as much as the best, itself if alone.

    Particles that are weak, or stand in a crowd, are found by filters of many sizes, and each
    finds mostly views of its own size: the truth lies between.
    """
    near = [
        size
        for size in sizes
        if size.made.evidence >= AS_LIKELY * best.made.evidence
        and abs(np.log(size.diameter_a / best.diameter_a)) < np.log(OCTAVE)
    ]
    likely: list[Size] = []
    for size in sorted(near, key=lambda s: (-s.made.evidence, s.diameter_a)):
        if all(abs(np.log(size.diameter_a / one.diameter_a)) > SAME for one in likely):
            likely.append(size)
    if len(likely) == 1 or best.made.evidence <= 0.0:
        return best
    logs = np.log([size.diameter_a for size in likely])
    middle = float(np.exp(np.average(logs, weights=[size.made.evidence for size in likely])))
    nearest = likely[int(np.argmin(np.abs(logs - np.log(middle))))]
    body = nearest.body.scaled(middle / nearest.diameter_a)
    asked = sample_for(images, middle)
    return Size(body=body, made=trial(asked, (profile_of(body),), middle, seed))


def gathered(images: Sequence[PickingImage], small: Size, large: Size, seed: int) -> float:
    """Return how much the places of a small size are gathered in those of a large one.

    0 is what places laid out by chance would give, 1 where all lie inside. Of the small places
    counted are those that chance does not explain: it lays its finds anywhere.
    """
    from scipy.spatial import KDTree

    made = trial(
        sample_for(images, large.made.diameter_a),
        small.made.references,
        small.diameter_a,
        seed,
        window_a=WINDOW * large.made.diameter_a,
    )
    inside = total = 0
    for one, some, other, others in zip(
        made.searches, made.finds, large.made.searches, large.made.finds, strict=True
    ):
        total += len(some)
        if not len(others) or not len(some):
            continue
        ratio = one.detector.field.image.pixel_size_a / other.detector.field.image.pixel_size_a
        places = np.stack((some.y, some.x), axis=1) * ratio
        reach_px = 0.5 * large.diameter_a / other.detector.field.image.pixel_size_a
        away, _ = KDTree(np.stack((others.y, others.x), axis=1)).query(places)
        inside += int(np.count_nonzero(away < reach_px))
    share = inside / max(total * (1.0 - made.rate), 1.0)
    covered = large.made.count * np.pi * (0.5 * large.diameter_a) ** 2 / large.made.usable_a2
    return (share - covered) / (1.0 - covered) if covered < 1.0 else 0.0
