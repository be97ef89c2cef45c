"""Settling extraction and classification: what facts lead to which numbers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cryoverdict.engine.classification_decision.box_sizes import (
    friendly_from,
    friendly_to,
    is_friendly,
)
from cryoverdict.engine.classification_decision.deciding import decide_classification
from cryoverdict.engine.classification_decision.pick_facts import PickFacts
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.rules.rule_loader import load_rules

RULES = load_rules("classification", features=CLASSIFICATION.units())
FACTS: Mapping[str, Answer] = {
    "particle_count": 40_000.0,
    "micrograph_count": 200.0,
    "diameter_a": 180.0,
    "pixel_size_a": 0.9,
    "micrograph_side_px": 3838.0,
    "defocus_median_a": 14_000.0,
    "defocus_max_a": 20_000.0,
    "ctf_resolution_a": 4.0,
    "wavelength_a": 0.0197,
    "contrast_sign": -1.0,
}


def decided(
    changed: Mapping[str, Answer] | None = None, given: Mapping[str, float] | None = None
) -> ParameterDecision:
    facts = {**FACTS, **(changed or {})}
    return decide_classification(PickFacts(facts=facts), RULES, name="picks", given=given).decision


def settler(decision: ParameterDecision, name: str) -> str:
    return next(p.settled_by for p in decision.parameters if p.parameter.name == name)


def test_friendly_sizes_are_even_and_of_small_primes() -> None:
    assert [n for n in range(60, 100) if is_friendly(n)] == [60, 64, 70, 72, 80, 84, 90, 96, 98]
    assert (friendly_from(301.0), friendly_from(300.2), friendly_from(300.0)) == (320, 320, 300)
    assert (friendly_to(299.9), friendly_to(300.0)) == (294, 300)


def test_a_usual_set_is_settled_whole_and_can_be_extracted() -> None:
    decision = decided()
    found = decision.outcome
    assert None not in found.values()
    assert not decision.review
    assert found["box_px"] == 300  # 1.5 x 180 Å at 0.9 Å; the CTF asks for 180 + 79 Å, less
    assert found["binned_box_px"] == 80
    assert found["binned_pixel_size_a"] == pytest.approx(300 * 0.9 / 80)
    assert found["background_radius_px"] == 30
    assert found["classes"] == 200
    assert found["mask_diameter_a"] == pytest.approx(198.0)
    assert found["resolution_limit_a"] == 12.0
    assert found["duplicate_distance_a"] == pytest.approx(54.0)
    assert (found["invert_contrast"], found["until_first_peak"]) == (1, 0)
    ExtractionSettings.from_settings(ParameterFile.of(decision).parameters)


@pytest.mark.parametrize("diameter_a", [60.0, 97.0, 180.0, 260.0, 420.0])
@pytest.mark.parametrize("pixel_size_a", [0.5, 0.83, 1.77, 3.54, 4.4])
def test_boxes_are_even_fast_and_hold_the_particle(diameter_a: float, pixel_size_a: float) -> None:
    found = decided({"diameter_a": diameter_a, "pixel_size_a": pixel_size_a}).outcome
    box, binned, pixel = (
        found[n] or 0.0 for n in ("box_px", "binned_box_px", "binned_pixel_size_a")
    )
    assert is_friendly(int(box))
    assert is_friendly(int(binned))
    assert box * pixel_size_a >= 1.5 * diameter_a
    assert binned <= box
    assert pixel == pytest.approx(box * pixel_size_a / binned)
    if pixel_size_a < 3.0:
        assert 3.0 <= pixel <= 4.0
    mask = found["mask_diameter_a"] or 0.0
    assert diameter_a <= mask < box * pixel_size_a


def test_far_defocus_asks_for_a_larger_box() -> None:
    far = decided({"defocus_max_a": 45_000.0, "micrograph_side_px": 8000.0})
    spread_a = 2 * 0.0197 * 45_000 / 10
    assert far.outcome["box_px"] == friendly_from((180 + spread_a) / 0.9)
    unknown = decided({"defocus_max_a": Absent("no defocus is known"), "extent_a": 200.0})
    assert unknown.outcome["box_px"] == 300
    box = next(p for p in unknown.parameters if p.parameter.name == "box_px")
    assert box.could_not_say == ("classification-box-delocalised",)


def test_mask_and_box_hold_the_longest_view() -> None:
    long = decided({"extent_a": 250.0})
    assert long.outcome["mask_diameter_a"] == 250.0
    assert long.outcome["box_px"] == friendly_from(1.2 * 250.0 / 0.9)
    assert decided({"extent_a": 390.0}).outcome["mask_diameter_a"] == 270.0


def test_few_particles_make_few_classes_and_say_so() -> None:
    decision = decided({"particle_count": 1_250.0})
    assert decision.outcome["classes"] == 12
    assert any("1250 particles are few: 12 classes" in text for text in decision.findings)
    assert decided({"particle_count": 8_000.0}).outcome["classes"] == 50
    assert decided({"particle_count": 20_000.0}).outcome["classes"] == 100
    assert decided({"particle_count": 60.0}).outcome["classes"] == 2


def test_many_views_ask_for_more_classes() -> None:
    many = decided({"particle_count": 12_000.0, "distinct_views_count": 30.0})
    assert many.outcome["classes"] == 90
    assert (
        decided({"particle_count": 12_000.0, "distinct_views_count": 5.0}).outcome["classes"] == 60
    )


def test_small_particles_are_compared_finer_and_pixels_set_the_end() -> None:
    assert decided({"diameter_a": 100.0}).outcome["resolution_limit_a"] == 9.0
    coarse = decided({"pixel_size_a": 6.0})
    assert coarse.outcome["resolution_limit_a"] == pytest.approx(13.2)
    assert settler(coarse, "resolution_limit_a") == "rule"
    poor = decided({"ctf_resolution_a": 14.0})
    assert poor.outcome["resolution_limit_a"] == 14.0


def test_light_particles_are_not_inverted() -> None:
    found = decided({"contrast_sign": 1.0}).outcome
    assert (found["invert_contrast"], found["until_first_peak"]) == (0, 1)


def test_what_images_show_sets_plane_and_dust() -> None:
    assert (decided().outcome["fit_plane"], decided().outcome["dust_sigma"]) == (0, 0)
    found = decided({"ground_slope": 0.9, "dust_share": 0.05}).outcome
    assert (found["fit_plane"], found["dust_sigma"]) == (1, 5)


def test_given_values_are_followed_and_contradictions_are_told() -> None:
    decision = decided(given={"classes": 300.0, "box_px": 200.0})
    found = decision.outcome
    assert (found["classes"], found["box_px"]) == (300, 200)
    assert found["binned_pixel_size_a"] == pytest.approx(
        200 * 0.9 / (found["binned_box_px"] or 0.0)
    )
    assert decision.review
    told = " ".join(decision.review_reasons)
    assert "the given 300 is against classification-classes-most: 200" in told
    assert "the given 200 is against classification-box-wide: 300" in told


def test_without_a_pixel_size_nothing_is_guessed() -> None:
    decision = decided({"pixel_size_a": Absent("the pixel size is unknown")})
    assert decision.outcome["box_px"] is not None or decision.review
    assert decision.outcome["binned_pixel_size_a"] is None
    assert "pixel_size_a is unknown: the pixel size is unknown" in decision.review_reasons


def test_large_sets_see_random_parts_first() -> None:
    assert decided({"particle_count": 400_000.0}).outcome["iterations"] == 40
    assert decided({"particle_count": 900_000.0}).outcome["float16"] == 1
