"""Measure how long the page of 2,000 and of 20,000 micrographs takes to write and to open.

Run it as a command: ``python tests/benchmarks/report_page.py [--numbers 2000 20000]``. It writes
pages of made-up decisions and pictures, opens each from the disk in a headless Chromium with an
empty profile, and prints medians. The exit code is 1 where a page takes longer than the limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from typing import Any

from cryoverdict.reports.micrograph_page import write_micrograph_page

LIMIT_S = 3.0
# The thumbnails on the first screen, waited for after the list itself is there.
PICTURES = """Promise.all([...document.querySelectorAll('#listing img')].filter((image) =>
    image.getBoundingClientRect().top < innerHeight).map((image) => image.complete
    || new Promise((done) => { image.onload = image.onerror = done; })))
    .then(() => performance.now())"""
ACTIONS = {
    "filter": "cryoverdict.page.change({q: 'data_7'})",
    "sort": "cryoverdict.page.change({q: '', sort: '-ice_ratio'})",
    "gallery": "cryoverdict.page.change({layout: 'gallery', sort: 'order'})",
    "list": "cryoverdict.page.change({layout: 'table'})",
    "detail": "cryoverdict.page.change({subject: cryoverdict.page.shown().at(-9)})",
}


def main() -> int:
    """Print the measures; return 0 where each page opens within the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the pages here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        slowest = max(measure(folder, n, arguments.repeats) for n in arguments.numbers)
    print(f"slowest opening {slowest:.2f} s; the limit is {LIMIT_S:.0f} s")
    return 0 if slowest <= LIMIT_S else 1


def measure(folder: Path, number: int, repeats: int) -> float:
    """Write and open one page; print a line each; return the median opening time in seconds."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reports"))
    data, chromium = import_module("report_data"), import_module("chromium")
    program = chromium.find_chromium()
    if program is None:
        sys.exit("no Chromium is installed: apt-get install chromium")
    made = data.make_data_set(number)
    pictures = data.make_pictures(number)
    begin = time.monotonic()
    page = write_micrograph_page(
        folder / f"report_{number}", **made.page(), pictures=lambda _: next(pictures)
    )
    written_s = time.monotonic() - begin
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    print(f"{number:,} micrographs", flush=True)
    print(f"  written in     {written_s:7.1f} s   {len(files):,} files, {size / 1e6:,.0f} MB")
    print(f"  peak memory    {peak:7.0f} MB  of the writing process, its input included")
    runs = [_open(chromium.Chromium, program, page) for _ in range(repeats)]
    for name, unit, scale in (
        ("opened", "s ", 1.0),
        ("pictured", "s ", 1.0),
        *((action, "ms", 1e3) for action in ACTIONS),
        ("heap", "MB", 1.0),
        ("nodes", "  ", 1.0),
    ):
        print(f"  {name:14} {median(run[name] for run in runs) * scale:7.3g} {unit}")
    return float(median(run["opened"] for run in runs))


def _open(browser: Any, program: str, page: Path) -> dict[str, float]:
    """Return the measures of one opening in a new browser."""
    with browser(program) as chromium:
        measured = {"opened": chromium.open(page)}
        measured["pictured"] = chromium.run(PICTURES) / 1000.0
        for name, script in ACTIONS.items():
            begin = time.monotonic()
            chromium.run(f"{script}.then(() => 1)")
            measured[name] = time.monotonic() - begin
        metrics = chromium.send("Performance.getMetrics")["metrics"]
        faults = chromium.faults()
        if faults:
            sys.exit(f"{page}: {faults[0]}")
    by_name = {m["name"]: m["value"] for m in metrics}
    return measured | {"heap": by_name["JSHeapUsedSize"] / 1e6, "nodes": by_name["Nodes"]}


if __name__ == "__main__":
    sys.exit(main())
