"""The workflow on a Slurm of two nodes, both on this machine: a killed job is done again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
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
MinJobAge=300
NodeName=fake1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000
NodeName=fake2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000
PartitionName=main Nodes=fake[1-2] Default=YES MaxTime=INFINITE State=UP
"""
PATIENCE_S = 60

pytestmark = [pytest.mark.slurm, pytest.mark.toil]


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens on."""
    held = [socket.socket() for _ in range(number)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(what: Callable[[], bool], words: str) -> None:
    """Wait until something holds; fail after a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, words
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start munge, a controller and two nodes; give the environment in which they are called."""
    path = os.pathsep.join([environment["PATH"], "/usr/sbin", "/sbin"])
    missing = [p for p in (*PROGRAMS, "toil-cwl-runner") if shutil.which(p, path=path) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing else'}")
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
    called = {**environment, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{n}={folder}/munge/{n.split('-')[0]}" for n in ("socket", "pid-file", "log-file")]
    munge += [f"--seed-file={folder}/munge/seed"]
    daemons = [munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "fake1"]]
    daemons += [["slurmd", "-D", "-N", "fake2"]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in daemons:
            with (folder / f"{len(started)}.out").open("wb") as out:
                started.append(subprocess.Popen(words, env=called, stdout=out, stderr=out))
            time.sleep(0.5)
        wait_for(lambda: said(called, "sinfo", "-h", "-o", "%T %D") == "idle 2", "no idle nodes")
        yield called
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


def said(called: Mapping[str, str], *words: str) -> str:
    """Return what a program of the cluster says."""
    done = subprocess.run(words, env=dict(called), capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_a_killed_job_is_done_again_and_the_bytes_are_the_same(
    cluster: dict[str, str],
    judged_run: Path,
    differences: Callable[[Path, Path], list[str]],
    tmp_path: Path,
) -> None:
    log = tmp_path / "toil.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *("toil-cwl-runner", "--batchSystem", "slurm", "--retryCount", "3"),
                *("--jobStore", str(tmp_path / "store"), "--workDir", str(tmp_path)),
                *("--no-container", "--outdir", str(tmp_path / "out"), "--logInfo"),
                *("--publishWorkflowMetrics", "no", "--clean", "always"),
                str(judged_run / "workflow" / "workflows" / "judge-micrographs.cwl"),
                str(judged_run / "workflow" / "job.yaml"),
            ],
            env=cluster,
            stdout=out,
            stderr=out,
        )
        killed: list[str] = []

        def one_runs() -> bool:
            """Kill the first measuring job that runs, and say whether there was one."""
            assert process.poll() is None, log.read_text()[-3000:]
            for line in said(cluster, "squeue", "-h", "-t", "R", "-o", "%i %j").splitlines():
                number, _, name = line.partition(" ")
                if "measure" in name.lower():
                    said(cluster, "scancel", "--signal=KILL", "--full", number)
                    killed.append(number)
                    return True
            return False

        try:
            wait_for(one_runs, "no job was ever running")
            code = process.wait(timeout=300)
        finally:
            process.kill()
            process.wait()
    text = log.read_text()
    assert code == 0, text[-3000:]
    assert len(killed) == 1
    # Toil says so when it takes a job that failed up again.
    assert "try count" in text or "Retry" in text
    assert differences(tmp_path / "out" / "judged", judged_run / "judged") == []
