"""From picks to the settled parameters of extraction and 2D classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryoverdict.engine.classification_decision.box_sizes import friendly_from, is_friendly
from cryoverdict.engine.classification_decision.estimates import ESTIMATORS
from cryoverdict.engine.classification_decision.image_facts import facts_of_images
from cryoverdict.engine.classification_decision.pick_facts import PickFacts
from cryoverdict.engine.classification_run.symptoms import SYMPTOMS
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.parameter_decision import Estimate, ParameterDecision, SettledParameter
from cryoverdict.engine.parameter_flags import with_flags
from cryoverdict.engine.settling import settle_all
from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.rules.rule_set import RuleSet

if TYPE_CHECKING:
    from cryoverdict.engine.classification.particle_stack import ParticleStack
    from cryoverdict.engine.classification_trial.mask_trial import MaskTrial

BOXES = ("box_px", "binned_box_px")
# The estimates of a stage need only what the stages before it have settled.
STAGES = (
    ("box_px",),
    ("binned_box_px",),
    tuple(name for name in ESTIMATORS if name not in BOXES),
)
SHIFT_MARGIN = 1.3
NEEDED = ("diameter_a", "pixel_size_a")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationDecided:
    """A decision with the mask trial it rests on, ``None`` where none was made."""

    decision: ParameterDecision
    trial: MaskTrial | None = None


def decide_classification(
    found: PickFacts,
    rules: RuleSet,
    *,
    name: str,
    given: Mapping[str, float] | None = None,
    trial_particles: ParticleStack | None = None,
    threads: int = 1,
    seed: int = 0,
) -> ClassificationDecided:
    """Settle every parameter, each estimated from the facts and the parameters before it.

    ``name`` is how the decision calls the data set; ``given`` are values the user insists on.
    ``trial_particles`` are extracted particles on which mask diameters are tried. Raises
    `EngineError` for a given name that is no parameter.
    """
    facts: dict[str, Answer] = dict(found.facts)
    findings = list(found.findings)
    given = dict(given or {})
    estimates: dict[str, Estimate] = {}
    trial: MaskTrial | None = None
    if trial_particles is not None:
        facts |= facts_of_images(trial_particles, seed=seed)
        trial = _trial(facts, trial_particles, threads, seed)
        if trial is None:
            findings.append(
                "The particles given were too few, or their box too small, for a trial."
            )
        else:
            findings.append(trial.sentence)
            facts["trial_particle_count"] = float(trial.particles)
            facts["distinct_views_count"] = trial.views
            estimates |= trial_estimates(trial)
    reasons = [f"{fact} is unknown: {_why(facts, fact)}" for fact in NEEDED if _lacks(facts, fact)]
    decision = _settled(rules, name, facts, estimates, given, findings, reasons)
    asked = given.get("classes")
    settled = decision.outcome["classes"]
    count = facts.get("particle_count")
    if asked is None and settled is not None and isinstance(count, float) and count < 5000:
        findings.append(
            f"{count:.0f} particles are few: {settled:.0f} classes instead of the usual 50 or more."
        )
        decision = replace(decision, findings=tuple(findings))
    return ClassificationDecided(decision=with_flags(decision, CLASSIFICATION, rules), trial=trial)


def trial_estimates(trial: MaskTrial) -> dict[str, Estimate]:
    """Return what a mask trial says of mask and offsets."""
    return {
        "mask_diameter_a": Estimate(
            value=trial.chosen.mask_diameter_a,
            low=trial.low_a,
            high=trial.high_a,
            text=trial.sentence,
        ),
        "offset_range_a": Estimate(
            value=SHIFT_MARGIN * trial.shift_95_a,
            text=f"95 % of the trial's particles lay within {trial.shift_95_a:.1f} Å of their pick;"
            f" {SHIFT_MARGIN:g} times that.",
        ),
    }


def _trial(
    facts: Mapping[str, Answer], particles: ParticleStack, threads: int, seed: int
) -> MaskTrial | None:
    """Try masks on particles, where the diameter is known."""
    from cryoverdict.engine.classification_run.builtin import require_torch

    diameter = _value(facts.get("diameter_a"))
    if diameter is None:
        return None
    require_torch()
    from cryoverdict.engine.classification_trial.mask_trial import run_mask_trial

    limit = max(12.0 if diameter >= 150 else 9.0, 2.2 * particles.pixel_size_a)
    return run_mask_trial(
        particles, diameter_a=diameter, resolution_limit_a=limit, seed=seed, threads=threads
    )


def _settled(
    rules: RuleSet,
    name: str,
    facts: Mapping[str, Answer],
    trial: Mapping[str, Estimate],
    given: Mapping[str, float],
    findings: Sequence[str],
    reasons: Sequence[str],
) -> ParameterDecision:
    """Settle stage by stage: each estimate sees what stands before it."""
    estimates: dict[str, Estimate] = {}
    # Rules on a finished run have nothing to say before there is one.
    before = replace(rules, rules=tuple(r for r in rules.rules if not set(r.units) & set(SYMPTOMS)))

    def settle() -> ParameterDecision:
        """Return the decision with the estimates made so far."""
        return settle_all(
            CLASSIFICATION,
            before,
            subject=name,
            facts=facts,
            estimates=estimates,
            given=given,
            findings=findings,
            review_reasons=reasons,
        )

    numbers = {k: v for k, a in facts.items() if (v := _value(a)) is not None}
    outcome: dict[str, float | None] = {}
    for stage in STAGES:
        known = {**numbers, **{k: v for k, v in outcome.items() if v is not None}}
        for parameter in stage:
            said = trial.get(parameter) or ESTIMATORS[parameter](known)
            if said is not None:
                estimates[parameter] = said
        decision = settle()
        for parameter in (p for p in stage if p in BOXES and p not in given):
            larger = _friendly(decision, parameter)
            if larger is not None:
                estimates[parameter] = larger
                decision = settle()
        outcome = decision.outcome
    return replace(decision, digests={**decision.digests, "rules": rules.digest})


def _friendly(decision: ParameterDecision, name: str) -> Estimate | None:
    """Return a box that a rule has moved, moved on to a size that transforms are fast at."""
    settled: SettledParameter = next(p for p in decision.parameters if p.parameter.name == name)
    if settled.value is None or is_friendly(int(settled.value)):
        return None
    value = friendly_from(settled.value)
    text = f"{settled.value:.0f} px by the rules, up to the next size fast for Fourier transforms."
    return Estimate(value=float(value), text=text)


def _value(answer: Answer | None) -> float | None:
    """Return the number of an answer, ``None`` where it has none."""
    match answer:
        case None | Absent():
            return None
        case Given(value):
            return value
        case _:
            return float(answer)


def _lacks(facts: Mapping[str, Answer], name: str) -> bool:
    """Say whether a fact is unknown."""
    return _value(facts.get(name)) is None


def _why(facts: Mapping[str, Answer], name: str) -> str:
    """Return why a fact is unknown."""
    answer = facts.get(name)
    return answer.reason if isinstance(answer, Absent) else "not measured"
