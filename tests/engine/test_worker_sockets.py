"""Workers start in the long-named temporary folders that workflow runners give to jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
from cryoverdict.engine.parallel import each
if __name__ == "__main__":
    print(list(each(abs, [-1, 2, -3], threads=2)))
"""


def test_workers_start_in_a_long_temporary_folder(tmp_path: Path) -> None:
    """A socket's name may have 107 bytes; the folder's alone has more."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (tmp_path / "program.py").write_text(CODE)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "[1, 2, 3]", done.stderr
    assert list(folder.iterdir()) == []
