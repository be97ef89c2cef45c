"""Reading what a page loads as scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryoverdict.reports.script_data import HEAD, TAIL


def read_script(path: Path) -> Any:
    """Return the value that a data file registers."""
    text = path.read_text(encoding="ascii")
    assert text.startswith(HEAD)
    assert text.endswith(TAIL)
    return json.loads(f"[{text[len(HEAD) : -len(TAIL)]}]")[1]
