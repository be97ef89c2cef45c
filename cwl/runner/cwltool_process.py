"""Start cwltool so that it works in parallel, keeps results, and never outlives its caller."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def start_cwltool(workflow: Path, job: Path, *, cache: Path, jobs: int) -> subprocess.Popen[str]:
    """Start a workflow whose results are kept in ``cache``, at most ``jobs`` jobs at a time.

    Whoever closes the process's standard input, were it by dying, ends it with all its jobs (see
    `leash`). The output object comes on standard output, the log on standard error. ``cache``
    belongs to one run at a time; what an earlier one left unfinished in it is cleared.
    """
    scratch = scratch_of(cache)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    parallel = ["--parallel", "--parallel-max", str(jobs)] if jobs > 1 else []
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "cryoverdict.cwl.runner.leash"),
            *("--disable-color", "--no-container", "--leave-outputs", *parallel),
            *("--cachedir", f"{cache.absolute()}{os.sep}"),
            *("--tmpdir-prefix", f"{scratch.absolute()}{os.sep}"),
            *(str(workflow), str(job)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def scratch_of(cache: Path) -> Path:
    """Return the folder beside the kept results that holds nothing after a run."""
    return cache / "tmp"


def _environment() -> dict[str, str]:
    """Return the environment of cwltool: this environment's programs come first on the path."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }
