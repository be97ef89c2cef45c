"""The cwltest suite: each tool on tiny inputs, by cwltool, as any CWL platform would run it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SUITE = Path(__file__).with_name("cwltest")
# A list of a file that is there and no image.
UNREADABLE = """data_micrographs
loop_
_rlnMicrographName #1
{path}
"""


@pytest.fixture(scope="module")
def suite(
    session: Path,
    cryoverdict: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Copy the suite, with the inputs that its jobs name."""
    folder = tmp_path_factory.mktemp("suite") / "suite"
    shutil.copytree(SUITE, folder)
    text = (folder / "suite.yaml").read_text().replace("../../../cwl", str(ROOT / "cwl"))
    (folder / "suite.yaml").write_text(text)
    data = folder / "data"
    for name in ("rules", "bad_rules"):
        (data / name).mkdir(parents=True)
    shutil.copy(session / "spec.yaml", data)
    shutil.copytree(session / "mics", data / "mics")
    (data / "mics" / "bad.txt").write_text("no image")
    (data / "unreadable.star").write_text(UNREADABLE.format(path=data / "mics" / "bad.txt"))
    (data / "rules" / "site.yaml").write_text("override: ctf-resolution-poor\nenabled: false\n")
    (data / "bad_rules" / "site.yaml").write_text("id: [\n")
    calls = [
        ("split-micrographs", data / "mics", "--batch-size", 3, "--output", "batches"),
        ("measure-micrographs", "batches/batch_0000.star", "--output", "measured_0"),
        ("measure-micrographs", "batches/batch_0001.star", "--output", "measured_1"),
        ("decide-micrographs", "mics", "--output", "judged"),
    ]
    for call in calls:
        more = () if call[0] == "split-micrographs" else ("--threads", 1)
        cryoverdict(*call, *more, "--quiet", folder=data)
    return folder


def run_suite(suite: Path, environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Run the suite and return exit code and what was said."""
    done = subprocess.run(
        [
            # The modules run with -m drop the exit code.
            *(str(BIN / "cwltest"), "--test", "suite.yaml", *words),
            *("--tool", str(BIN / "cwltool")),
            *("--", "--no-container"),
        ],
        cwd=suite,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_suite_passes(suite: Path, environment: dict[str, str]) -> None:
    code, said = run_suite(suite, environment)
    assert code == 0, said[-3000:]
    assert "All tests passed" in said


def test_the_suite_can_fail(suite: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """An output of another name is noticed."""
    broken = (suite / "suite.yaml").read_text().replace("features.parquet", "features.csv")
    (suite / "broken.yaml").write_text(broken)
    done = run_suite(suite, environment, "--test", "broken.yaml", "-s", "measure")
    assert done[0] != 0


def test_every_tool_that_needs_no_other_is_in_the_suite() -> None:
    """The others are run by the test of the whole workflow."""
    tools = {Path(one["tool"]).name for one in yaml.safe_load((SUITE / "suite.yaml").read_text())}
    assert {
        "simulate.cwl",
        "measure-micrographs.cwl",
        "decide-micrographs.cwl",
        "split-micrographs.cwl",
        "estimate-ctf.cwl",
        "judge-micrographs.cwl",
        "summarise.cwl",
    } <= tools
