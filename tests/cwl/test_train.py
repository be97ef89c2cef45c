"""Train, evaluate, promote: labelled sets in, a model with its honest evaluation in use."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.models.kind_model import read_model
from cryoverdict.engine.seating import installed_model
from cryoverdict.engine.training.labelled_set import (
    Label,
    LabelledSet,
    read_labelled_set,
    read_labelled_sets,
    write_labelled_sets,
)
from cryoverdict.engine.training.quality import (
    area_under_roc,
    calibration_error,
    quality,
    recall_at_rejection,
    reliability_curve,
)
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable

ROWS = 60
NETWORK = "cnn-test"


def session(seed: int, prefix: str = "session") -> LabelledSet:
    """Return a session in which film, and nothing else, makes a micrograph bad.

    The network sees it too, if less clearly than the measurement does.
    """
    rng = np.random.default_rng(seed)
    features = micrograph_features()
    names = tuple(f.name for f in features)
    values = np.full((ROWS, len(names)), np.nan)
    film = rng.random(ROWS) < 0.5
    values[:, names.index("film_fraction")] = np.where(
        film, rng.uniform(0.3, 0.6, ROWS), rng.uniform(0.0, 0.05, ROWS)
    )
    values[:, names.index("usable_area_fraction")] = 0.95
    seen = rng.normal(size=(ROWS, 20))
    seen[:, 0] += 2.0 * film
    subjects = tuple(f"{seed}/{i}" for i in range(ROWS))
    table = FeatureTable(
        subjects=subjects,
        features=names,
        units={f.name: f.unit for f in features},
        values=values,
        absent={(subjects[i], names[j]): "left out" for i, j in np.argwhere(np.isnan(values))},
        embeddings={NETWORK: seen.astype(np.float32)},
    )
    labels = {
        s: Label(
            favourable=not bad, defects=frozenset({"film"} if bad else ()), doubtful=frozenset()
        )
        for s, bad in zip(subjects, film.tolist(), strict=True)
    }
    return LabelledSet(name=f"{prefix}_{seed}", table=table, labels=labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sessions, a candidate fitted on them, and its evaluation with a fifth, simulated one."""
    folder = tmp_path_factory.mktemp("train")
    for seed in range(4):
        session(seed).write(folder / "sets" / str(seed))
    session(9, "simulated").write(folder / "more" / "9")
    output = folder / "out"
    sets = str(folder / "sets")
    assert run(["train", sets, "--output", str(output), "--quiet"]) == 0
    model = str(output / "reject-micrographs.json")
    others = str(folder / "more")
    told = ["evaluate", sets, others, "--model", model, "--folds", "2", "--quiet"]
    assert run([*told, "--output", str(output)]) == 0
    return output


def test_labelled_sets_round_trip(tmp_path: Path) -> None:
    made = session(7)
    made.write(tmp_path / "set")
    read = read_labelled_set(tmp_path / "set")
    assert read.labels == made.labels
    assert read.table.digest == made.table.digest
    assert read.name == made.name


def test_several_sets_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    made = [session(seed) for seed in (3, 1)]
    write_labelled_sets(made, tmp_path)
    read = read_labelled_sets(tmp_path)
    assert [s.name for s in read] == ["session_1", "session_3"]
    assert read[1].labels == made[0].labels
    assert read[1].table.digest == made[0].table.digest


def test_evaluation_is_on_sessions_left_out_and_on_fresh_ones(trained: Path) -> None:
    told = json.loads((trained / "evaluation.json").read_text())
    seen, simulated = told["chapters"]["observed"], told["chapters"]["simulated"]
    assert seen["data"].startswith("4 data sets, 240 rows")
    assert simulated["data"].startswith("1 data sets, 60 rows")
    for chapter in (seen, simulated):
        assert chapter["targets"]["keep"]["auc"][0] > 0.99
        assert chapter["targets"]["film"]["accuracy"][0] > 0.95
        assert (
            chapter["simpler_judges"]["rules alone"]["rows"] == chapter["targets"]["keep"]["rows"]
        )
        assert chapter["simpler_judges"]["CTF resolution alone"]["auc"][0] == 0.5
    judges = seen["simpler_judges"]
    assert judges["model without rules"]["auc"][0] > 0.99
    # One number of twenty is shifted by two deviations: at best AUC 0.92, and 120 rows to learn it.
    assert 0.7 < judges["embedding alone"]["auc"][0] < 0.97
    assert judges["installed model"]["rows"] == 240


def test_same_sets_give_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    """Also under another number of threads, which splits sums differently."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2):
        code = run(["train", str(trained.parent / "sets"), "--output", str(tmp_path), "--quiet"])
    assert code == 0
    name = "reject-micrographs.json"
    assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_coefficients_are_written_with_their_intervals(trained: Path) -> None:
    with (trained / "coefficients.csv").open(newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["target"] == "keep"]
    film = next(r for r in rows if r["feature"] == "film_fraction")
    low, value, high = (float(film[name]) for name in ("low", "coefficient", "high"))
    assert low < value < high < 0.0
    model = read_model(trained / "reject-micrographs.json").favourable
    assert value == pytest.approx(
        model.members.glm.coefficients[model.features.index("film_fraction")], abs=1e-4
    )
    sizes = [abs(float(r["coefficient"])) for r in rows]
    assert sizes == sorted(sizes, reverse=True)


def promote(folder: Path, *more: str) -> int:
    return run(["promote", str(folder), "--quiet", *more])


def candidate(trained: Path, folder: Path, **changed: object) -> Path:
    """Return a folder with the candidate and its evaluation, changed here and there."""
    folder.mkdir()
    record = json.loads((trained / "evaluation.json").read_text())
    keep = record["chapters"]["observed"]["targets"]["keep"]
    keep |= {name: [value, value, value] for name, value in changed.items()}
    (folder / "evaluation.json").write_text(json.dumps(record))
    name = "reject-micrographs.json"
    (folder / name).write_bytes((trained / name).read_bytes())
    return folder


def test_promotion_is_refused_with_the_reason(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CRYOVERDICT_MODELS", str(tmp_path / "models"))
    assert promote(candidate(trained, tmp_path / "foreign")) == ExitCode.BAD_INPUT
    assert f"its embeddings are by the network {NETWORK}" in capsys.readouterr().err
    monkeypatch.setattr("cryoverdict.engine.training.promotion.embedding_name", lambda: NETWORK)
    assert promote(candidate(trained, tmp_path / "worse", auc=0.5)) == ExitCode.BAD_INPUT
    assert "area under the ROC curve 0.500, the installed model has" in capsys.readouterr().err
    loose = candidate(trained, tmp_path / "loose", calibration_error=0.6)
    assert promote(loose) == ExitCode.BAD_INPUT
    assert "calibration error 0.600" in capsys.readouterr().err
    record = json.loads((loose / "evaluation.json").read_text())
    (loose / "evaluation.json").write_text(json.dumps(record | {"model": "another"}))
    assert promote(loose, "--force") == ExitCode.BAD_INPUT
    assert "judges another model" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_promoted_model_is_in_use_with_its_evaluation(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOVERDICT_MODELS", str(tmp_path / "models"))
    shipped = installed_model("reject-micrographs").digest
    assert promote(candidate(trained, tmp_path / "forced", auc=0.5), "--force") == ExitCode.DONE
    model = installed_model("reject-micrographs")
    assert model.digest != shipped
    assert model.card["data_sets"] == [f"session_{seed}" for seed in range(4)]
    assert model.card["evaluation"]["observed"]["targets"]["keep"]["auc"][0] == 0.5
    assert any("network" in reason for reason in model.card["overlooked"])


def test_model_copes_with_and_without_embeddings(trained: Path) -> None:
    model = read_model(trained / "reject-micrographs.json")
    assert model.basis is not None
    assert model.basis.network == NETWORK
    table = session(5).table
    values = model.values(table)
    alone = (*table.features, *model.basis.names)
    beside = tuple(f"robust_z({n})" for n in alone if not n.endswith("_deg"))
    assert model.favourable.features == alone + beside
    assert values.shape[1] == len(alone + beside)
    seen = [j for j, name in enumerate(alone + beside) if "embedding_" in name]
    assert len(seen) == 2 * len(model.basis.names)
    assert np.isfinite(values[:, seen]).all()
    bare = replace(table, embeddings={})
    assert np.isnan(model.values(bare)[:, seen]).all()
    kept = model.favourable.log_odds(model.values(bare), np.zeros(ROWS)) > 0
    truth = [session(5).labels[s].favourable for s in table.subjects]
    assert np.mean(kept == truth) > 0.95


def test_the_card_says_what_was_learnt_from(trained: Path) -> None:
    card = read_model(trained / "reject-micrographs.json").card
    assert card["data_sets"] == [f"session_{seed}" for seed in range(4)]
    assert "240 rows of 4 data sets: 0 simulated, 4 observed" in card["learnt_from"]


def test_the_model_decides(trained: Path, tmp_path: Path) -> None:
    unseen = session(11)
    unseen.table.write(tmp_path / "f.parquet")
    arguments = ["--features", str(tmp_path / "f.parquet"), "--output", str(tmp_path / "out")]
    model = str(trained / "reject-micrographs.json")
    assert run(["decide-micrographs", *arguments, "--model", model, "--quiet"]) == ExitCode.DONE
    lines = (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    right = [(r["outcome"] == "keep") == unseen.labels[r["subject"]].favourable for r in records]
    assert np.mean(right) > 0.95


def test_a_broken_label_file_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(1).write(tmp_path / "set")
    path = tmp_path / "set" / "labels.csv"
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(",1,", ",maybe,", 1).replace(",0,", ",maybe,", 1)
    path.write_text("\n".join(lines) + "\n")
    code = run(["train", str(tmp_path / "set"), "--output", str(tmp_path / "out")])
    assert code == ExitCode.BAD_INPUT
    assert "labels.csv:4:" in capsys.readouterr().err


def test_area_under_roc_counts_pairs() -> None:
    score = np.array([0.1, 0.4, 0.35, 0.8])
    assert area_under_roc(score, np.array([False, False, True, True])) == pytest.approx(0.75)
    assert area_under_roc(np.zeros(4), np.array([False, True, False, True])) == 0.5


def test_recall_and_reliability() -> None:
    score = np.concatenate([np.arange(100.0), np.arange(50.0, 150.0)])
    truth = np.arange(200) >= 100
    assert recall_at_rejection(score, truth, 0.95) == pytest.approx(0.55)
    curve = reliability_curve(np.array([-9.0, -9.0, 9.0]), np.array([0, 1, 1]) > 0, np.ones(3))
    assert [(round(b.told), b.seen, b.rows) for b in curve] == [(0, 0.5, 2), (1, 1.0, 1)]


def test_bootstrap_draws_data_sets_where_there_are_enough() -> None:
    """Rows of a data set are alike: its interval is that of ten, not of a thousand."""
    rng = np.random.default_rng(0)
    group = np.repeat([f"set {i}" for i in range(10)], 100)
    truth = rng.random(1000) < 0.5
    right = np.repeat(np.arange(10) % 2 == 0, 100)
    score = np.where(truth == right, 1.0, -1.0)
    by_row = quality(score, truth).accuracy
    by_set = quality(score, truth, None, group).accuracy
    assert by_row[0] == by_set[0] == 0.5
    assert by_set[2] - by_set[1] > 4.0 * (by_row[2] - by_row[1])


def test_calibration_error_is_the_gap() -> None:
    log_odds = np.full(100, np.log(0.75 / 0.25))
    truth = np.arange(100) < 55
    assert calibration_error(log_odds, truth, np.ones(100)) == pytest.approx(0.2)
