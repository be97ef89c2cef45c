"""The demonstration by every runner: one machine, Toil, and a Slurm of two nodes that loses a job.

Run by ``make cluster``, which installs what is needed; the other tests leave it out, since it
takes the whole demonstration four times.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster

Compare = Callable[[Path, Path], list[str]]
CWLTOOL = str(Path(sys.executable).with_name("cwltool"))
# The step that loses a job: it takes seconds, and there are several of it.
VICTIM = "pick"
PATIENCE_S = 120
RUN_S = 1500
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
MinJobAge=86400
NodeName=fake1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000
NodeName=fake2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000
PartitionName=main Nodes=fake[1-2] Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return the folder of `cryoverdict run` on the demonstration set."""
    folder = tmp_path_factory.mktemp("demo")
    program = str(Path(sys.executable).with_name("cryoverdict"))
    called([program, "demo", "--output", str(folder), "--threads", "2", "--quiet"], environment)
    return folder / "run"


@pytest.fixture(scope="module")
def outputs(
    demo: Path,
    outputs_of: Callable[[Path, Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the outputs of the workflow alone, as `cryoverdict run` placed them."""
    return outputs_of(demo, tmp_path_factory.mktemp("outputs") / "ours")


@pytest.fixture(scope="module")
def toil(environment: Mapping[str, str]) -> str:
    """Return the program of Toil; skip where it is absent."""
    found = shutil.which("toil-cwl-runner", path=environment["PATH"])
    if found is None:
        pytest.skip("toil-cwl-runner is not installed (pip install 'cryoverdict[cluster]')")
    return found


def workflow_of(demo: Path) -> tuple[str, str]:
    """Return the workflow and the job that a run left for other runners."""
    inside = demo / "workflow"
    return str(inside / "workflows" / "preprocess.cwl"), str(inside / "job.yaml")


def called(words: list[str], environment: Mapping[str, str]) -> None:
    """Call a program that must succeed."""
    done = subprocess.run(
        words, env=dict(environment), capture_output=True, text=True, check=False, timeout=RUN_S
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_plain_cwltool_gives_the_same_bytes(
    demo: Path, outputs: Path, environment: dict[str, str], differences: Compare, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [CWLTOOL, "--quiet", "--no-container", "--outdir", str(out), *workflow_of(demo)]
    called(words, environment)
    assert differences(out, outputs) == []


def test_toil_on_one_machine_gives_the_same_bytes(
    toil: str,
    demo: Path,
    outputs: Path,
    environment: dict[str, str],
    differences: Compare,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    called([*toil_words(toil, tmp_path, out), "--maxCores", "2", *workflow_of(demo)], environment)
    assert differences(out, outputs) == []


def toil_words(toil: str, folder: Path, out: Path) -> list[str]:
    """Return a call of Toil, up to the workflow and the job."""
    return [
        *(toil, "--jobStore", str(folder / "store"), "--workDir", str(folder)),
        *("--no-container", "--outdir", str(out), "--logInfo"),
        *("--publishWorkflowMetrics", "no", "--clean", "always"),
    ]


def test_a_job_killed_on_slurm_is_done_again_and_the_bytes_are_the_same(
    cluster: dict[str, str],
    toil: str,
    demo: Path,
    outputs: Path,
    differences: Compare,
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "out", tmp_path / "toil.log"
    words = [*toil_words(toil, tmp_path, out), "--batchSystem", "slurm", "--retryCount", "3"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*words, *workflow_of(demo)], env=cluster, stdout=file, stderr=file
        )
        try:
            killed = kill_one(process, cluster, log)
            code = process.wait(timeout=RUN_S)
        finally:
            process.kill()
            process.wait()
    assert code == 0, log.read_text()[-3000:]
    jobs = jobs_of(cluster)
    name = jobs[killed][0]
    # The one that was lost is done again under its name; both nodes took part.
    again = [one for number, one in jobs.items() if number > killed and one[0] == name]
    assert "COMPLETED" in [state for _, state, _ in again]
    assert {"fake1", "fake2"} <= {node for _, _, node in jobs.values()}
    assert differences(out, outputs) == []


def kill_one(process: subprocess.Popen[bytes], cluster: Mapping[str, str], log: Path) -> int:
    """Kill the Slurm job whose step is at work; return its number, once Slurm says it is lost.

    One that ended by itself in the meantime does not count, and the next one is tried.
    """
    deadline = time.monotonic() + RUN_S
    tried: set[int] = set()
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended before a job was killed: {log.read_text()[-3000:]}"
        for number in set(numbers_at_work()) - tried:
            tried.add(number)
            said(cluster, "scancel", "--signal=KILL", "--full", str(number))
            if ended_as(cluster, number) != "COMPLETED":
                return number
        time.sleep(0.05)
    pytest.fail("no job was ever at work")


def ended_as(cluster: Mapping[str, str], number: int) -> str:
    """Wait for the end of a Slurm job and return its state."""
    deadline = time.monotonic() + PATIENCE_S
    while (state := jobs_of(cluster)[number][1]) in ("RUNNING", "COMPLETING"):
        assert time.monotonic() < deadline, f"job {number} lives on"
        time.sleep(0.2)
    return state


def numbers_at_work() -> Iterator[int]:
    """Yield the numbers of the Slurm jobs in which a step of the victim's kind runs."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if VICTIM.encode() in words[:3]:
                yield from slurm_job_of(process)
        except OSError:
            continue


def slurm_job_of(process: Path) -> Iterator[int]:
    """Yield the number of the Slurm job that a process belongs to, if it belongs to one.

    Steps have an environment of their own: whoever started them knows the number.
    """
    mark = b"SLURM_JOB_ID="
    while process.name != "0":
        for variable in (process / "environ").read_bytes().split(b"\0"):
            if variable.startswith(mark):
                yield int(variable.removeprefix(mark))
                return
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        process = process.with_name(parent)


def jobs_of(cluster: Mapping[str, str]) -> dict[int, tuple[str, str, str]]:
    """Return name, state and node of every Slurm job by its number.

    Toil's names begin with a number of its own, which a second try does not share.
    """
    found = {}
    for line in said(cluster, "squeue", "-h", "-t", "all", "-o", "%i|%j|%T|%N").splitlines():
        number, name, state, node = line.split("|")
        found[int(number)] = (name.split("_", 3)[-1], state, node)
    return found


def said(called_in: Mapping[str, str], *words: str) -> str:
    """Return what a program of the cluster says."""
    done = subprocess.run(words, env=dict(called_in), capture_output=True, text=True, check=False)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def cluster(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start munge, a controller and two nodes; give the environment in which they are called.

    Skips where they are not installed, or where the machine does not let them work: then the last
    words of the daemons are the reason.
    """
    path = os.pathsep.join([environment["PATH"], "/usr/sbin", "/sbin"])
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"Slurm needs root and {', '.join(missing) or 'nothing else'}")
    # Munge wants every folder above its socket open to all, which pytest's are not.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    for name in ("munge", "state", "spool-fake1", "spool-fake2"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(host=socket.gethostname(), ports=free_ports(3), folder=folder)
    )
    called_in = {**environment, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{n}={folder}/munge/{n.split('-')[0]}" for n in ("socket", "pid-file", "log-file")]
    munge += [f"--seed-file={folder}/munge/seed"]
    daemons = [munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "fake1"]]
    daemons += [["slurmd", "-D", "-N", "fake2"]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in daemons:
            with (folder / f"{len(started)}.out").open("wb") as out:
                started.append(subprocess.Popen(words, env=called_in, stdout=out, stderr=out))
            time.sleep(0.5)
        if not idle(called_in):
            last = [path.read_text()[-300:] for path in sorted(folder.glob("*.out"))]
            pytest.skip(f"Slurm does not work on this machine: {' '.join(' '.join(last).split())}")
        yield called_in
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


def idle(called_in: Mapping[str, str]) -> bool:
    """Wait for both nodes to be idle, and say whether they are."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if said(called_in, "sinfo", "-h", "-o", "%T %D") == "idle 2":
            return True
        time.sleep(0.5)
    return False


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens on."""
    held = [socket.socket() for _ in range(number)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports
