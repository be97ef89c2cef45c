"""The main command on a small simulated session, with what goes wrong in life among it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from math import log
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.simulation.data_set import demonstration
from cryoverdict.engine.simulation.data_set_files import write_data_set
from cryoverdict.features.star import read_star
from cryoverdict.features.table import FeatureTable

OPTICS = ("--voltage-kv", "300", "--cs-mm", "2.7", "--amplitude-contrast", "0.1")


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with eight small simulated micrographs and five that cannot be read."""
    folder = tmp_path_factory.mktemp("session") / "mics"
    spec = demonstration()
    spec = replace(spec, micrographs=8, base=replace(spec.base, shape=(512, 512)))
    write_data_set(spec, folder, seed=1)
    good = next(folder.glob("*_0000.mrc"))
    whole = good.read_bytes()
    (folder / "truncated.mrc").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mrc").write_bytes(b"")
    (folder / "words.png").write_text("no picture")
    mrcfile.write(folder / "constant.mrc", np.full((128, 128), 7.0, np.float32))
    holed = np.frombuffer(whole, np.uint8).copy()
    holed[1024 + 400 : 1024 + 404] = np.frombuffer(np.float32(np.nan).tobytes(), np.uint8)
    (folder / "nan.mrc").write_bytes(holed.tobytes())
    return folder


@pytest.fixture(scope="session")
def judged(session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("judged") / "out"
    code = run(
        ["decide-micrographs", str(session), "--output", str(output), "--threads", "1", *OPTICS]
    )
    assert code == ExitCode.SOME_UNREADABLE
    return output


def records(output: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (output / "decisions.jsonl").read_text().splitlines()]


def test_all_outputs_are_there(judged: Path) -> None:
    for name in (
        "features.parquet",
        "decisions.jsonl",
        "micrographs_good.star",
        "micrographs_rejected.star",
        "ledger.json",
        "report/index.html",
    ):
        assert (judged / name).stat().st_size > 0, name
    assert not list(judged.rglob("*.part*"))


def test_each_micrograph_is_in_one_bin_and_in_one_list(judged: Path) -> None:
    ledger = json.loads((judged / "ledger.json").read_text())
    assert ledger["bins"]["error"] == 5
    assert sum(ledger["bins"].values()) == ledger["inputs"] == 13
    listed = {
        name: {row[0] for row in read_star(judged / f"micrographs_{name}.star")["micrographs"].rows}
        for name in ("good", "rejected")
    }
    assert len(listed["good"]) == ledger["bins"]["kept"]
    assert len(listed["rejected"]) == ledger["bins"]["rejected"]
    assert not listed["good"] & listed["rejected"]


def test_what_cannot_be_read_says_why(judged: Path) -> None:
    ledger = json.loads((judged / "ledger.json").read_text())
    reasons = {Path(i["item"]).name: i["reason"] for i in ledger["items"] if i["bin"] == "error"}
    assert set(reasons) == {"truncated.mrc", "empty.mrc", "words.png", "nan.mrc", "constant.mrc"}
    assert all(name in reason and "\n" not in reason for name, reason in reasons.items())


def test_records_add_up_and_follow_the_interface(judged: Path) -> None:
    for record in records(judged):
        p = float(str(record["favourable_probability"]))
        evidence = record["evidence"]
        assert isinstance(evidence, list)
        total = float(str(record["prior_log_odds"])) + sum(e["log_odds"] for e in evidence)
        assert total == pytest.approx(log(p / (1 - p)), abs=1e-6)
        assert record["outcome"] == ("keep" if total >= 0 else "reject")
        assert record["probability"] == pytest.approx(max(p, 1 - p))
        assert bool(record["defects"]) == (record["outcome"] == "reject")
        assert set(record["digests"]) == {"features", "rules", "model"}  # type: ignore[call-overload]


def test_decisions_are_of_the_table_that_lies_beside_them(judged: Path) -> None:
    digest = FeatureTable.read(judged / "features.parquet").digest
    assert {r["digests"]["features"] for r in records(judged)} == {digest}  # type: ignore[index]


def test_a_second_run_measures_nothing_and_gives_the_same_bytes(
    judged: Path, session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {n: (judged / n).read_bytes() for n in ("decisions.jsonl", "micrographs_good.star")}
    capsys.readouterr()
    arguments = ["decide-micrographs", str(session), "--output", str(judged), "--json"]
    assert run([*arguments, *OPTICS]) == ExitCode.SOME_UNREADABLE
    assert json.loads(capsys.readouterr().out)["measured_before"] == 8
    assert {n: (judged / n).read_bytes() for n in before} == before


def test_a_changed_file_is_measured_again(
    judged: Path, session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, output = tmp_path / "mics", tmp_path / "out"
    here.mkdir()
    for name in ("demonstration_0000.mrc", "demonstration_0001.mrc"):
        shutil.copy(session / name, here / name)
    arguments = ["measure-micrographs", str(here), "--output", str(output), "--json", *OPTICS]
    assert run(arguments) == ExitCode.DONE
    first = FeatureTable.read(output / "features.parquet")
    shutil.copy(session / "demonstration_0002.mrc", here / "demonstration_0001.mrc")
    capsys.readouterr()
    assert run(arguments) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["measured"], told["measured_before"]) == (1, 1)
    second = FeatureTable.read(output / "features.parquet")
    assert np.array_equal(first.values[0], second.values[0], equal_nan=True)
    assert not np.array_equal(first.values[1], second.values[1], equal_nan=True)


def test_stored_features_give_the_same_verdicts(judged: Path, tmp_path: Path) -> None:
    output = tmp_path / "again"
    features = str(judged / "features.parquet")
    assert run(["decide-micrographs", "--features", features, "--output", str(output)]) == 0
    same = ("subject", "outcome", "evidence", "counterfactual")
    assert [[r[k] for k in same] for r in records(output)] == [
        [r[k] for k in same] for r in records(judged)
    ]


def test_a_site_rule_changes_what_it_says(judged: Path, tmp_path: Path) -> None:
    rules = tmp_path / "site"
    rules.mkdir()
    (rules / "off.yaml").write_text("override: particles-many\nenabled: false\n")
    output = tmp_path / "out"
    arguments = ["--features", str(judged / "features.parquet"), "--output", str(output)]
    assert run(["decide-micrographs", *arguments, "--rules", str(rules)]) == ExitCode.DONE
    named = {e["name"] for r in records(output) for e in r["evidence"]}  # type: ignore[attr-defined]
    assert "particles-many" not in named


def test_a_report_can_be_written_anew(judged: Path) -> None:
    page = (judged / "report" / "index.html").read_bytes()
    shutil.rmtree(judged / "report")
    assert run(["report", str(judged)]) == ExitCode.DONE
    assert (judged / "report" / "index.html").stat().st_size == pytest.approx(len(page), rel=0.2)


@pytest.mark.relion
@pytest.mark.parametrize("name", ["good", "rejected"])
def test_relion_reads_both_lists(judged: Path, tmp_path: Path, name: str) -> None:
    program = shutil.which("relion_star_handler")
    if program is None:
        pytest.skip("RELION is not installed")
    star, out = judged / f"micrographs_{name}.star", tmp_path / "out.star"
    done = subprocess.run(
        [program, "--i", str(star), "--o", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = read_star(star)["micrographs"].rows
    assert len(read_star(out)["micrographs"].rows) == len(rows)


@pytest.mark.real_data
def test_thumbnails_without_optics_are_judged(shared_data: Path, tmp_path: Path) -> None:
    quality = shared_data / "micrographs" / "quality"
    assert run(["decide-micrographs", str(quality), "--output", str(tmp_path)]) == ExitCode.DONE
    assert len(records(tmp_path)) == 24
    assert all(
        any("ctf" in m for c in r["could_not_say"] for m in c["missing"])  # type: ignore[attr-defined]
        for r in records(tmp_path)
    )


def test_a_killed_run_goes_on_where_it_stopped(
    judged: Path, session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = [str(session), "--output", str(output), "--threads", "1", *OPTICS]
    program = Path(sys.executable).with_name("cryoverdict")
    running = subprocess.Popen([program, "decide-micrographs", *arguments, "--quiet"])
    deadline = time.monotonic() + 60.0
    while len(list(output.glob("measured/*[0-9a-f].npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.kill()
    running.wait()
    done = len(list(output.glob("measured/*[0-9a-f].npz")))
    assert 2 <= done < 8
    assert not (output / "decisions.jsonl").exists()
    capsys.readouterr()
    code = run(["decide-micrographs", *arguments, "--json"])
    assert code == ExitCode.SOME_UNREADABLE
    assert json.loads(capsys.readouterr().out)["measured_before"] >= 2
    assert (output / "decisions.jsonl").read_bytes() == (judged / "decisions.jsonl").read_bytes()
