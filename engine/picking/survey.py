"""Asking the accepted micrographs how they should be picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.parallel import each
from cryoverdict.engine.picking.class_diameter import ClassSizes, class_sizes, class_templates
from cryoverdict.engine.picking.picking_image import PickingImage, read_picking_image
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.radial_template import radial_template
from cryoverdict.engine.picking.reference import Profile
from cryoverdict.engine.picking.sample import sample_for
from cryoverdict.engine.picking.score_threshold import Scored, scored
from cryoverdict.engine.picking.second_size import second_size
from cryoverdict.engine.picking.size_bootstrap import bootstrap_diameters
from cryoverdict.engine.picking.size_search import (
    Size,
    SizeCurve,
    best_size,
    confirmed,
    middle_size,
    profile_of,
    scanned,
)
from cryoverdict.engine.picking.survey_findings import survey_findings
from cryoverdict.engine.picking.survey_report import Surveyed, survey_report
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking.trial import SURE_RATE
from cryoverdict.features.input_error import InputError

_Double = NDArray[np.float64]

SURVEY_PIXEL_A = 5.0
MOST_SURVEYED = 24
# The size found, and what to look for, are asked of so many.
FOLLOWED = 8
BOOTSTRAPS = 400
# A smaller disc is a point at this sampling.
LEAST_DIAMETER_PX = 3.0
USUAL_RATE = 0.25
# With more of the particles in averages that the mask has cut, their size is a lower bound.
CUT = 0.2


def survey(
    subjects: Sequence[PickingMicrograph],
    *,
    given_diameter_a: float | None = None,
    class_averages: Templates | None = None,
    false_discovery_rate: float = USUAL_RATE,
    threads: int = 1,
    seed: int = 0,
) -> PickingSurvey:
    """Return what the micrographs say of how to pick.

    At most 24 micrographs, spread over the list, are read. ``class_averages`` are the good class
    averages of round one: they then tell the diameter and become the templates.
    The given diameter, and that of the averages, must be one that the micrographs can show.
    ``false_discovery_rate`` bounds the share of chance among the picks; the threshold is the one
    with the best expected F within it. Raises `InputError` where no micrograph can be used.
    """
    chosen = spread_over(subjects, MOST_SURVEYED)
    images, faults = _images(chosen, threads)
    sign = _contrast_sign(images)
    if sign > 0.0:
        images, faults = _images(chosen, threads, sign)
    classes = None if class_averages is None else class_sizes(class_averages)
    if given_diameter_a is not None:
        _check_diameter("the given diameter", given_diameter_a, images)
    if classes is not None:
        _check_diameter("the diameter of the class averages", classes.diameter_a, images)
    curve, sizes, size = _sizes(images, given_diameter_a, classes, seed)
    second = (
        second_size(sample_for(images, size.diameter_a), size, seed)
        if size is not None
        else "no first size confirms itself"
    )
    diameter = _diameter(size, given_diameter_a, classes)
    spread = bootstrap_diameters(size, BOOTSTRAPS, seed) if size is not None else np.zeros(0)
    parameters = starting_parameters(
        diameter, sign, images, None if isinstance(second, str) else second.diameter_a
    )
    templates: Templates | None = None
    if class_averages is not None and classes is not None:
        templates = class_templates(class_averages)
        result = scored(images, parameters, templates, seed)
    else:
        templates, result = _best_reference(images, parameters, size, seed)
    done = Surveyed(
        images=tuple(images),
        given_diameter_a=given_diameter_a,
        classes=classes,
        curve=curve,
        size=size,
        sizes=tuple(sizes),
        second=second,
        spread=spread,
        parameters=parameters,
        templates=templates,
        scored=result,
        rate=false_discovery_rate,
        faults=tuple(faults),
    )
    return survey_report(done, *survey_findings(done))


def spread_over(subjects: Sequence[PickingMicrograph], most: int) -> tuple[PickingMicrograph, ...]:
    """Return at most ``most`` micrographs, evenly over their defocus where it is known."""
    if len(subjects) <= most:
        return tuple(subjects)
    ctfs = [s.micrograph.given_ctf for s in subjects]
    order = list(range(len(subjects)))
    if all(c is not None for c in ctfs):
        order.sort(key=lambda i: (ctfs[i].defocus_u_a + ctfs[i].defocus_v_a, i))  # type: ignore[union-attr]
    at = np.unique(np.rint(np.linspace(0, len(order) - 1, most)).astype(int))
    return tuple(subjects[order[i]] for i in at)


def _read(task: tuple[PickingMicrograph, float]) -> PickingImage | str:
    """Read one micrograph in a worker; a fault becomes its message."""
    try:
        return read_picking_image(task[0], SURVEY_PIXEL_A, sign=task[1])
    except (InputError, OSError) as error:
        return str(error)


def _images(
    subjects: Sequence[PickingMicrograph], threads: int, sign: float = -1.0
) -> tuple[list[PickingImage], list[str]]:
    """Return the picking images that could be read, and the faults of the others."""
    images, faults = [], []
    for got in each(_read, [(s, sign) for s in subjects], threads=min(threads, len(subjects))):
        if isinstance(got, str):
            faults.append(got)
        elif got.usable.mean() > 0.05:
            images.append(got)
        else:
            faults.append(f"{got.subject}: hardly any of it is usable")
    if not images:
        msg = f"no micrograph can be surveyed for picking; the first fault: {_first(faults)}"
        raise InputError(msg)
    return images, faults


def _check_diameter(which: str, diameter_a: float, images: Sequence[PickingImage]) -> None:
    """Raise `InputError` for a diameter that no picture of these can show."""
    low = LEAST_DIAMETER_PX * max(i.pixel_size_a for i in images)
    high = min(min(i.pixels.shape) * i.pixel_size_a for i in images)
    if not low <= diameter_a <= high:
        msg = (
            f"{which} is {diameter_a:g} Å; accepted is {low:.0f} to {high:.0f} Å in "
            "these micrographs"
        )
        raise InputError(msg)


def _first(faults: Sequence[str]) -> str:
    """Return the first fault, or that there was nothing to look at."""
    return faults[0] if faults else "the list is empty"


def _contrast_sign(images: Sequence[PickingImage]) -> float:
    """Return −1 where particles are dark in the files, +1 where light, by most micrographs."""
    return -1.0 if float(np.median([i.file_contrast for i in images])) >= 0.0 else 1.0


def _sizes(
    images: Sequence[PickingImage],
    given_a: float | None,
    classes: ClassSizes | None,
    seed: int,
) -> tuple[SizeCurve, list[Size], Size | None]:
    """Return the evidence over sizes, the sizes that confirm themselves, and the best of them."""
    curve, starts = scanned(images, seed)
    known = [d for d in (given_a, None if classes is None else classes.diameter_a) if d is not None]
    starts = (*((d, 0.0) for d in known), *starts)
    reached = [confirmed(images, Profile(diameter_a=d, inside=i), d, seed) for d, i in starts]
    sizes = [size for size in reached if size is not None]
    if not sizes:
        return curve, sizes, None
    best = middle_size(images, sizes, best_size(images, sizes, given_a, seed), seed)
    if len(sample_for(images, best.diameter_a, FOLLOWED)) == len(best.made.searches):
        return curve, sizes, best
    # More micrographs are asked once: led on, a weak particle's size would go astray.
    more = confirmed(
        images, profile_of(best.body), best.diameter_a, seed, rounds=1, fewest=FOLLOWED
    )
    return curve, sizes, more or best


def _diameter(size: Size | None, given_a: float | None, classes: ClassSizes | None) -> float:
    """Return the diameter to go on with: of the classes, else measured, else given, else usual.

    Averages that their mask has cut show only that the particle is no smaller: a size measured in
    the micrographs, which knows no mask, may then be the larger one.
    """
    if classes is not None and size is not None and classes.cut_share > CUT:
        return max(classes.diameter_a, size.diameter_a)
    if classes is not None:
        return classes.diameter_a
    if size is not None:
        return size.diameter_a
    return given_a if given_a is not None else 150.0


def starting_parameters(
    diameter_a: float,
    sign: float,
    images: Sequence[PickingImage],
    second_a: float | None = None,
) -> PickingParameters:
    """Return parameters for a diameter, or for two, the threshold left open."""
    finest = max(i.pixel_size_a / max(i.step) for i in images)
    low, high = 0.86 * diameter_a, 1.15 * diameter_a
    if second_a is not None:
        low, high = min(low, 0.8 * second_a), max(high, 1.2 * second_a)
    return PickingParameters(
        diameter_a=diameter_a,
        diameter_min_a=low,
        diameter_max_a=high,
        contrast_sign=sign,
        lowpass_a=max(2.0 * finest, min(40.0, diameter_a / 6.0)),
        picking_pixel_size_a=max(finest, SURVEY_PIXEL_A, diameter_a / 18.0),
        spacing_a=0.72 * diameter_a,
        edge_margin_a=0.1 * diameter_a,
        false_discovery_rate=USUAL_RATE,
        score_threshold=0.0,
        score_ceiling=float("inf"),
        most_per_micrograph=100_000,
        trial_particles=5000,
    )


def _best_reference(
    images: Sequence[PickingImage],
    parameters: PickingParameters,
    size: Size | None,
    seed: int,
) -> tuple[Templates | None, Scored]:
    """Return the round template that finds more than soft balls, or none, and the scores."""
    few = sample_for(images, parameters.diameter_a, FOLLOWED)
    candidates: list[Templates | None] = [None]
    if size is not None:
        candidates.append(radial_template(profile_of(size.body), size.diameter_a))
    found = [scored(few, parameters, c, seed) for c in candidates]
    counts = [_true_finds(s) for s in found]
    best = int(np.argmax(counts))
    chosen = candidates[best]
    whole = found[best] if len(few) == len(images) else scored(images, parameters, chosen, seed)
    return chosen, whole


def _true_finds(result: Scored) -> float:
    """Return how many finds chance does not explain, of those of which few are chance."""
    seen = result.seen
    good = seen.rate <= SURE_RATE
    if not good.any():
        return 0.0
    last = int(np.flatnonzero(good)[-1])
    return float(last + 1 - seen.null[last])
