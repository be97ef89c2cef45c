"""``cryoverdict catalogue`` from the outside: what it prints, its exit codes, its errors."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

from cryoverdict.cwl.commands.catalogue import command
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.measurement_store import Measurement
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.read_image import read_image

CHOICES = ["no_film", "no_crack_drift", "not_crystalline", "major_contamination"]


def measure(micrograph: Micrograph) -> Measurement:
    """Stand in for the whole measurement: it is tested elsewhere, and takes its time."""
    pixels = read_image(micrograph.path).pixels
    return Measurement(
        answers={"grey_mean": float(pixels.mean())},
        optics=micrograph.optics,
        notes=(),
        pictures={"thumbnail": pixels.astype(np.uint8)},
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return where the catalogue is, through the environment; images are measured at once."""
    monkeypatch.setenv("CRYOVERDICT_CATALOGUE", str(tmp_path / "data" / "c.sqlite"))
    monkeypatch.setattr("cryoverdict.engine.measuring.measure_file", measure)
    return str(tmp_path / "data" / "c.sqlite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of class folders with three micrographs."""
    for i, name in enumerate(("0Great/a", "1Decent/b", "4Crystalline_ice/c")):
        path = tmp_path / "session" / f"{name}.png"
        path.parent.mkdir(parents=True)
        pixels = np.random.default_rng(i).integers(0, 255, (64, 64)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "session"


def call(*arguments: str | Path) -> int:
    """Call the command as the command line does; faults are raised."""
    words = [str(a) for a in arguments]
    return int(command.main(words, "cryoverdict catalogue", standalone_mode=False) or 0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    """Return what a command says as JSON."""
    assert call(*arguments, "--json") == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_import_stats_label_export_merge(
    place: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = ("--threads", "1")
    first = told(capsys, "import", folder, "--rater", "ada", "--date", "2024-01-01", *threads)
    assert first == {
        "new": 3,
        "measured_anew": 0,
        "labelled": 0,
        "unchanged": 0,
        "new_labels": 3,
        "unreadable": 0,
        "catalogue": place,
        "notes": [],
    }
    again = told(capsys, "import", folder, "--rater", "ada", "--date", "2024-01-01", *threads)
    assert (again["unchanged"], again["new_labels"]) == (3, 0)

    (tmp_path / "bo.csv").write_text("file,label\na.png,great\nb.png,drift\nc.png,drift\n")
    assert told(capsys, "label", tmp_path / "bo.csv", "--rater", "bo")["new_labels"] == 3
    (tmp_path / "miffi.pkl").write_bytes(pickle.dumps({"b.mrc": CHOICES}))
    assert told(capsys, "label", tmp_path / "miffi.pkl", "--rater", "miffi")["new_labels"] == 1

    facts = told(capsys, "stats")
    assert facts["verdicts"] == {"keep": 1, "reject": 2, "undecided": 0, "unlabelled": 0}
    assert facts["raters"] == {"ada": 3, "bo": 3, "miffi": 1}
    assert facts["kappa"]["verdict"]["pairs"]["ada and bo"] == {"micrographs": 3, "cohen": 0.4}
    assert call("stats") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^data set 1 +session: keep 1, reject 2$", shown, re.MULTILINE)
    pair = r"^kappa of verdict, pair 1 +ada and bo: 0\.400 over 3 micrographs$"
    assert re.search(pair, shown, re.MULTILINE)

    other = tmp_path / "other.sqlite"
    assert told(capsys, "merge", place, "--catalogue", other)["new_micrographs"] == 3
    assert told(capsys, "merge", place, "--catalogue", other)["new_labels"] == 0
    both = [told(capsys, "stats", "--catalogue", at) for at in (place, other)]
    assert both[0] | {"catalogue": ""} == both[1] | {"catalogue": ""}


def test_export_writes_what_train_reads(
    place: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cryoverdict.engine.training.labelled_set import read_labelled_set
    from cryoverdict.features.feature import Feature

    grey = Feature(
        name="grey_mean",
        unit="1",
        better="neither",
        meaning="The mean.",
        source="this test",
        function=lambda _: 0.0,
    )
    monkeypatch.setattr("cryoverdict.features.families.micrograph_features", lambda: (grey,))
    assert call("import", folder, "--threads", "1", "--quiet") == 0
    done = told(capsys, "export", "--output", tmp_path / "sets")
    assert (done["sets"], done["keep"], done["reject"], done["left_out"]) == (1, 2, 1, 0)
    labelled = read_labelled_set(tmp_path / "sets" / "session")
    assert {s: x.favourable for s, x in labelled.labels.items()} == {
        "session/a.png": True,
        "session/b.png": True,
        "session/c.png": False,
    }
    assert labelled.table.column("grey_mean").min() > 100


def test_some_unreadable_is_exit_code_4_and_all_is_3(
    place: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "0Great" / "broken.png").write_text("no picture")
    assert call("import", folder, "--threads", "1") == 4
    assert "broken.png" in capsys.readouterr().err
    (folder.parent / "l.csv").write_text("file,label\nnowhere.png,great\n")
    assert call("import", folder.parent / "l.csv", "--threads", "1") == 3
    assert "--images" in capsys.readouterr().err
    assert call("label", folder.parent / "l.csv") == 3
    assert "not in the catalogue" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["import", "absent"], "absent: not found; accepted are folders"),
        (["import", "session", "--date", "yesterday"], "--date: the date is 'yesterday'"),
        (["import", "session", "--rater", " "], "the rater is ' '"),
        (["import", "session", "--catalogue", "mysql://x"], "accepted is a file name"),
        (["import", "evil.pkl"], "asks for .*system, which is never followed"),
        (["export", "--output", "o"], "no labelled micrograph to export"),
        (["merge", "absent.sqlite"], "absent.sqlite: not found"),
    ],
)
def test_faults_are_one_line(
    place: str,
    folder: Path,
    arguments: list[str],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("evil.pkl").write_bytes(b"cposix\nsystem\n(S'touch trace'\ntR.")
    with pytest.raises((EngineError, InputError), match=fault) as error:
        call(*arguments)
    assert len(str(error.value).splitlines()) == 1
    assert not Path("trace").exists()


def test_wrong_use_is_a_usage_error(place: str) -> None:
    with pytest.raises(click.UsageError, match="give INPUTS"):
        call("import")


def test_every_option_says_what_it_does() -> None:
    for one in command.commands.values():
        assert (one.help or "").strip()
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name


def test_the_page_is_served_until_interrupted(place: str, folder: Path) -> None:
    assert call("import", folder, "--threads", "1", "--quiet") == 0
    code = (
        "import sys; from cryoverdict.cwl.commands.catalogue import command;"
        "command.main(['label', '--rater', 'eve', '--json'], standalone_mode=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    url = line.split()[-1]
    assert line.startswith("label 3 micrographs at http://127.0.0.1:")
    told = json.dumps({"number": 1, "favourable": True, "grade": "great", "defects": []}).encode()
    with urllib.request.urlopen(url + "label", told, timeout=120) as answer:
        assert json.load(answer)["given"] == 1
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=120)
    assert json.loads(shown) == {"labelled": 1, "undone": 0, "waiting": 2, "notes": []}
    assert process.returncode == 0


def test_the_command_loads_nothing_heavy_before_it_is_called() -> None:
    code = (
        "import sys; import cryoverdict.cwl.commands.catalogue;"
        "print(sorted({'sqlalchemy', 'psycopg', 'PIL', 'numpy', 'http'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
