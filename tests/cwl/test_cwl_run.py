"""A workflow run by `cryoverdict run`: the same bytes from anyone who runs it, and whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cwl.killed_run import finished, kill_run

Call = Callable[..., subprocess.CompletedProcess[str]]
Compare = Callable[[Path, Path], list[str]]
RUN = ("run", "mics", "--workflow", "judge-micrographs", "--batch-size", 2)

# The module run with -m drops the exit code.
CWLTOOL = str(Path(sys.executable).with_name("cwltool"))
PROGRAM = str(Path(sys.executable).with_name("cryoverdict"))


def provenance(run: Path) -> dict[str, Any]:
    """Return what a run says of itself."""
    record = json.loads((run / "provenance.json").read_text())
    assert isinstance(record, dict)
    return record


def jobs_of(run: Path, step: str) -> list[dict[str, Any]]:
    """Return the jobs of one step."""
    return [one for one in provenance(run)["steps"] if one["step"] == step]


def test_a_run_leaves_outputs_and_their_account(session: Path, judged_run: Path) -> None:
    names = {p.name for p in judged_run.iterdir() if not p.name.startswith(".")}
    assert names == {"judged", "workflow", "provenance.json", "ro-crate-metadata.json"}
    record = provenance(judged_run)
    images = sorted((session / "mics").glob("*.mrc"))
    assert [one["path"] for one in record["inputs"]] == [f"mics/{p.name}" for p in images]
    assert all(len(one["sha256"]) == 64 for one in record["inputs"])
    assert len(jobs_of(judged_run, "measure")) == 3
    (decided,) = jobs_of(judged_run, "decide_micrographs")
    assert decided["command"][:2] == ["cryoverdict", "decide-micrographs"]
    assert decided["command"].count("--features") == 3
    assert set(record["workflow"]) == {
        "workflow/workflows/judge-micrographs.cwl",
        "workflow/tools/measure-micrographs.cwl",
        "workflow/tools/decide-micrographs.cwl",
    }
    decisions = judged_run / "judged" / "decisions.jsonl"
    said = [json.loads(line) for line in decisions.read_text().splitlines()]
    assert len(said) == 5
    rules = {one["digests"]["rules"] for one in said}
    assert rules == {record["knowledge"]["rules"]["reject-micrographs"]}
    assert {one["digests"]["model"] for one in said} == {
        record["knowledge"]["models"]["reject-micrographs"]
    }


def test_the_run_is_the_step_by_hand(
    session: Path, judged_run: Path, cryoverdict: Call, differences: Compare
) -> None:
    """Batches leave no trace: one job over all micrographs decides the same, byte by byte."""
    cryoverdict("decide-micrographs", "mics", "--output", "hand", "--threads", 1, folder=session)
    found = differences(session / "hand", judged_run / "judged")
    own = [name for name in found if not name.startswith("measured/")]
    # The lists of a run say where the files lie, and these of a call by hand do not.
    assert own == ["micrographs_good.star", "micrographs_rejected.star"]


def test_plain_cwltool_gives_the_same_bytes(
    judged_run: Path, environment: dict[str, str], differences: Compare, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(CWLTOOL, "--quiet", "--no-container"),
            *("--outdir", str(tmp_path / "out")),
            str(judged_run / "workflow" / "workflows" / "judge-micrographs.cwl"),
            str(judged_run / "workflow" / "job.yaml"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert differences(tmp_path / "out" / "judged", judged_run / "judged") == []


def test_a_killed_run_resumes_with_the_same_bytes(
    session: Path,
    judged_run: Path,
    environment: dict[str, str],
    cryoverdict: Call,
    differences: Compare,
) -> None:
    """Kill -9 while batches are measured: what was finished is kept, nothing lives on."""
    run = session / "killed"
    words = [str(word) for word in (*RUN, "--output", "killed", "--threads", 1)]
    done_before_the_kill = kill_run(
        [PROGRAM, *words],
        lambda: finished(run) == 1,
        run=run,
        folder=session,
        environment=environment,
    )
    assert not (run / "judged").exists()
    assert 1 <= done_before_the_kill < 3
    cryoverdict(*words, folder=session)
    kept = [one["kept"] for one in jobs_of(run, "measure")]
    assert len(kept) == 3
    assert sum(kept) == done_before_the_kill
    # A kept result still has the command that made it.
    assert all(one["command"][1] == "measure-micrographs" for one in jobs_of(run, "measure"))
    assert differences(run / "judged", judged_run / "judged") == []


def test_only_the_batch_of_a_changed_file_is_measured_again(
    session: Path, cryoverdict: Call, tmp_path: Path
) -> None:
    """A file of the same name and size with other content is not taken for the old one."""
    shutil.copytree(session / "mics", tmp_path / "mics")
    words = (*RUN, "--output", "run", "--threads", 1)
    cryoverdict(*words, folder=tmp_path)
    before = (tmp_path / "run" / "judged" / "decisions.jsonl").read_text().splitlines()
    images = sorted((tmp_path / "mics").glob("*.mrc"))
    # The third is in the second batch; from now on it is the fourth's picture.
    shutil.copyfile(images[3], images[2])
    cryoverdict(*words, folder=tmp_path)
    kept = [one["kept"] for one in jobs_of(tmp_path / "run", "measure")]
    assert sorted(kept) == [False, True, True]
    after = (tmp_path / "run" / "judged" / "decisions.jsonl").read_text().splitlines()
    assert json.loads(before[2])["evidence"] != json.loads(after[2])["evidence"]


def test_a_setting_that_the_workflow_does_not_have_is_refused(
    session: Path, cryoverdict: Call
) -> None:
    done = cryoverdict(*RUN, "--set", "pixel_size=2", "--output", "refused", folder=session, code=3)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --set pixel_size=2: accepted is NAME=VALUE with one of micro")


def test_what_a_step_says_of_its_failure_is_said(
    session: Path, cryoverdict: Call, tmp_path: Path
) -> None:
    """Rules that are no rules: the run ends with the step's own code and words."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.yaml").write_text("id: [\n")
    done = cryoverdict(
        *(*RUN, "--output", tmp_path / "failed", "--rules", tmp_path / "rules", "--quiet"),
        folder=session,
        code=3,
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: decide_micrographs failed: ")
    assert "bad.yaml" in line
    assert not (tmp_path / "failed" / "judged").exists()


def test_the_job_alone_is_for_another_runner(
    session: Path, cryoverdict: Call, tmp_path: Path
) -> None:
    cryoverdict(*RUN, "--only-job", "--output", tmp_path / "job", folder=session)
    assert {p.name for p in (tmp_path / "job").iterdir()} == {"workflow", ".lock"}
    done = subprocess.run(
        [
            *(CWLTOOL, "--validate", "--strict"),
            str(tmp_path / "job" / "workflow" / "workflows" / "judge-micrographs.cwl"),
            str(tmp_path / "job" / "workflow" / "job.yaml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_two_runs_do_not_share_a_folder(session: Path, judged_run: Path, cryoverdict: Call) -> None:
    from cryoverdict.engine.output_folder import writing_into

    with writing_into(judged_run):
        done = cryoverdict(*RUN, "--output", "run", folder=session, code=3)
    assert "another run is writing here" in done.stderr


def test_a_run_of_nothing_readable_says_why(cryoverdict: Call, tmp_path: Path) -> None:
    (tmp_path / "words.mrc").write_text("no image")
    done = cryoverdict("run", "words.mrc", *RUN[2:], "--output", "run", folder=tmp_path, code=3)
    assert "words.mrc: truncated, 8 of the 1024 bytes" in done.stderr.splitlines()[-1]
