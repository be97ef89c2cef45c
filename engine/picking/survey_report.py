"""A finished survey as facts, estimates and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.parameter_decision import Estimate
from cryoverdict.engine.picking.class_diameter import ClassSizes
from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_survey import FACTS, PickingSurvey
from cryoverdict.engine.picking.radial_template import radial_template
from cryoverdict.engine.picking.score_threshold import Scored
from cryoverdict.engine.picking.second_size import SecondSize
from cryoverdict.engine.picking.size_search import Size, SizeCurve, profile_of
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.features.feature import Absent, Answer, Given

_Double = NDArray[np.float64]

HISTOGRAM_STEP = 0.25
# A score this many robust deviations above the median of the picks is no particle's.
CEILING = 6.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surveyed:
    """What the steps of a survey gave, ready to be reported.

    ``second`` is the second size, or why none is told.
    """

    images: tuple[PickingImage, ...]
    given_diameter_a: float | None
    classes: ClassSizes | None
    curve: SizeCurve
    size: Size | None
    sizes: tuple[Size, ...]
    second: SecondSize | str
    spread: _Double
    parameters: PickingParameters
    templates: Templates | None
    scored: Scored
    rate: float
    faults: tuple[str, ...]

    @property
    def threshold(self) -> float:
        """The score threshold: the best within the rate, else one that chance hardly reaches."""
        found = self.scored.seen.threshold(self.rate)
        if np.isfinite(found):
            return found
        null = np.sort(np.concatenate(self.scored.null_scores))[::-1]
        at = len(self.images) // 2
        return float(null[at]) if len(null) > at else 5.0

    @property
    def above(self) -> _Double:
        """The scores at or above the threshold, falling."""
        scores = self.scored.seen.scores
        return scores[scores >= self.threshold]

    @property
    def counts(self) -> _Double:
        """Picks of each micrograph at the threshold."""
        return np.array([float((s >= self.threshold).sum()) for s in self.scored.scores])

    @property
    def particle_evidence(self) -> float:
        """Picks beyond chance, in deviations of chance."""
        count = len(self.above)
        null = float(self.scored.seen.null[count - 1]) if count else 0.0
        return float((count - null) / (null + 1.0) ** 0.5)


def survey_report(
    done: Surveyed, findings: tuple[str, ...], review_reasons: tuple[str, ...]
) -> PickingSurvey:
    """Return the survey with its facts, estimates and curves."""
    return PickingSurvey(
        facts=_facts(done),
        estimates=_estimates(done),
        findings=findings,
        review_reasons=review_reasons,
        curves=_curves(done),
        subjects=tuple(i.subject for i in done.images),
        templates=done.templates,
    )


def _facts(done: Surveyed) -> Mapping[str, Answer]:
    """Return an answer for each fact a survey gives."""
    images, size, classes = done.images, done.size, done.classes
    focus = [abs(i.ctf.mean_defocus_a) * 1e-4 for i in images if i.ctf is not None]
    nothing = Absent("nothing was found whose size could be measured")
    few = Absent("too few micrographs for a bootstrap")
    no_classes = Absent("there are no class averages yet")
    no_ctf = Absent("no CTF is known")
    low, high = _interval(done.spread)
    count = len(done.above)
    area_a2 = sum(float(i.usable.sum()) * i.pixel_size_a**2 for i in images)
    covered = count * np.pi * (0.5 * done.parameters.diameter_a) ** 2 / max(area_a2, 1.0)
    seen = done.scored.seen
    facts: dict[str, Answer] = {
        "micrographs_surveyed": float(len(images)),
        "given_diameter_a": (
            Absent("none was given")
            if done.given_diameter_a is None
            else Given(done.given_diameter_a)
        ),
        "measured_diameter_a": nothing if size is None else size.diameter_a,
        "measured_diameter_low_a": few if low is None else low,
        "measured_diameter_high_a": few if high is None else high,
        "measured_extent_a": nothing if size is None else size.body.extent_a,
        "class_diameter_a": no_classes if classes is None else classes.diameter_a,
        "class_diameter_max_a": no_classes if classes is None else classes.longest_a,
        "class_cut_share": no_classes if classes is None else classes.cut_share,
        "second_diameter_a": (
            Absent(done.second) if isinstance(done.second, str) else done.second.diameter_a
        ),
        "second_diameter_share": (
            Absent(done.second) if isinstance(done.second, str) else done.second.share
        ),
        "mean_pixel_size_a": float(np.mean([i.pixel_size_a / _step(i) for i in images])),
        "smallest_field_a": float(
            min(min(i.full_shape) * i.pixel_size_a / _step(i) for i in images)
        ),
        "median_defocus_um": float(np.median(focus)) if focus else no_ctf,
        "largest_defocus_um": float(np.max(focus)) if focus else no_ctf,
        "ctf_known_fraction": len(focus) / len(images),
        "usable_fraction": float(np.mean([i.usable.mean() for i in images])),
        "expected_per_micrograph": float(np.median(done.counts)),
        "crowding_ratio": float(covered),
        "separation": float(np.median(done.above) - _null_level(done)) if count else 0.0,
        "null_share": float(seen.rate[count - 1]) if count else 1.0,
        "particle_evidence": done.particle_evidence,
    }
    assert set(facts) == {name for name, _, _ in FACTS}
    return facts


def _null_level(done: Surveyed) -> float:
    """Return the score that one chance find a micrograph reaches."""
    null = np.sort(np.concatenate(done.scored.null_scores))[::-1]
    return float(null[min(len(done.images), len(null)) - 1]) if len(null) else 0.0


def _step(image: PickingImage) -> float:
    """Return how many full-size pixels a picking pixel is wide."""
    return float((image.step[0] * image.step[1]) ** 0.5)


def _interval(spread: _Double) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a bootstrap, none of an empty one."""
    if not len(spread):
        return None, None
    low, high = np.percentile(spread, [2.5, 97.5])
    return float(low), float(high)


def _estimates(done: Surveyed) -> dict[str, Estimate]:
    """Return what the statistics say of each parameter they can speak of."""
    p = done.parameters
    low, high = _interval(done.spread)
    said: dict[str, Estimate] = {}
    if done.classes is not None:
        seen = "Disc with the mean area of the good class averages, weighted by their particles."
        if p.diameter_a > done.classes.diameter_a:
            seen = (
                f"Measured in the micrographs: {done.classes.cut_share:.0%} of the good particles "
                f"are in class averages that their mask cuts, to {done.classes.diameter_a:.0f} Å."
            )
        said["diameter_a"] = Estimate(
            value=p.diameter_a,
            low=done.classes.smallest_a,
            high=max(done.classes.largest_a, p.diameter_a),
            text=seen,
        )
        said["extent_a"] = Estimate(
            value=done.classes.longest_a, text="Longest view among the good class averages."
        )
    elif done.size is not None:
        said["diameter_a"] = Estimate(
            value=p.diameter_a,
            low=low,
            high=high,
            text=(
                f"Mean form factor of {done.size.made.count} places in "
                f"{len(done.size.made.searches)} micrographs, fitted by a round body; interval "
                "from micrographs drawn with replacement."
            ),
        )
        said["extent_a"] = Estimate(
            value=done.size.body.extent_a,
            text="Where the soft rim of the round body has fallen to two deviations.",
        )
    votes = sum((i.file_contrast >= 0.0) == (p.contrast_sign < 0.0) for i in done.images)
    said["contrast_sign"] = Estimate(
        value=p.contrast_sign,
        text=f"{votes} of {len(done.images)} micrographs have this contrast.",
    )
    count = len(done.above)
    expected = float(done.scored.seen.rate[count - 1]) if count else 1.0
    said["score_threshold"] = Estimate(
        value=done.threshold,
        text=(
            f"Best expected F, a miss counting twice a false pick, with at most {done.rate:.0%} "
            f"chance: {count} places in {len(done.images)} micrographs, of which chance explains "
            f"{expected:.0%}."
        ),
    )
    said["score_ceiling"] = Estimate(
        value=_ceiling(done), text="Six robust deviations above the median score of the picks."
    )
    return said


def _ceiling(done: Surveyed) -> float:
    """Return the score above which no particle of this data set is expected."""
    above = done.above
    if len(above) < 20:
        return max(30.0, 3.0 * done.threshold)
    middle, upper = np.percentile(above, [50.0, 84.0])
    return float(max(middle + CEILING * max(upper - middle, 0.5), 2.0 * done.threshold))


def _curves(done: Surveyed) -> dict[str, _Double]:
    """Return what the page draws."""
    scores = done.scored.seen.scores
    null = np.concatenate(done.scored.null_scores)
    top = float(max(scores.max(initial=3.0), null.max(initial=3.0)))
    edges = np.arange(2.0, min(top, 40.0) + 2.0 * HISTOGRAM_STEP, HISTOGRAM_STEP)
    curves = {
        "diameters_a": done.curve.diameters_a,
        "size_evidence": done.curve.evidence,
        "size_evidence_light": done.curve.light_evidence,
        "bootstrap_diameters_a": done.spread,
        "score_edges": edges,
        "score_counts": np.histogram(np.minimum(scores, edges[-1]), edges)[0].astype(float),
        "null_counts": np.histogram(np.minimum(null, edges[-1]), edges)[0].astype(float),
        "fdr_scores": scores[:: max(1, len(scores) // 400)],
        "fdr": done.scored.seen.rate[:: max(1, len(scores) // 400)],
        "expected_f1": done.scored.seen.expected_f1[:: max(1, len(scores) // 400)],
        "per_micrograph": done.counts,
        "confirmed_diameters_a": np.array([s.diameter_a for s in done.sizes]),
        "confirmed_evidence": np.array([s.made.evidence for s in done.sizes]),
    }
    if done.size is not None:
        shape = radial_template(profile_of(done.size.body), done.size.diameter_a)
        image = shape.images[0].astype(np.float64)
        middle = image.shape[0] // 2
        curves |= {
            "average": image,
            "average_pixel_size_a": np.array([shape.pixel_size_a]),
            "profile": image[middle, middle:],
            "profile_radius_a": np.arange(image.shape[0] - middle) * shape.pixel_size_a,
        }
    return curves
