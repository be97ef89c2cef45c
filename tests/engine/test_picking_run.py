"""The picking step: what is kept and reused, what agrees, what a second look says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.engine.adapters.outside_picker import OutsidePicker, PickingOrder
from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.kinds.micrograph_yield import MICROGRAPH_YIELD
from cryoverdict.engine.kinds.picking import PICKING
from cryoverdict.engine.parameter_decision import Estimate
from cryoverdict.engine.parameter_flags import with_flags
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.engine.picking_files.coordinate_star import write_coordinates
from cryoverdict.engine.picking_files.pick_table import read_pick_table
from cryoverdict.engine.picking_files.picking_list import read_picking_list
from cryoverdict.engine.picking_run import picking_all, picking_step
from cryoverdict.engine.picking_run.consensus import ALONE, agreed, agreements, summed
from cryoverdict.engine.picking_run.deciding import threshold_at
from cryoverdict.engine.picking_run.decision_files import read_curves, write_curves
from cryoverdict.engine.picking_run.micrograph_yield import evenness, second_look, yield_table
from cryoverdict.engine.picking_run.pick_store import PickedMicrograph, PickStore
from cryoverdict.engine.picking_run.picking_step import (
    LEFT_OUT,
    REJECTED,
    PickingRequest,
    PickingRun,
    run_picking,
)
from cryoverdict.engine.picking_run.screening import apart, screened
from cryoverdict.engine.picking_run.trial_order import trial_order
from cryoverdict.engine.settling import settle_all
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.rules.rule_loader import load_rules

YIELD_RULES = load_rules(MICROGRAPH_YIELD.id, features=MICROGRAPH_YIELD.units())
PARAMETERS = PickingParameters(
    diameter_a=40.0,
    diameter_min_a=30.0,
    diameter_max_a=50.0,
    contrast_sign=-1.0,
    lowpass_a=20.0,
    picking_pixel_size_a=8.0,
    spacing_a=30.0,
    edge_margin_a=20.0,
    false_discovery_rate=0.1,
    score_threshold=3.0,
    score_ceiling=999.0,
    most_per_micrograph=100,
    trial_particles=50,
)
OPTICS = Optics(pixel_size_a=2.0)


def picks_at(
    subject: str, places: Iterable[tuple[float, float]], scores: Iterable[float] = ()
) -> Picks:
    """Return picks at some places (x, y); without scores, best first from 9 down."""
    x, y = np.array(list(places), float).reshape(-1, 2).T
    given = list(scores)
    score = np.array(given or [9.0 - k * 1e-3 for k in range(len(x))], np.float64)
    return Picks(subject=subject, x_px=x, y_px=y, score=score, diameter_a=np.full(len(x), 40.0))


def spread(subject: str, count: int, *, low: float = 0.0, high: float = 1.0) -> Picks:
    """Return picks at random in a part of a field of 512 by 512 pixels."""
    rng = np.random.default_rng(len(subject) + count)
    return picks_at(subject, 512 * rng.uniform(low, high, (count, 2)))


@pytest.fixture
def mics(tmp_path: Path) -> Path:
    """Return a folder of twelve small micrographs and one that is truncated."""
    folder = tmp_path / "mics"
    folder.mkdir()
    for k in range(12):
        pixels = np.random.default_rng(k).normal(0, 1, (128, 160)).astype(np.float32)
        mrcfile.write(folder / f"m{k:02d}.mrc", pixels, voxel_size=2.0)
    whole = (folder / "m00.mrc").read_bytes()
    (folder / "broken.mrc").write_bytes(whole[:5000])
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a picker in place that finds ten picks, none in m03, and writes down what it did."""
    made: list[str] = []

    def pick(subject: PickingMicrograph, parameters: PickingParameters, templates: object) -> Picks:
        made.append(subject.subject)
        if "m03" in subject.subject:
            return picks_at(subject.subject, [])
        rng = np.random.default_rng(sum(subject.subject.encode()))
        return picks_at(subject.subject, rng.uniform((10, 10), (150, 118), (30, 2)))

    monkeypatch.setattr(picking_all, "pick_micrograph", pick)
    return made


def work(mics: Path, output: Path, **changes: object) -> PickingRun:
    """Run the step on a folder of micrographs, one thread."""
    request = replace(PickingRequest(parameters=PARAMETERS), **changes)  # type: ignore[arg-type]

    def tracked(items: Iterable[object], text: str, total: int) -> Iterator[object]:
        yield from items

    listed = read_picking_list([mics], OPTICS)
    output.mkdir(exist_ok=True)
    return run_picking(listed, request, output, rules=YIELD_RULES, tracked=tracked)  # type: ignore[arg-type]


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that later steps read."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.suffix in (".star", ".jsonl", ".json", ".parquet")
    }


def test_every_micrograph_ends_in_one_bin_and_a_broken_one_in_error(
    mics: Path, tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = work(Path("mics"), tmp_path / "out")
    assert run.ledger.bins == {"kept": 11, "rejected": 1, "error": 1}
    reasons = {e.item: e.reason for e in run.ledger.entries if e.bin != "kept"}
    assert reasons["mics/m03.mrc"] == "empty"
    assert "broken.mrc" in reasons["mics/broken.mrc"]
    assert "mics/m03.mrc" not in (tmp_path / "out" / "autopick.star").read_text()
    decisions = read_decisions(tmp_path / "out" / "decisions.jsonl")
    assert {d.kind for d in decisions} == {"reject-micrographs"}
    empty = next(d for d in decisions if d.subject == "mics/m03.mrc")
    assert empty.explanation.gates == ("yield-none",)
    assert empty.outcome == "reject"


def test_a_second_run_picks_nothing_and_other_parameters_pick_anew(
    mics: Path, tmp_path: Path, calls: list[str]
) -> None:
    first = work(mics, tmp_path / "out")
    before = files_of(tmp_path / "out")
    assert len(calls) == 12
    again = work(mics, tmp_path / "out")
    assert len(calls) == 12
    assert again.count("stored") == 12
    assert files_of(tmp_path / "out") == before
    # The trial's size bears on no micrograph.
    work(mics, tmp_path / "out", parameters=replace(PARAMETERS, trial_particles=9))
    assert len(calls) == 12
    work(mics, tmp_path / "out", parameters=replace(PARAMETERS, score_threshold=4.0))
    assert len(calls) == 24
    os.utime(mics / "m05.mrc", ns=(1, 1))
    work(mics, tmp_path / "out", parameters=replace(PARAMETERS, score_threshold=4.0))
    assert calls[24:] == [str(mics / "m05.mrc")]
    assert first.count("picked") == 12


def test_a_damaged_result_is_picked_again(mics: Path, tmp_path: Path, calls: list[str]) -> None:
    run = work(mics, tmp_path / "out")
    run.store.path(str(mics / "m07.mrc")).write_bytes(b"PK\x03\x04 no")
    work(mics, tmp_path / "out")
    assert calls[12:] == [str(mics / "m07.mrc")]


def test_the_output_does_not_depend_on_its_folder(
    mics: Path, tmp_path: Path, calls: list[str]
) -> None:
    work(mics, tmp_path / "one")
    work(mics, tmp_path / "another place")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "another place")


def test_a_trial_stops_when_it_has_enough(mics: Path, tmp_path: Path, calls: list[str]) -> None:
    run = work(mics, tmp_path / "out", particles=75)
    picked = [o for o in run.outcomes if o.how == "picked"]
    total = sum(o.count for o in picked)
    assert 75 <= total <= 75 + 29
    left = [e for e in run.ledger.entries if e.reason == LEFT_OUT]
    assert len(left) + len(run.outcomes) == 13
    assert len(left) > 5


def test_the_table_holds_the_picks_of_rejected_micrographs_as_dropped(
    mics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pick(subject: PickingMicrograph, parameters: object, templates: object) -> Picks:
        name = subject.subject
        if "m03" in name:  # a clump of many in a corner
            return picks_at(name, np.random.default_rng(1).uniform(0, 20, (200, 2)).tolist())
        rng = np.random.default_rng(sum(name.encode()))
        count = 28 + sum(name.encode()) % 5
        return picks_at(name, rng.uniform((0, 0), (159, 127), (count, 2)).tolist())

    monkeypatch.setattr(picking_all, "pick_micrograph", pick)
    run = work(mics, tmp_path / "out")
    clump = str(mics / "m03.mrc")
    entry = next(e for e in run.ledger.entries if e.item == clump)
    assert (entry.bin, entry.reason) == ("rejected", "aggregate")
    table = read_pick_table(tmp_path / "out" / "picks.parquet")
    assert len(table[clump]) == 0
    assert len(table[clump].dropped[REJECTED]) == 200


def defocused(name: str, defocus_a: float | None) -> PickingMicrograph:
    """Return a micrograph with a defocus."""
    ctf = None
    if defocus_a is not None:
        ctf = GivenCtf(defocus_u_a=defocus_a, defocus_v_a=defocus_a, defocus_angle_deg=0.0)
    return PickingMicrograph(micrograph=Micrograph(subject=name, path=Path(name), given_ctf=ctf))


def test_every_beginning_of_a_trial_spans_the_defocus() -> None:
    subjects = [defocused(f"m{k}", 5000.0 + 1000 * k) for k in range(16)]
    order = trial_order(subjects)
    assert sorted(s.subject for s in order) == sorted(s.subject for s in subjects)
    first = sorted(s.micrograph.given_ctf.defocus_u_a for s in order[:4])  # type: ignore[union-attr]
    assert first == [5000.0, 9000.0, 13000.0, 17000.0]
    assert trial_order(subjects[::-1]) == order
    assert [s.subject for s in trial_order([defocused("b", None), defocused("a", None)])] == [
        "a",
        "b",
    ]


def test_screening_drops_by_border_area_and_distance(tmp_path: Path) -> None:
    area = np.zeros((20, 20), np.int8)
    area[:, :5] = 1  # film on the left quarter of the field
    area[18:, :] = 3  # contamination in the last tenth of the rows
    mrcfile.write(tmp_path / "area.mrc", area)
    places = [(150, 100), (155, 100), (30, 100), (195, 100), (100, 3), (180, 150), (100, 185)]
    picks = screened(
        picks_at("m", places),
        shape=(200, 200),
        pixel_size_a=2.0,
        usable_area=tmp_path / "area.mrc",
        parameters=replace(PARAMETERS, most_per_micrograph=1),
    )
    assert (picks.x_px.tolist(), picks.y_px.tolist()) == ([150.0], [100.0])
    dropped = {reason: gone.x_px.tolist() for reason, gone in picks.dropped.items()}
    assert dropped == {
        "contamination": [100.0],
        "film": [30.0],
        "edge": [195.0, 100.0],
        "crowded": [155.0],
        "too_many": [180.0],
    }


def test_a_place_far_outside_is_at_the_edge_and_a_strange_map_is_refused(tmp_path: Path) -> None:
    area = np.zeros((20, 20), np.int8)
    mrcfile.write(tmp_path / "area.mrc", area)

    def look() -> Picks:
        """Screen a place in the middle and one beyond all whole numbers."""
        return screened(
            picks_at("m", [(100, 100), (1e300, -1e300)]),
            shape=(200, 200),
            pixel_size_a=2.0,
            usable_area=tmp_path / "area.mrc",
            parameters=PARAMETERS,
        )

    assert look().x_px.tolist() == [100.0]
    assert look().dropped["edge"].x_px.tolist() == [1e300]
    area[3, 3] = 77
    mrcfile.write(tmp_path / "area.mrc", area, overwrite=True)
    with pytest.raises(InputError, match="holds other numbers; accepted is a 2-D map"):
        look()


def test_a_place_keeps_off_only_worse_ones_and_a_lost_one_none() -> None:
    x = np.array([0.0, 8.0, 16.0, 40.0])
    assert apart(x, np.zeros(4), 10.0).tolist() == [True, False, True, True]


def test_consensus_keeps_what_most_found_once_and_says_who_agrees() -> None:
    one = picks_at("m", [(10, 10), (50, 50), (90, 90)])
    two = picks_at("m", [(52, 50), (11, 10), (200, 200)])
    both = agreed({"one": one, "two": two}, within_px=5.0)
    assert sorted(zip(both.x_px.tolist(), both.y_px.tolist(), strict=True)) == [(10, 10), (50, 50)]
    assert sorted(both.dropped[ALONE].x_px.tolist()) == [90.0, 200.0]
    told = agreements({"one": one, "two": two}, within_px=5.0)
    assert [(a.picker, a.found, a.shared, a.missed) for a in told] == [
        ("one", 3, 2, 0),
        ("two", 3, 2, 0),
    ]
    three = picks_at("m", [(50, 52)])
    most = agreed({"one": one, "two": two, "three": three}, within_px=5.0)
    assert most.x_px.tolist() == [50.0, 10.0]
    four = agreed(
        {"one": one, "two": two, "three": three, "four": picks_at("m", [])}, within_px=5.0
    )
    assert four.x_px.tolist() == [50.0], "two of four are not more than half"
    twice = summed([told, told])
    assert [(a.picker, a.found, a.shared) for a in twice] == [("one", 6, 4), ("two", 6, 4)]
    third = agreements({"one": one, "two": two, "three": three}, within_px=5.0)[2]
    assert (third.found, third.shared, third.missed) == (1, 1, 1)


def test_a_pick_is_matched_to_its_nearest_and_to_one_only() -> None:
    one = picks_at("m", [(0, 0), (6, 0)])
    two = picks_at("m", [(5, 0)])
    both = agreed({"one": one, "two": two}, within_px=8.0)
    assert both.x_px.tolist() == [6.0]
    assert both.dropped[ALONE].x_px.tolist() == [0.0]


def test_evenness_tells_a_clump_from_a_spread() -> None:
    assert evenness(spread("even", 200), (512, 512)) == pytest.approx(1.0, abs=0.12)
    assert evenness(spread("clump", 200, high=0.2), (512, 512)) < 0.15  # type: ignore[operator]
    half = replace(spread("half", 400, high=0.7), usable_fraction=0.49)
    assert evenness(half, (512, 512)) == pytest.approx(1.0, abs=0.2)


def seen(subject: str, picks: Picks) -> PickedMicrograph:
    """Return picks with a small picture."""
    return PickedMicrograph(
        picks=replace(picks, subject=subject),
        shape=(512, 512),
        pixel_size_a=1.0,
        thumbnail=np.zeros((4, 4), np.uint8),
    )


def test_the_second_look_finds_the_empty_and_the_clumped_and_keeps_the_rest() -> None:
    usual = [seen(f"m{k}", spread(f"m{k}", 100 + k)) for k in range(20)]
    few = seen("few", replace(spread("few", 6), score=np.full(6, 3.1)))
    clump = seen("clump", spread("clump", 500, high=0.25))
    none = seen("none", picks_at("none", []))
    table = yield_table([*usual, few, clump, none])
    decisions = {d.subject: d for d in second_look(table, YIELD_RULES, {"few": 0.8})}
    rejected = {s: d.defects[0].name for s, d in decisions.items() if d.outcome == "reject"}
    assert rejected == {"few": "empty", "clump": "aggregate", "none": "empty"}
    usual_one = decisions["m3"].explanation
    assert [e.name for e in usual_one.evidence] == ["yield-as-usual"]
    assert usual_one.prior_log_odds == pytest.approx(np.log(9.0))
    assert decisions["few"].explanation.prior_log_odds == pytest.approx(np.log(4.0))


def test_most_on_contamination_counts_against_a_micrograph() -> None:
    usual = [seen(f"m{k}", spread(f"m{k}", 100 + k)) for k in range(12)]
    gone = DroppedPicks(x_px=np.zeros(90), y_px=np.zeros(90), score=np.full(90, 4.0))
    dirty = seen("dirty", replace(spread("dirty", 30), dropped={"contamination": gone}))
    table = yield_table([*usual, dirty])
    assert table.row("dirty")["dropped_fraction"] == 0.75
    evidence = second_look(table, YIELD_RULES, {})[-1].explanation.evidence
    assert "yield-mostly-dropped" in [e.name for e in evidence]


def test_the_threshold_follows_the_rate() -> None:
    curves = {"fdr_scores": np.array([2.0, 3.0, 4.0, 5.0]), "fdr": np.array([0.5, 0.2, 0.1, 0.01])}
    assert [threshold_at(curves, r).value for r in (0.6, 0.2, 0.1, 0.05)] == [2, 3, 4, 5]  # type: ignore[union-attr]
    never = threshold_at(curves, 0.001)
    assert never is not None
    assert never.value == 5.0
    assert "No score holds" in never.text
    assert threshold_at({}, 0.1) is None
    best = threshold_at({**curves, "expected_f1": np.array([0.5, 0.6, 0.9, 0.8])}, 0.2)
    assert best is not None
    assert best.value == 4.0, "the lowest score that holds the rate is not the best"


def test_a_warning_rule_asks_for_a_look_and_changes_no_value() -> None:
    rules = load_rules("picking", features=PICKING.units())
    facts = {
        "measured_diameter_a": 100.0,
        "measured_diameter_low_a": 95.0,
        "measured_diameter_high_a": 105.0,
        "given_diameter_a": 140.0,
    }
    plain = settle_all(
        PICKING,
        rules,
        subject="a.star",
        facts=facts,
        estimates={"diameter_a": Estimate(value=100.0, text="Measured.")},
        given={"diameter_a": 140.0},
    )
    flagged = with_flags(plain, PICKING, rules)
    assert flagged.outcome == plain.outcome
    assert flagged.review
    assert flagged.review_reasons == (
        "Given is a diameter of 140 Å, but the images alone say 100 Å.",
    )
    near = replace(plain, facts={**facts, "given_diameter_a": 110.0})
    assert with_flags(near, PICKING, rules) is near


def test_curves_come_back_with_their_shape(tmp_path: Path) -> None:
    curves = {"average": np.arange(6.0).reshape(2, 3), "fdr": np.array([0.5, np.nan])}
    write_curves(tmp_path / "survey.json", curves)
    back = read_curves(tmp_path / "survey.json")
    assert np.array_equal(back["average"], curves["average"])
    assert np.array_equal(back["fdr"], curves["fdr"], equal_nan=True)
    json.loads((tmp_path / "survey.json").read_text(), parse_constant=pytest.fail)
    assert read_curves(tmp_path / "absent.json") == {}


def test_an_outside_program_is_asked_once_for_the_same_thing(
    mics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def outside(order: PickingOrder) -> dict[str, Picks]:
        asked.append(len(order.subjects))
        (order.folder / "large.mrc").write_text("conversion")
        return {s.subject: picks_at(s.subject, [(60, 60), (100, 80)]) for s in order.subjects[:2]}

    adapter = OutsidePicker(name="other", program="other", pick=outside)
    monkeypatch.setattr(picking_step, "PICKERS", (adapter,))
    first = work(mics, tmp_path / "out", pickers=("other",))
    again = work(mics, tmp_path / "out", pickers=("other",))
    assert asked == [13, 1], "only the broken one is asked for again"
    assert again.count("stored") == 12
    assert [o.count for o in again.outcomes] == [o.count for o in first.outcomes]
    assert sum(o.count for o in first.outcomes) == 2, "one is broken, one has two picks"
    assert not (tmp_path / "out" / "outside").exists()
    work(mics, tmp_path / "out", pickers=("other",), parameters=replace(PARAMETERS, spacing_a=31.0))
    assert asked == [13, 1, 13]


def test_a_copied_area_map_changes_nothing_and_another_map_does(mics: Path, tmp_path: Path) -> None:
    # Batches get copies of the maps; what they picked is taken over by a run over all.
    one, other = tmp_path / "one.mrc", tmp_path / "other.mrc"
    mrcfile.write(one, np.zeros((8, 10), np.int8))
    other.write_bytes(one.read_bytes())
    os.utime(other, ns=(5, 5))
    job = picking_all.PickingJob(parameters=PARAMETERS, store=PickStore(folder=tmp_path))
    micrograph = Micrograph(subject="m", path=mics / "m00.mrc", optics=OPTICS)
    a = PickingMicrograph(micrograph=micrograph, usable_area=one)
    b = PickingMicrograph(micrograph=micrograph, usable_area=other)
    assert job.fingerprint(a) == job.fingerprint(b)
    mrcfile.write(other, np.ones((8, 10), np.int8), overwrite=True)
    assert job.fingerprint(a) != job.fingerprint(b)
    assert job.fingerprint(a) != replace(job, pickers=("builtin", "relion")).fingerprint(a)


def test_a_trial_asks_an_outside_program_for_a_part_only(
    mics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def outside(order: PickingOrder) -> dict[str, Picks]:
        asked.append(len(order.subjects))
        return {s.subject: picks_at(s.subject, [(60, 60), (100, 80)]) for s in order.subjects}

    adapter = OutsidePicker(name="other", program="other", pick=outside)
    monkeypatch.setattr(picking_step, "PICKERS", (adapter,))
    monkeypatch.setattr(picking_step, "TRIAL_PART", 4)
    run = work(mics, tmp_path / "out", pickers=("other",), particles=9)
    assert asked == [4, 4]
    assert sum(o.count for o in run.outcomes) == 10


def test_pickers_that_were_asked_together_are_compared(
    mics: Path, tmp_path: Path, calls: list[str]
) -> None:
    star = tmp_path / "m05_manualpick.star"
    write_coordinates(star, picks_at("m05", [(0, 0), (80, 64)]))
    run = work(mics, tmp_path / "out", pickers=("builtin",), given=(star,))
    told = {a.picker: (a.found, a.missed) for a in run.agreement()}
    assert set(told) == {"builtin", "given"}
    assert told["builtin"][0] == 11 * 30
    assert told["given"] == (1, 0), "the place at the corner is too near the border"
