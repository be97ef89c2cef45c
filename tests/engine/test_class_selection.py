"""Selecting classes: thresholds, guards, outliers, labels, and the files that are left."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.class_selection.adapting import (
    HIGHEST_SHARE,
    LOWEST_THRESHOLD,
    PASSED,
    run_threshold,
)
from cryoverdict.engine.class_selection.class_labels import label_of
from cryoverdict.engine.class_selection.class_truth import ClassTruth
from cryoverdict.engine.class_selection.guards import (
    RARE_VIEW,
    REJECTED_CLASSES,
    REJECTED_PARTICLES,
    keep_rare_views,
    mass_guards,
)
from cryoverdict.engine.class_selection.keep_particles import judge_particles
from cryoverdict.engine.class_selection.pick_session import KINDS
from cryoverdict.engine.class_selection.presentation import as_pictures, unregularised
from cryoverdict.engine.class_selection.selecting import select_classes
from cryoverdict.engine.class_selection.selection import ClassSelection
from cryoverdict.engine.class_selection.selection_files import ledger_of, write_selection
from cryoverdict.engine.class_selection.selection_import import read_selection, selected_label
from cryoverdict.engine.decision import read_decisions
from cryoverdict.engine.evidence import Evidence
from cryoverdict.engine.explanation import Explanation, logistic
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.models.embedding_basis import is_component
from cryoverdict.engine.seating import seat_judge
from cryoverdict.features.class_average import Assignments, ClassSet
from cryoverdict.features.class_average_list import read_classes
from cryoverdict.features.class_embedding import installed_class_network
from cryoverdict.features.class_families import measure_views
from cryoverdict.features.class_view import prepare_classes
from cryoverdict.features.cryosparc import read_cs
from cryoverdict.features.input_error import InputError
from cryoverdict.features.relion_classes import read_relion_classes
from cryoverdict.features.star import read_star, table_of, write_star
from tests import painted_classes as painted

pytest.importorskip("xgboost")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> painted.PaintedRun:
    images, members = painted.mixed_images()
    return painted.write_run(tmp_path_factory.mktemp("run"), images, members)


@pytest.fixture(scope="module")
def classes(run: painted.PaintedRun) -> ClassSet:
    return read_relion_classes(run.model)


@pytest.fixture(scope="module")
def selection(classes: ClassSet) -> ClassSelection:
    return select_classes(classes, seat_judge(SELECT_CLASSES))


def test_painted_particles_are_good_and_edges_and_blanks_are_junk(
    selection: ClassSelection,
) -> None:
    outcomes = [d.outcome for d in selection.decisions]
    assert outcomes[:8] == ["good"] * 8
    assert outcomes[8] == outcomes[11] == "junk"
    assert "edge" in [d.name for d in selection.decisions[8].defects]
    assert "class-blank" in selection.decisions[11].explanation.gates


def test_prior_and_evidence_add_up_to_the_probability(selection: ClassSelection) -> None:
    for d in selection.decisions:
        e = d.explanation
        total = e.prior_log_odds + sum(x.log_odds for x in e.evidence)
        assert d.explanation.favourable_probability == pytest.approx(logistic(total), abs=1e-12)
        assert (d.outcome == "good") == (total >= 0)


def test_digests_are_those_of_the_judge_as_it_ships(selection: ClassSelection) -> None:
    judge = seat_judge(SELECT_CLASSES)
    assert {d.digests["model"] for d in selection.decisions} == {judge.model.digest}


def test_the_threshold_follows_the_run() -> None:
    fine = np.array([5.0, 5.0, 4.0, -5.0])
    poor = np.array([-0.3, -0.5, -1.0, -4.0])
    even = np.ones(4)
    assert run_threshold(fine, even) == pytest.approx(0.5, abs=0.01)
    # p = .43, .38, .27, .02: keeping three gives F1 = 2·1.07/(3 + 1.09), half of it is the cut.
    p = 1 / (1 + np.exp(-poor))
    assert run_threshold(poor, even) == pytest.approx(p[:3].sum() / (3 + p.sum()), rel=1e-9)
    assert run_threshold(np.full(3, -9.0), np.ones(3)) == LOWEST_THRESHOLD
    assert run_threshold(poor, np.array([1.0, 1.0, 1.0, 1e6])) < run_threshold(poor, even)


def test_what_passed_before_is_evidence_of_its_own(
    classes: ClassSet, selection: ClassSelection
) -> None:
    again = select_classes(classes, seat_judge(SELECT_CLASSES), passed_share=0.9)
    surer = select_classes(classes, seat_judge(SELECT_CLASSES), passed_share=0.999)
    for old, new, most in zip(selection.decisions, again.decisions, surer.decisions, strict=True):
        told = {e.name: e for e in new.explanation.evidence}
        assert told[PASSED].log_odds == pytest.approx(np.log(9.0))
        assert told[PASSED].value == 0.9
        assert new.explanation.prior_log_odds == pytest.approx(old.explanation.prior_log_odds)
        assert bool(new.explanation.gates) == bool(old.explanation.gates)
        (highest,) = (e.value for e in most.explanation.evidence if e.name == PASSED)
        assert highest == HIGHEST_SHARE
    # What a gate shuts stays out, whatever was thought of its particles.
    assert not any(d.explanation.favourable for d in again.decisions if d.explanation.gates)


def test_a_rare_view_that_looks_real_is_kept_and_flagged(
    classes: ClassSet, selection: ClassSelection
) -> None:
    views = prepare_classes(classes)
    table = measure_views(views)
    lone = painted.masked(
        painted.blob(-8, 0, 3.0) + painted.blob(-2, 2, 2.5) + painted.blob(4, -2, 2.5)
        + painted.blob(10, -1, 3.0) + painted.noise(4, 0.02)
    )  # fmt: skip
    images = [painted.particle(0)] * 6 + [lone]
    averages = tuple(
        replace(classes.averages[i], pixels=image, subject=f"{i:06d}@b.mrcs")
        for i, image in enumerate(images)
    )
    views = prepare_classes(replace(classes, averages=averages, assignments=None))
    table = measure_views(views)
    doubt = Explanation(
        prior_log_odds=0.0,
        evidence=(Evidence(source="model", name="x", log_odds=-0.8, text=""),),
    )
    decisions = [
        replace(selection.decisions[0], subject=a.subject, outcome="good") for a in averages[:6]
    ]
    rejected = replace(
        selection.decisions[0], subject=averages[6].subject, outcome="junk", explanation=doubt
    )
    changed, guards = keep_rare_views([*decisions, rejected], views, table)
    assert changed[6].outcome == "good"
    assert changed[6].explanation.favourable
    assert changed[6].review
    assert changed[6].explanation.evidence[-1].name == RARE_VIEW
    assert [g.outcome for g in guards] == ["raised"]
    # What the judge is sure of, or a kept class shows too, is not a rare view.
    sure = replace(rejected, explanation=replace(doubt, prior_log_odds=-3.0))
    assert keep_rare_views([*decisions, sure], views, table)[1] == ()
    known = replace(rejected, subject=averages[5].subject)
    assert keep_rare_views([*decisions[:5], known, decisions[0]], views, table)[1] == ()


def test_too_much_rejected_raises_the_guards(selection: ClassSelection) -> None:
    held = {g.subject.split(":")[0]: g for g in selection.guards}
    assert held[REJECTED_CLASSES].outcome == held[REJECTED_PARTICLES].outcome == "held"
    junk = replace(
        selection.decisions[8], explanation=replace(selection.decisions[8].explanation, gates=())
    )
    most = [replace(junk, subject=d.subject) for d in selection.decisions]
    most[0] = selection.decisions[0]
    guards = mass_guards(most, selection.views, junk)
    assert [g.outcome for g in guards] == ["raised", "raised"]
    # 10 of the 11 classes that show anything; the blank one does not count.
    assert guards[0].explanation.evidence[0].value == pytest.approx(10 / 11)
    assert guards[1].explanation.evidence[0].value == pytest.approx(1 - 90 / 527)
    assert all(g.review for g in guards)


def test_each_rejection_has_its_price(selection: ClassSelection) -> None:
    rejected = {d.subject for d in selection.decisions if d.outcome == "junk"}
    assert set(selection.prices) == rejected
    edge = selection.prices[selection.decisions[8].subject]
    assert edge.particles == 25
    assert edge.share == pytest.approx(25 / 527)
    assert edge.defocus_share is not None
    assert 0 < edge.defocus_share < 0.5
    assert selection.prices[selection.decisions[11].subject].particles == 0
    parts = [p.share for p in selection.prices.values() if p.share is not None]
    assert selection.total.particles == pytest.approx(sum(parts))


def test_outliers_of_good_classes_are_rejected_and_told_as_a_group() -> None:
    rng = np.random.default_rng(1)
    number = np.repeat([1, 2, 3], 100)
    likelihood = np.clip(rng.normal(0, 1, 300), -2, 2)
    likelihood[[5, 150]] = -12.0
    top = np.full(300, 0.5)
    top[7] = 0.01
    offset = np.clip(rng.normal(0, 2, (300, 2)), -4, 4)
    offset[7] = 60.0
    found = Assignments(
        names=tuple(map(str, range(300))),
        number=number,
        top=top.astype(np.float32),
        log_likelihood=likelihood,
        offset_a=offset.astype(np.float32),
    )
    verdicts, decision = judge_particles(found, {3: "noise: class 3"}, (), {})
    rejected = np.flatnonzero(~verdicts.kept)
    assert [i for i in rejected if i < 200] == [5, 7, 150]
    assert (~verdicts.kept[200:]).all()
    assert verdicts.reason[5] == "outlier: particle-unlikely"
    assert verdicts.reason[7] == "outlier: particle-far-from-centre, particle-place-uncertain"
    assert verdicts.reason[250] == "noise: class 3"
    assert verdicts.reason[0] == ""
    assert verdicts.rules["particle-unlikely"] == 2
    assert decision.kind == "keep-particles"
    assert decision.explanation.favourable_probability == pytest.approx(197.5 / 201)
    assert "3 of 200 particles" in decision.explanation.evidence[0].text


def test_without_likelihoods_no_particle_is_an_outlier() -> None:
    found = Assignments(names=("a", "b"), number=np.array([1, 2]))
    verdicts, _ = judge_particles(found, {}, (), {})
    assert verdicts.kept.all()


def truth(**counts: int) -> ClassTruth:
    made = dict.fromkeys(KINDS, 0) | {k: v for k, v in counts.items() if k in KINDS}
    return ClassTruth(
        number=1,
        counts=tuple(made.values()),
        aligned=counts.get("aligned", 0),
        agreement=counts.get("agreement", 90) / 100,
        likeness=0.9,
        fine_likeness=0.5,
    )


def test_labels_follow_the_share_of_true_particles_in_place() -> None:
    good = label_of(truth(particle=95, empty=5, aligned=90))
    assert (good.favourable, good.grade, good.defects) == (True, "sharp", frozenset())
    fair = label_of(truth(particle=60, ice=40, aligned=55))
    assert (fair.favourable, fair.grade) == (True, "fair")
    assert fair.defects == {"ice"}
    turned = label_of(truth(particle=90, empty=10, aligned=10))
    assert not turned.favourable
    assert turned.defects == {"fuzzy"}
    grey = label_of(truth(particle=60, edge=40, aligned=38))
    assert grey.weight < 0.5 * fair.weight
    drowned = label_of(truth(particle=95, empty=5, aligned=90), noise=1.0)
    assert not drowned.favourable
    assert "overfit" in drowned.defects


def test_presentations_lose_what_they_should(classes: ClassSet) -> None:
    pictures = as_pictures(classes, np.random.default_rng(2))
    first = pictures.averages[0]
    assert first.members is first.pixel_size_a is first.resolution_a is None
    assert not first.has_counts
    assert set(np.unique(first.pixels)) <= set(range(256))
    noisy, strength = unregularised(classes, np.random.default_rng(3))
    # Ten times fewer particles, root of ten times more noise.
    assert strength[9] / strength[0] == pytest.approx(np.sqrt(90 / 12), rel=1e-6)
    assert np.array_equal(noisy.averages[11].pixels, classes.averages[11].pixels)


@pytest.mark.parametrize(
    ("number", "score", "good", "grade"),
    [
        (1, None, True, None),
        (0, None, False, None),
        (1, 0.9, True, "sharp"),
        (5, 0.9, True, "fair"),
        (2, 0.9, False, None),
        (3, 0.9, False, None),
        (6, 0.9, False, None),
    ],
)
def test_numbers_of_a_selection_mean_what_relion_means(
    number: int, score: float | None, good: bool, grade: str | None
) -> None:
    label = selected_label(number, score)
    assert (label.favourable, label.grade) == (good, grade)
    assert (label.weight < 1) == (number == 2)


def test_selections_of_people_are_taken_over(tmp_path: Path, run: painted.PaintedRun) -> None:
    archive = tmp_path / "job_0017"
    shutil.copytree(run.model.parent, archive)
    (archive / "run_it025_model.star").rename(archive / "run_model.star")
    (archive / "run_it025_classes.mrcs").rename(archive / "run_classes.mrcs")
    numbers = [{"rlnSelected": str(n)} for n in (1, 1, 5, 2, 3, 4, 6, 0, 0, 0, 0, 0)]
    write_star(archive / "backup_selection.star", {"": table_of(numbers)})
    (archive / "job_score.txt").write_text("0.8\n")
    found = read_selection(archive)
    assert [found.labels[s].favourable for s in found.table.subjects] == [True] * 3 + [False] * 9
    assert found.name == "job_0017"
    (archive / "job_score.txt").write_text("8")
    with pytest.raises(InputError, match="accepted is a score from 0 to 1"):
        read_selection(archive)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("file,selected\na.png,1\nb.png,maybe\n", ":3: not a label; accepted are the columns"),
        ("file,other\na.png,1\n", ":2: not a label"),
        ("file,selected\n../a.png,1\n", ": ../a.png is no plain name"),
        ("file,selected\ns.mrcs,1\n", "is one of a stack; accepted is one class average a file"),
    ],
)
def test_labels_of_images_that_cannot_be_taken_are_told(
    tmp_path: Path, run: painted.PaintedRun, rows: str, words: str
) -> None:
    shutil.copy(run.model.parent / "run_it025_classes.mrcs", tmp_path / "s.mrcs")
    (tmp_path / "labels.csv").write_text(rows)
    with pytest.raises(InputError) as caught:
        read_selection(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'labels.csv'}:")
    assert words in str(caught.value)


def test_a_select_job_names_the_run_it_selected_from(
    tmp_path: Path, run: painted.PaintedRun
) -> None:
    job = tmp_path / "Class2D" / "job007"
    shutil.copytree(run.model.parent, job)
    select = tmp_path / "Select" / "job008"
    select.mkdir(parents=True)
    numbers = [{"rlnSelected": str(int(i < 8))} for i in range(12)]
    write_star(select / "backup_selection.star", {"": table_of(numbers)})
    options = [
        {
            "rlnJobOptionVariable": "fn_model",
            "rlnJobOptionValue": "Class2D/job007/run_it025_optimiser.star",
        }
    ]
    write_star(select / "job.star", {"joboptions_values": table_of(options)})
    found = read_selection(select)
    assert Counter(x.favourable for x in found.labels.values()) == {True: 8, False: 4}
    write_star(select / "backup_selection.star", {"": table_of(numbers[:5])})
    with pytest.raises(InputError, match="5 selections for 12 classes"):
        read_selection(select)


def test_files_say_what_was_decided(
    tmp_path: Path, run: painted.PaintedRun, selection: ClassSelection
) -> None:
    (tmp_path / "particles_good.cs").write_bytes(b"of an earlier run")
    ledger = write_selection(selection, tmp_path)
    kept = set(selection.kept)
    before = read_star(run.data)["particles"]
    good = read_star(tmp_path / "particles_good.star")
    rejected = read_star(tmp_path / "particles_rejected.star")
    assert good["optics"] == read_star(run.data)["optics"]
    rows = (*good["particles"].rows, *rejected["particles"].rows)
    width = len(before.columns)
    assert good["particles"].columns[:width] == before.columns
    assert Counter(r[:width] for r in rows) == Counter(before.rows)
    number = before.columns.index("rlnClassNumber")
    numbers = {a.number for a in selection.classes.averages if a.subject in kept}
    assert {int(r[number]) for r in good["particles"].rows} == numbers
    assert "cryoverdictReason" in rejected["particles"].columns
    model = read_star(run.model)["model_classes"]
    chosen = [i for i, a in enumerate(selection.classes.averages) if a.subject in kept]
    averages = read_star(tmp_path / "class_averages.star")[""]
    assert averages.columns == model.columns
    assert averages.rows == tuple(model.rows[i] for i in chosen)
    backup = read_star(tmp_path / "backup_selection.star")[""].column("rlnSelected")
    assert backup == tuple(str(int(i in chosen)) for i in range(12))
    own = read_star(tmp_path / "class_averages_good.star")[""]
    assert own.column("rlnReferenceImage")[0] == "000001@selected_classes.mrcs"  # type: ignore[index]
    again = read_classes([tmp_path / "selected_classes.mrcs"])
    assert np.array_equal(again.averages[1].pixels, run.images[chosen[1]])
    assert not (tmp_path / "particles_good.cs").exists()
    records = read_decisions(tmp_path / "decisions.jsonl")
    assert Counter(r.kind for r in records)["select-classes"] == 12
    assert {r.kind for r in records} == {"select-classes", "class-guard", "keep-particles"}
    assert read_ledger(tmp_path / "ledger.json") == ledger
    particles = sum(c.number for c in ledger.counts)
    assert particles == sum(run.members)
    assert ledger_of(selection).bins["kept"] == len(kept) + len(good["particles"].rows)


def test_the_same_run_gives_the_same_bytes(
    tmp_path: Path, classes: ClassSet, selection: ClassSelection
) -> None:
    for name, one in (
        ("a", selection),
        ("b", select_classes(classes, seat_judge(SELECT_CLASSES))),
    ):
        (tmp_path / name).mkdir()
        write_selection(one, tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert "decisions.jsonl" in files
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_cryosparc_gets_its_records_back_with_their_uids(tmp_path: Path) -> None:
    images, members = painted.mixed_images()
    paths = painted.write_cryosparc(tmp_path / "J7", images, members)
    from cryoverdict.features.cryosparc_classes import read_cryosparc_classes

    chosen = select_classes(read_cryosparc_classes(paths), seat_judge(SELECT_CLASSES))
    out = tmp_path / "out"
    out.mkdir()
    write_selection(chosen, out)
    good, rejected = (read_cs(out / f"particles_{n}.cs") for n in ("good", "rejected"))
    before = read_cs(paths[1])
    assert sorted([*good["uid"], *rejected["uid"]]) == sorted(before["uid"])
    numbers = [a.number for a in chosen.classes.averages if a.subject in chosen.kept]
    assert set(good["alignments2D/class"]) <= set(numbers)
    assert set(before.dtype.names or ()) <= set(good.dtype.names or ())
    averages = read_cs(out / "class_averages_good.cs")
    assert averages["uid"].tolist() == [100 + n for n in numbers]
    assert averages.dtype == read_cs(paths[0]).dtype


@pytest.mark.relion
def test_relion_reads_what_is_left(
    tmp_path: Path, selection: ClassSelection, run: painted.PaintedRun
) -> None:
    if shutil.which("relion_star_handler") is None:
        pytest.skip("no RELION")
    write_selection(selection, tmp_path)

    def handle(*options: str) -> str:
        done = subprocess.run(
            ["relion_star_handler", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    handle("--i", "particles_good.star", "--o", "again.star", "--select", "rlnClassNumber",
           "--minval", "2", "--maxval", "2")  # fmt: skip
    again = read_star(tmp_path / "again.star")["particles"]
    good = read_star(tmp_path / "particles_good.star")["particles"]
    wanted = [r for r in good.rows if r[good.columns.index("rlnClassNumber")] == "2"]
    assert len(again.rows) == len(wanted) > 0
    assert "cryoverdictClassProbability" in again.columns
    # Of lists that are no particles RELION's own script shows what its programs see.
    shown = subprocess.run(
        ["relion_star_printtable", "class_averages.star", "data_", "_rlnReferenceImage"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    numbers = [int(line.split("@")[0]) for line in shown.stdout.split()]
    assert numbers == [int(s.split("@")[0]) for s in selection.kept]
    stats = subprocess.run(
        ["relion_image_handler", "--i", "selected_classes.mrcs", "--stats"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert stats.stdout.count("64 x 64 x 1 x 1") == len(selection.kept)


def test_a_list_may_name_classes_that_the_model_lacks(tmp_path: Path) -> None:
    run = painted.write_run(tmp_path, [painted.particle(i) for i in range(3)], (30, 30, 30))
    text = run.data.read_text()
    run.data.write_text(text.replace(" 3 ", " 9 ") if " 3 " in text else text)
    chosen = select_classes(read_relion_classes(run.model), seat_judge(SELECT_CLASSES))
    assert chosen.particles is not None
    strange = [r for r in chosen.particles.reason if r.startswith("no class of the list")]
    assert len(strange) == 30
    json.dumps([d.to_dict() for d in chosen.decisions])


def test_the_shipped_model_was_fitted_with_todays_rules_and_measurements() -> None:
    judge = seat_judge(SELECT_CLASSES)
    # What the rules say is the model's offset: after a change of either it is fitted anew.
    assert judge.model.card["rules"] == judge.rules.digest
    measured = {f.name for f in SELECT_CLASSES.features()}
    used = {f for f in judge.model.favourable.features if not is_component(f)}
    assert used == measured
    # An embedding by another network than the installed one would say nothing.
    basis, network = judge.model.basis, installed_class_network()
    assert basis is None or (network is not None and basis.network == network.name)
    assert len(judge.model.card["data_sets"]) >= 60
    assert "simulated" in judge.model.card["learnt_from"]


@pytest.mark.real_data
def test_real_pictures_are_selected_as_their_maker_did(shared_data: Path) -> None:
    import csv

    folder = shared_data / "class_averages" / "selected_set"
    with (folder / "labels.csv").open(newline="") as lines:
        wanted = {row["file"]: row["selected"] == "1" for row in csv.DictReader(lines)}
    found = select_classes(read_classes([folder]), seat_judge(SELECT_CLASSES))
    right = [d.explanation.favourable == wanted[Path(d.subject).name] for d in found.decisions]
    assert np.mean(right) >= 0.9
