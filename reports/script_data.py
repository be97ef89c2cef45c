"""Data as script files, the only form that a page opened from a disk may load.

A browser refuses ``fetch`` and modules under ``file://``, and allows ``<script src>``; so each
data file is one call that registers one JSON value with the page (``assets/frame.js``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from cryoverdict.reports.report_error import ReportError

HEAD = "cryoverdict.register("
TAIL = ");\n"
# Harmless inside JSON strings and unable to end a script element or to open a comment in one.
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def encode_script(name: str, value: Any) -> str:
    """Return the script that registers a JSON value under a name.

    The text is ASCII with no ``<``, ``>`` or ``&``, keys sorted, numbers at full precision.
    Raises `ReportError` for what JSON has no word for (NaN, infinity, other types).
    """
    try:
        text = json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        msg = f"page data {name}: {error}; accepted is JSON with finite numbers"
        raise ReportError(msg) from error
    return f"{HEAD}{json.dumps(name)},{text.translate(ESCAPES)}{TAIL}"


def write_script(folder: Path, name: str, value: Any) -> Path:
    """Write ``folder/data/NAME.js`` and return its path."""
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(encode_script(name, value), encoding="ascii")
    return path


def finite(values: Iterable[float], digits: int | None = None) -> list[float | None]:
    """Return numbers for a script: what is not finite is null; ``digits`` significant digits."""
    numbers = (float(v) for v in values)
    if digits is None:
        return [v if isfinite(v) else None for v in numbers]
    return [float(f"{v:.{digits}g}") if isfinite(v) else None for v in numbers]
