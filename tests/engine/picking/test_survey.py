"""What a survey says of painted micrographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.picking.pick_micrograph import pick_micrograph
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import FACTS, PickingSurvey
from cryoverdict.engine.picking.survey import spread_over, survey
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_run.deciding import decide_picking
from cryoverdict.features.feature import Absent
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.rules.rule_loader import load_rules
from tests.engine.picking.painted import DIAMETER_A, PIXEL_A, lattice, painted, write_micrograph

PLACES = lattice(side=240)


def _subjects(folder: Path) -> list[PickingMicrograph]:
    """Return three micrographs of dark balls, as files."""
    subjects = []
    for seed in range(3):
        path = folder / f"m{seed}.mrc"
        write_micrograph(path, -painted(PLACES, side=240, seed=seed).pixels, PIXEL_A)
        subjects.append(PickingMicrograph(micrograph=Micrograph(subject=path.name, path=path)))
    return subjects


@pytest.fixture(scope="module")
def surveyed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[PickingMicrograph], PickingSurvey]:
    subjects = _subjects(tmp_path_factory.mktemp("survey"))
    return subjects, survey(subjects)


def test_a_survey_answers_every_fact_and_measures_the_balls(
    surveyed: tuple[list[PickingMicrograph], PickingSurvey],
) -> None:
    _, found = surveyed
    assert set(found.facts) == {name for name, _, _ in FACTS}
    assert found.facts["measured_diameter_a"] == pytest.approx(DIAMETER_A, rel=0.1)
    assert isinstance(found.facts["given_diameter_a"], Absent)
    assert isinstance(found.facts["second_diameter_a"], Absent)
    assert found.estimates["contrast_sign"].value == -1.0
    assert found.facts["expected_per_micrograph"] == pytest.approx(len(PLACES), rel=0.12)
    low, high = (found.facts[f"measured_diameter_{k}_a"] for k in ("low", "high"))
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low <= found.estimates["diameter_a"].value <= high


def test_what_is_decided_from_it_picks_the_balls(
    surveyed: tuple[list[PickingMicrograph], PickingSurvey],
) -> None:
    subjects, _ = surveyed
    decided = decide_picking(
        subjects, load_rules(PICKING.id, features=PICKING.units()), name="balls"
    )
    parameters = PickingParameters.from_settings(decided.decision.outcome)
    picks = pick_micrograph(subjects[0], parameters, decided.survey.templates)
    assert len(picks) == pytest.approx(len(PLACES), rel=0.06)
    assert decided.decision.outcome["extent_a"] == pytest.approx(DIAMETER_A, rel=0.35)


def test_a_given_diameter_far_off_is_shown_beside_the_measured_one(
    surveyed: tuple[list[PickingMicrograph], PickingSurvey],
) -> None:
    subjects, _ = surveyed
    found = survey(subjects[:1], given_diameter_a=300.0)
    assert any("given diameter is 300" in reason for reason in found.review_reasons)


@pytest.mark.parametrize("diameter", [0.01, 1e6, float("nan")])
def test_a_given_diameter_that_no_micrograph_can_show_is_refused(
    surveyed: tuple[list[PickingMicrograph], PickingSurvey], diameter: float
) -> None:
    subjects, _ = surveyed
    with pytest.raises(InputError, match="; accepted is 18 to 1440 Å in these micrographs"):
        survey(subjects[:1], given_diameter_a=diameter)


def test_micrographs_are_spread_over_defocus() -> None:
    subjects = [
        PickingMicrograph(
            micrograph=Micrograph(
                subject=str(i),
                path=Path(f"{i}.mrc"),
                given_ctf=GivenCtf(
                    defocus_u_a=float((7 * i) % 10), defocus_v_a=0.0, defocus_angle_deg=0.0
                ),
            )
        )
        for i in range(10)
    ]
    chosen = spread_over(subjects, 4)
    focus = [s.micrograph.given_ctf.defocus_u_a for s in chosen if s.micrograph.given_ctf]
    assert focus == [0.0, 3.0, 6.0, 9.0]


def test_what_cannot_be_surveyed_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "flat.mrc"
    write_micrograph(path, np.zeros((64, 64), np.float32), 5.0)
    subject = PickingMicrograph(micrograph=Micrograph(subject="flat.mrc", path=path))
    with pytest.raises(InputError, match=r"first fault: .*flat\.mrc"):
        survey([subject])


def test_averages_that_their_mask_cuts_do_not_shrink_the_particle(
    surveyed: tuple[list[PickingMicrograph], PickingSurvey],
) -> None:
    subjects, first = surveyed
    side, pixel_a = 32, 6.0
    y, x = np.mgrid[:side, :side] - side // 2
    away = np.hypot(y, x)
    ball = np.sqrt(np.maximum(1.0 - (away * pixel_a / (0.5 * DIAMETER_A)) ** 2, 0.0))
    noise = 0.02 * np.random.default_rng(2).standard_normal((side, side))
    soft = np.clip((8.0 - away) / 5.0, 0.0, 1.0)  # a mask of 96 Å round a ball of 120 Å
    for mask, low, high in ((soft, 0.9, 1.12), (np.ones_like(soft), 0.9, 1.1)):
        averages = Templates(
            images=((ball + noise) * mask).astype(np.float32)[None],
            pixel_size_a=pixel_a,
            weights=np.ones(1),
        )
        found = survey(subjects, class_averages=averages)
        cut = found.facts["class_cut_share"]
        assert cut == (1.0 if mask is soft else 0.0)
        diameter = found.estimates["diameter_a"]
        assert low * DIAMETER_A < diameter.value < high * DIAMETER_A
        assert ("their mask cuts" in diameter.text) is (mask is soft)
        assert found.estimates["extent_a"].value == found.facts["class_diameter_max_a"]
    assert isinstance(first.facts["class_cut_share"], Absent)
