"""Further rounds of 2D classes: made while much is rejected, bounded, resumed, accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.class_selection.further_rounds import (
    GOOD,
    RESULTS,
    FurtherRound,
    RoundsDone,
    RoundSetup,
    classify_again,
)
from cryoverdict.engine.class_selection.round_decision import RoundResult, decide_round
from cryoverdict.engine.class_selection.selecting import select_classes
from cryoverdict.engine.class_selection.selection_files import write_selection
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_lists import ParticleLists, read_particle_lists
from cryoverdict.engine.classification_run.builtin import RunOptions
from cryoverdict.engine.classification_run.class_run import write_history
from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.kinds.further_round import FURTHER_ROUND
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.seating import seat_judge
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.features.star import read_star, table_of, write_star
from cryoverdict.rules.rule_loader import load_rules
from tests import painted_classes as painted

pytest.importorskip("xgboost")

RULES = load_rules(FURTHER_ROUND.id, features=FURTHER_ROUND.units())
RUN_RULES = load_rules(CLASSIFICATION.id, features=CLASSIFICATION.units())
COUNT, BOX = 600, 16
VALUES = {
    "classes": 10.0,
    "mask_diameter_a": 40.0,
    "resolution_limit_a": 12.0,
    "prior_strength": 1.0,
    "iterations": 25.0,
    "offset_range_a": 10.0,
}


class Painter:
    """A classifier that paints eight good classes and two bad ones with some of the particles."""

    def __init__(self, *bad: float) -> None:
        """Take the share of the bad classes of each run to come; the last one stays."""
        self.bad = bad
        self.seen: list[tuple[str, ...]] = []

    def __call__(
        self,
        lists: ParticleLists,
        parameters: ClassificationParameters,
        folder: Path,
        options: RunOptions,
    ) -> None:
        """Write the files of one run; the last particles of the list are in the bad classes."""
        share = self.bad[min(len(self.seen), len(self.bad) - 1)]
        self.seen.append(lists.names)
        bad = round(share * len(lists.names) / 2)
        good = (len(lists.names) - 2 * bad) // 8
        members = [len(lists.names) - 2 * bad - 7 * good, *[good] * 7, bad, bad]
        images = [*(painted.particle(i) for i in range(8)), painted.film_edge(1), painted.empty(2)]
        run = painted.write_run(folder, images, members)
        blocks = read_star(run.data)
        # Names and classes alone: no particle is an outlier of its class.
        numbers = blocks["particles"].column("rlnClassNumber") or ()
        named = table_of(
            {"rlnImageName": name, "rlnClassNumber": number}
            for name, number in zip(lists.names, numbers, strict=True)
        )
        write_star(run.data, {**blocks, "particles": named})
        write_history(folder, [{"number": parameters.iterations, "start": 1, "changed": 0.02}])


@pytest.fixture(scope="module")
def judge() -> Judge:
    return seat_judge(SELECT_CLASSES)


@pytest.fixture
def lists(tmp_path: Path) -> ParticleLists:
    images = np.random.default_rng(1).standard_normal((COUNT, BOX, BOX)).astype(np.float32)
    write_mrcs(tmp_path / "in.mrcs", images, 3.5)
    optics = {
        "rlnOpticsGroupName": "a",
        "rlnOpticsGroup": "1",
        "rlnVoltage": "300",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
        "rlnImagePixelSize": "3.5",
    }
    rows = [
        {"rlnImageName": f"{i:06d}@in.mrcs", "rlnOpticsGroup": "1", "rlnDefocusU": "9000"}
        for i in range(1, COUNT + 1)
    ]
    star = tmp_path / "particles.star"
    write_star(star, {"optics": table_of([optics]), "particles": table_of(rows)})
    return read_particle_lists([star])


def setup(painter: Painter, judge: Judge) -> RoundSetup:
    return RoundSetup(
        values=VALUES,
        classifier=painter,
        classifier_name="painter",
        options=RunOptions(seed=0),
        judge=judge,
        rules=RULES,
        run_rules=RUN_RULES,
    )


def first_selection(lists: ParticleLists, judge: Judge, folder: Path, bad: float) -> Path:
    """Classify with a share of bad ones and select, as `decide-classes` does."""
    (folder / "run").mkdir(parents=True)
    asked = ClassificationParameters(classes=10, mask_diameter_a=40.0)
    Painter(bad)(lists, asked, folder / "run", RunOptions(seed=0))
    (folder / "first").mkdir()
    write_selection(select_classes(read_class_run(folder / "run"), judge), folder / "first")
    return folder / "first"


def again(
    first: Path,
    lists: ParticleLists,
    output: Path,
    painter: Painter,
    judge: Judge,
    each: Callable[[FurtherRound], None] = lambda _: None,
) -> RoundsDone:
    output.mkdir(exist_ok=True)
    return classify_again(first, lists, output, setup=setup(painter, judge), after_each=each)


def names_in(star: Path) -> Sequence[str]:
    return read_star(star)["particles"].column("rlnImageName") or ()


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (RoundResult(number=1, kept=949, rejected=51), "again"),
        (RoundResult(number=1, kept=950, rejected=50), "enough"),
        (RoundResult(number=2, kept=900, rejected=100), "again"),
        (RoundResult(number=3, kept=900, rejected=100), "enough"),
        (RoundResult(number=1, kept=199, rejected=100), "enough"),
        (RoundResult(number=1, kept=0, rejected=0), "enough"),
    ],
)
def test_a_round_follows_where_much_was_rejected_and_it_is_not_the_last(
    result: RoundResult, outcome: str
) -> None:
    assert decide_round(result, RULES).outcome == outcome


def test_one_more_round_is_made_and_its_particles_are_taken(
    lists: ParticleLists, judge: Judge, tmp_path: Path
) -> None:
    first = first_selection(lists, judge, tmp_path, 0.2)
    assert list(names_in(first / GOOD)) == list(lists.names[:480])
    painter, seen = Painter(0.04), list[FurtherRound]()
    done = again(first, lists, tmp_path / "again", painter, judge, seen.append)
    assert painter.seen == [lists.names[:480]]
    assert [r.result for r in seen] == [RoundResult(number=2, kept=460, rejected=20)]
    assert [(d.subject, d.outcome) for d in done.decisions] == [
        ("round 1", "again"),
        ("round 2", "enough"),
    ]
    assert list(names_in(tmp_path / "again" / GOOD)) == list(lists.names[:460])
    for name in RESULTS:
        last = tmp_path / "again" / "round_2" / "classes" / name
        assert (tmp_path / "again" / name).read_bytes() == last.read_bytes()
    assert read_decisions(tmp_path / "again" / "decisions.jsonl") == done.decisions
    ledger = read_ledger(tmp_path / "again" / "ledger.json")
    assert ledger.bins == {"kept": 460, "rejected": 20, "error": 0}
    assert all("in round 2: class " in c.reason for c in ledger.counts if c.bin == "rejected")
    assert "Round 1 rejected 120 of 600 particles: another round follows" in done.notes[0]


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    lists: ParticleLists, judge: Judge, tmp_path: Path
) -> None:
    first = first_selection(lists, judge, tmp_path, 0.2)

    def stop(one: FurtherRound) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(first, lists, tmp_path / "killed", Painter(0.04), judge, stop)
    resumed = Painter(0.04)
    again(first, lists, tmp_path / "killed", resumed, judge)
    assert resumed.seen == []
    again(first, lists, tmp_path / "whole", Painter(0.04), judge)
    whole, killed = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (tmp_path / "whole", tmp_path / "killed")
    )
    assert whole == killed


def test_rounds_end_where_little_is_rejected_or_the_last_is_done(
    lists: ParticleLists, judge: Judge, tmp_path: Path
) -> None:
    painter = Painter(0.1)
    little = first_selection(lists, judge, tmp_path / "little", 0.04)
    done = again(little, lists, tmp_path / "none", painter, judge)
    assert (done.rounds, painter.seen) == ((), [])
    assert (tmp_path / "none" / GOOD).read_bytes() == (little / GOOD).read_bytes()
    assert done.ledger.bins == {"kept": 576, "rejected": 0, "error": 0}
    much = first_selection(lists, judge, tmp_path / "much", 0.1)
    done = again(much, lists, tmp_path / "three", painter, judge)
    assert [r.result.number for r in done.rounds] == [2, 3]
    assert done.decisions[-1].explanation.gates == ("round-last",)
    assert [len(seen) for seen in painter.seen] == [540, 486]
    # A later run of the same folder that needs no round leaves none behind.
    again(little, lists, tmp_path / "three", painter, judge)
    assert not list((tmp_path / "three").glob("round_*"))


def test_a_round_that_rejects_nearly_all_is_not_taken(
    lists: ParticleLists, judge: Judge, tmp_path: Path
) -> None:
    first = first_selection(lists, judge, tmp_path, 0.1)
    done = again(first, lists, tmp_path / "again", Painter(0.7), judge)
    assert [r.taken for r in done.rounds] == [False]
    assert (tmp_path / "again" / GOOD).read_bytes() == (first / GOOD).read_bytes()
    assert done.ledger.bins == {"kept": 540, "rejected": 0, "error": 0}
    assert "not taken" in done.notes[-1]


def test_particles_that_were_not_classified_are_refused(
    lists: ParticleLists, judge: Judge, tmp_path: Path
) -> None:
    first = first_selection(lists, judge, tmp_path, 0.1)
    text = (first / GOOD).read_text().replace("000007@in.mrcs", "000007@other.mrcs")
    (first / GOOD).write_text(text)
    with pytest.raises(EngineError, match=r"000007@other\.mrcs is not among the particles"):
        again(first, lists, tmp_path / "again", Painter(0.1), judge)
