"""From the settled parameters to what the classifier is asked to do on these particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.engine_error import EngineError

# Fewer particles than this in a mean class are too few for an average of them.
FEWEST_A_CLASS = 10
DEFAULT_OFFSET_PX = 5.0
RESIDENT_MIB = 1536


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What is asked of a classifier, and what had to be changed so that it can be done."""

    parameters: ClassificationParameters
    notes: tuple[str, ...] = ()


def run_settings(
    values: Mapping[str, float], stack: ParticleStack, *, resident_mib: int | None = None
) -> RunSettings:
    """Return the settings for a stack; ``values`` are those of ``classification.json``.

    Too few particles for the classes asked: fewer classes, and a note. A particle without a CTF is
    classified without one, and a note. Raises `EngineError` where the mask diameter is missing or
    a number is one that no classification can use.
    """
    notes: list[str] = []
    if "mask_diameter_a" not in values:
        msg = "the classification parameters lack mask_diameter_a; decide them anew or add it"
        raise EngineError(msg)
    decided = values.get("binned_pixel_size_a")
    if decided is not None and abs(decided / stack.pixel_size_a - 1.0) > 0.01:
        notes.append(
            f"the particles have pixels of {stack.pixel_size_a:g} Å, the parameters were settled"
            f" for {decided:.4g} Å; lengths in Å are kept"
        )
    classes = round(values.get("classes", 50))
    most = max(1, len(stack) // FEWEST_A_CLASS)
    if classes > most:
        notes.append(
            f"{len(stack)} particles are too few for {classes} classes of {FEWEST_A_CLASS}:"
            f" {most} are made"
        )
        classes = most
    missing = sorted({n for o in stack.optics for n in o.missing_for_ctf})
    correct = stack.defocus_a is not None and not missing
    if not correct:
        unknown = ", ".join(missing) or "defocus"
        notes.append(f"classified without CTF correction: {unknown} unknown")
    offset = values.get("offset_range_a")
    farthest = stack.box / 4.0
    return RunSettings(
        parameters=ClassificationParameters(
            classes=classes,
            mask_diameter_a=values["mask_diameter_a"],
            resolution_limit_a=values.get("resolution_limit_a", 12.0),
            iterations=round(values.get("iterations", 25)),
            offset_range_px=min(
                farthest, DEFAULT_OFFSET_PX if offset is None else offset / stack.pixel_size_a
            ),
            prior_strength=values.get("prior_strength", 1.0),
            correct_ctf=correct,
            until_first_peak=round(values.get("until_first_peak", 0)) == 1,
            subset_per_class=round(values.get("subset_per_class", 200)),
            resident_mib=RESIDENT_MIB if resident_mib is None else resident_mib,
        ),
        notes=tuple(notes),
    )
