"""Runs that are stopped from outside: what they say, what they leave behind, how they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.simulation.data_set_files import write_mrc

# So many that a run is not over before a slow machine gets to stop it.
MICROGRAPHS = 40
# For a machine that does much else; what works never takes so long.
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of noise, enough of it to be stopped in the middle."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(5)
    for i in range(MICROGRAPHS):
        write_mrc(folder / f"{i:02}.mrc", rng.poisson(20, (512, 512)).astype(np.float32), 1.5)
    return folder


def begun(micrographs: Path, output: Path, threads: int) -> subprocess.Popen[str]:
    """Start a run in a process group of its own, and return it when it has measured something."""
    program = Path(sys.executable).with_name("cryoverdict")
    running = subprocess.Popen(
        [program, "measure-micrographs", micrographs, "--output", output, f"--threads={threads}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while len(kept(output)) < 2 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.poll() is None
    return running


def kept(output: Path) -> list[Path]:
    """Return the measurements that are on the disk."""
    return [p for p in output.glob("measured/*.npz") if not p.name.endswith(".part.npz")]


def group(leader: int) -> Iterator[str]:
    """Yield the processes of a session that are alive."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            yield stat.parent.name


def nobody_left(leader: int) -> bool:
    """Wait for the last process of a session to end."""
    deadline = time.monotonic() + PATIENCE_S
    while any(group(leader)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not list(group(leader))


def stop(running: subprocess.Popen[str], how: str) -> None:
    """Send the signals of one way of stopping a run."""
    match how:
        case "ctrl-c thrice":
            for _ in range(3):
                os.killpg(running.pid, signal.SIGINT)
                time.sleep(0.05)
        case "ctrl-c at once":
            for _ in range(5):
                os.killpg(running.pid, signal.SIGINT)
        case "ctrl-c to the parent":
            running.send_signal(signal.SIGINT)
        case "scheduler":
            os.killpg(running.pid, signal.SIGTERM)
        case "kill":
            running.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("ctrl-c thrice", 130, "interrupted"),
        ("ctrl-c at once", 130, "interrupted"),
        ("ctrl-c to the parent", 130, "interrupted"),
        ("scheduler", 143, "asked to end"),
        ("kill", 143, "asked to end"),
    ],
)
def test_a_stopped_run_says_one_line_and_leaves_nobody_behind(
    micrographs: Path, tmp_path: Path, how: str, code: int, says: str, threads: int
) -> None:
    running = begun(micrographs, tmp_path, threads)
    stop(running, how)
    _, told = running.communicate(timeout=PATIENCE_S)
    assert told.strip() == f"{says}; the same command resumes"
    assert running.returncode == code
    assert nobody_left(running.pid)


def test_workers_end_with_a_parent_that_is_killed_and_nothing_measured_is_lost(
    micrographs: Path, tmp_path: Path
) -> None:
    running = begun(micrographs, tmp_path, 2)
    running.kill()
    running.communicate(timeout=PATIENCE_S)
    assert nobody_left(running.pid)
    done = len(kept(tmp_path))
    assert 2 <= done < MICROGRAPHS
    program = Path(sys.executable).with_name("cryoverdict")
    again = subprocess.run(
        [program, "measure-micrographs", micrographs, "--output", tmp_path, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(again.stdout)
    assert told["measured_before"] == done
    assert told["measured"] == MICROGRAPHS - done
