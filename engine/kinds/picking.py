"""How the micrographs of a data set are picked."""

from __future__ import annotations

from cryoverdict.engine.parameter_kind import Fact, Parameter, ParameterKind
from cryoverdict.engine.picking.picking_survey import FACTS

PICKING = ParameterKind(
    id="picking",
    facts=tuple(Fact(name=name, unit=unit, meaning=meaning) for name, unit, meaning in FACTS),
    parameters=(
        Parameter(
            name="diameter_a",
            unit="A",
            meaning="Particle diameter: of the ball, or of the disc, that is as large.",
        ),
        Parameter(name="diameter_min_a", unit="A", meaning="Smallest diameter looked for."),
        Parameter(name="diameter_max_a", unit="A", meaning="Largest diameter looked for."),
        Parameter(
            name="extent_a",
            unit="A",
            meaning="Longest extent of the particle: what mask and box must hold.",
        ),
        Parameter(
            name="contrast_sign",
            unit="1",
            meaning="−1 for dark particles on light ground, 1 for light ones on dark.",
            whole=True,
        ),
        Parameter(name="lowpass_a", unit="A", meaning="Finest detail that picking uses."),
        Parameter(
            name="picking_pixel_size_a", unit="A", meaning="Pixel size that picking works at."
        ),
        Parameter(name="spacing_a", unit="A", meaning="Least distance of two picks."),
        Parameter(
            name="edge_margin_a", unit="A", meaning="Least distance of a pick from the border."
        ),
        Parameter(
            name="false_discovery_rate",
            unit="1",
            meaning="Fraction of the picks that may be false, before 2D classification cleans.",
        ),
        Parameter(
            name="score_threshold", unit="1", meaning="Lowest score of a pick, in null deviations."
        ),
        Parameter(
            name="score_ceiling",
            unit="1",
            meaning="Highest score of a pick; beyond it lies ice or contamination.",
        ),
        Parameter(
            name="most_per_micrograph",
            unit="1",
            meaning="Most picks taken from one micrograph, best first.",
            whole=True,
        ),
        Parameter(
            name="trial_particles",
            unit="1",
            meaning="Particles that round one classifies before the parameters are settled.",
            whole=True,
        ),
    ),
)
