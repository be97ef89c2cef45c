"""Training on labelled sets: files in, a model and its honest evaluation out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.models.kind_model import read_model
from cryoverdict.engine.training.evaluation import area_under_roc, calibration_error
from cryoverdict.engine.training.labelled_set import Label, LabelledSet, read_labelled_set
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable

ROWS = 60


def session(seed: int) -> LabelledSet:
    """Return a session in which film, and nothing else, makes a micrograph bad."""
    rng = np.random.default_rng(seed)
    features = micrograph_features()
    names = tuple(f.name for f in features)
    values = np.full((ROWS, len(names)), np.nan)
    film = rng.random(ROWS) < 0.5
    values[:, names.index("film_fraction")] = np.where(
        film, rng.uniform(0.3, 0.6, ROWS), rng.uniform(0.0, 0.05, ROWS)
    )
    values[:, names.index("usable_area_fraction")] = 0.95
    subjects = tuple(f"{seed}/{i}" for i in range(ROWS))
    table = FeatureTable(
        subjects=subjects,
        features=names,
        units={f.name: f.unit for f in features},
        values=values,
        absent={(subjects[i], names[j]): "left out" for i, j in np.argwhere(np.isnan(values))},
    )
    labels = {
        s: Label(
            favourable=not bad, defects=frozenset({"film"} if bad else ()), doubtful=frozenset()
        )
        for s, bad in zip(subjects, film.tolist(), strict=True)
    }
    return LabelledSet(name=f"session_{seed}", table=table, labels=labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    folders = []
    for seed in range(4):
        session(seed).write(folder / str(seed))
        folders.append(str(folder / str(seed)))
    output = folder / "out"
    assert run(["train", *folders, "--output", str(output), "--folds", "2", "--quiet"]) == 0
    return output


def test_labelled_sets_round_trip(tmp_path: Path) -> None:
    made = session(7)
    made.write(tmp_path / "set")
    read = read_labelled_set(tmp_path / "set")
    assert read.labels == made.labels
    assert read.table.digest == made.table.digest
    assert read.name == made.name


def test_evaluation_is_on_sessions_left_out(trained: Path) -> None:
    told = json.loads((trained / "evaluation.json").read_text())
    assert told["data"].startswith("4 data sets, 240 rows")
    assert told["targets"]["keep"]["auc"][0] > 0.99
    assert told["targets"]["film"]["accuracy"][0] > 0.95
    assert told["baselines"]["rules alone"]["rows"] == 240


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


def test_calibration_error_is_the_gap() -> None:
    log_odds = np.full(100, np.log(0.75 / 0.25))
    truth = np.arange(100) < 55
    assert calibration_error(log_odds, truth, np.ones(100)) == pytest.approx(0.2)
