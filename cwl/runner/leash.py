"""Run cwltool on a leash: when the caller is gone, so is cwltool and every job it started.

Started as ``python -m cryoverdict.cwl.runner.leash ARGUMENTS-OF-CWLTOOL`` as the leader of a new
process group, its standard input the reading end of a pipe that the caller holds open. Whatever
ends the caller, kill -9 among it, closes the pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib import import_module

from cryoverdict.cwl.runner.twin_jobs import let_twins_wait

# Time for cwltool to end its jobs and clear its folders.
PATIENCE_S = 2.0


def watch() -> None:
    """Wait for the end of standard input, then end this process group."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Watch the leash and become cwltool."""
    threading.Thread(target=watch, daemon=True).start()
    let_twins_wait()
    # `python -m cwltool` would do, but drops the exit code.
    sys.exit(import_module("cwltool.main").run(sys.argv[1:]))


if __name__ == "__main__":
    main()
