"""The shipped picking rules against the picker: the survey scores with what the rules settle."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.parameter_decision import Estimate
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.survey import USUAL_RATE, starting_parameters
from cryoverdict.engine.settling import settle_all
from cryoverdict.rules.rule_loader import load_rules

RULES = load_rules("picking", features=PICKING.units())
SAME = (
    "diameter_min_a",
    "diameter_max_a",
    "lowpass_a",
    "picking_pixel_size_a",
    "spacing_a",
    "edge_margin_a",
    "false_discovery_rate",
)


def outcome(
    diameter_a: float | None,
    said: Mapping[str, Estimate] | None = None,
    pixel_size_a: float = 1.0,
    **facts: float,
) -> dict[str, Any]:
    """Return what the rules settle for a data set with a measured diameter, or with none."""
    estimates = {
        **(said or {}),
        "score_threshold": Estimate(value=4.0, text="Measured."),
        "score_ceiling": Estimate(value=15.0, text="Measured."),
    }
    if diameter_a is not None:
        estimates["diameter_a"] = Estimate(value=diameter_a, text="Measured.")
    known = {"mean_pixel_size_a": pixel_size_a, "smallest_field_a": 4096 * pixel_size_a}
    made = settle_all(PICKING, RULES, subject="x", facts={**known, **facts}, estimates=estimates)
    assert not made.review, made.review_reasons
    return dict(made.outcome)


@pytest.mark.parametrize("pixel_size_a", [0.7, 1.5, 4.0])
@pytest.mark.parametrize("diameter_a", [60.0, 90.0, 150.0, 300.0, 600.0])
def test_the_survey_scores_with_what_the_rules_settle(
    diameter_a: float, pixel_size_a: float
) -> None:
    # A threshold holds for the spacing, the sampling and the sizes it was found with.
    image: Any = SimpleNamespace(pixel_size_a=pixel_size_a, step=(1.0, 1.0))
    scored = starting_parameters(diameter_a, -1.0, [image])
    settled = outcome(diameter_a, pixel_size_a=pixel_size_a)
    assert scored.false_discovery_rate == USUAL_RATE
    assert {n: settled[n] for n in SAME} == pytest.approx({n: getattr(scored, n) for n in SAME})


def test_the_extent_is_the_longest_view_within_what_one_particle_can_be() -> None:
    said = {"extent_a": Estimate(value=210.0, text="Longest view.")}
    assert outcome(150.0, said)["extent_a"] == 210.0
    assert outcome(100.0, said)["extent_a"] == 200.0
    assert outcome(220.0, said)["extent_a"] == 220.0
    assert outcome(150.0)["extent_a"] == pytest.approx(187.5)
    # The mask cut the averages: what was seen is a lower bound, and the extent grows.
    cut = outcome(150.0, said, class_cut_share=0.5, class_diameter_max_a=210.0)
    assert cut["extent_a"] == pytest.approx(262.5)


def test_every_parameter_is_settled_even_where_no_size_confirms_itself() -> None:
    parameters = PickingParameters.from_settings(outcome(None))
    assert parameters.diameter_a == 150.0
    assert parameters.contrast_sign == -1.0
    assert parameters.most_per_micrograph == 2877


def test_where_nothing_is_there_only_the_plain_is_taken() -> None:
    assert outcome(150.0, particle_evidence=20.0)["score_threshold"] == 4.0
    assert outcome(150.0, particle_evidence=3.0)["score_threshold"] == 6.0


@pytest.mark.parametrize("second_a", [100.0, 340.0])
def test_the_survey_scores_with_both_sizes(second_a: float) -> None:
    image: Any = SimpleNamespace(pixel_size_a=1.0, step=(1.0, 1.0))
    scored = starting_parameters(200.0, -1.0, [image], second_a)
    settled = outcome(200.0, second_diameter_a=second_a, second_diameter_share=0.3)
    # The sampling follows from the smallest size in the rules, from the first in the survey.
    for name in ("diameter_min_a", "diameter_max_a", "spacing_a"):
        assert settled[name] == pytest.approx(getattr(scored, name))


def test_two_sizes_are_both_looked_for_and_get_a_larger_first_round() -> None:
    both = outcome(200.0, second_diameter_a=100.0, second_diameter_share=0.3)
    assert (both["diameter_min_a"], both["diameter_max_a"]) == pytest.approx((80.0, 230.0))
    assert both["trial_particles"] == 6000.0
    large = outcome(100.0, second_diameter_a=200.0, second_diameter_share=0.3)
    assert (large["diameter_min_a"], large["diameter_max_a"]) == pytest.approx((86.0, 240.0))
    assert large["extent_a"] == pytest.approx(200.0)
    few = outcome(200.0, second_diameter_a=100.0, second_diameter_share=0.05)
    assert few["diameter_min_a"] == pytest.approx(172.0)
